import {
  ConfigError,
  decodeMixture,
  mixtureModel,
  type ModelFactory,
  noiseProcess,
  type ProcessOptions,
} from '@tweedie/core';

export interface PatchesOptions {
  /** 1 for grey patches, 3 for colour. */
  readonly channels: 1 | 3;
  readonly process: Required<ProcessOptions>;
}

/** Height and width of a patch. */
const SIDE = 8;
const kinds = {
  1: { file: 'grey.safetensors', covariance: 'full' },
  3: { file: 'colour.safetensors', covariance: 'low-rank' },
} as const;

/**
 * Patches of photographs, 8x8, grey or colour in [-1, 1]: a mixture of 100 Gaussians, p(x0) = sum_k w_k N(m_k, C_k),
 * fitted by EM to patches of 29 photographs with a noise floor of 0.02 (`grey.mixture.yaml`, `colour.mixture.yaml`).
 * Grey covariances are full; those of colour have their 64 longest axes and one variance for all others. Its score is
 * exact, and so is its posterior under any linear operator, which has several live components under masks, blur and
 * super-resolution. Nothing is clamped. Zoran and Weiss 2011, "From learning models of natural image patches to whole
 * image restoration"; differs: the mean of a patch is kept. Cost of a forward: 0.8 million multiply-adds grey, 2.5
 * colour.
 */
export const patches: ModelFactory<PatchesOptions> = ({ channels, process }, { files }) => {
  const { file, covariance } = kinds[channels];
  const path = new URL(`../${file}`, import.meta.url).href;
  return mixtureModel({
    imageShape: [SIDE, SIDE, channels],
    process: noiseProcess(process),
    dataRange: [-1, 1],
    covariance,
    async mixture() {
      const { weights, ...rest } = decodeMixture(await files.readBytes(path), path, 'model/patches');
      if (weights === undefined || rest.covariance.kind !== covariance)
        throw new ConfigError('model/patches', `${path} is not the mixture of this version.`, 'Install it again.');
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return { weights: weights.map((weight) => weight / total), means: rest.means, covariance: rest.covariance };
    },
  });
};
