import { ConfigError, type Context, noiseProcess, type ProcessOptions, type ScoreModel, toVe } from '@tweedie/core';
import { fileHash } from '../checkpoint.ts';
import { classLabels } from '../class-labels.ts';
import { loadedOnce } from '../loaded-once.ts';
import { readWeights } from '../parameters.ts';
import { splitOutput } from '../predictions.ts';
import { noteTaken } from '../unet-of-file.ts';
import { type EdmFile, openEdm } from './file.ts';
import { edmParameters } from './plan.ts';
import {
  preconditioned,
  type Preconditioning,
  type PreconditioningKind,
  usualPreconditioning,
} from './preconditioning.ts';
import { edmUnet } from './unet.ts';

export type EdmOptions = {
  /** A pickle of NVlabs/edm, or a state dict of such a network. */
  readonly weights: string;
  /** Which denoiser stands around the network; a pickle says it. */
  readonly preconditioning?: PreconditioningKind;
  /** Standard deviation of the data in the preconditioning `edm`; a pickle says it. */
  readonly sigma_data?: number;
  /** The class of a conditional network; without it, no class. */
  readonly label?: number;
  readonly process: Required<ProcessOptions>;
};
/** With the process as a recipe may give it. */
type GivenOptions = Omit<EdmOptions, 'process'> & { readonly process: Partial<ProcessOptions> };

/** What the file says, checked against the options; what it does not say, from them. */
function preconditioningOf(file: EdmFile, options: GivenOptions, where: string): Preconditioning {
  const { preconditioning: wanted, sigma_data: sigmaData } = options;
  const known = file.preconditioning?.kind ?? file.kind;
  if (known !== undefined && wanted !== undefined && known !== wanted)
    throw new ConfigError(
      where,
      `preconditioning is "${wanted}", but the file's is "${known}".`,
      'Leave preconditioning out.',
    );
  const kind = known ?? wanted;
  if (kind === undefined)
    throw new ConfigError(
      where,
      'a state dict does not say which preconditioning its network was trained with.',
      `Give preconditioning: ${Object.keys(usualPreconditioning).join(', ')} (NVlabs/edm's own and most conversions: edm, sigma_data 0.5).`,
    );
  const usual = file.preconditioning ?? usualPreconditioning[kind];
  if (sigmaData === undefined) return usual;
  if (usual.kind !== 'edm' || (file.preconditioning && usual.sigmaData !== sigmaData))
    throw new ConfigError(
      where,
      usual.kind === 'edm'
        ? `sigma_data is ${sigmaData}, but the file says ${usual.sigmaData}.`
        : `sigma_data is given, but the preconditioning "${usual.kind}" has none.`,
      'Leave sigma_data out.',
    );
  return { kind: 'edm', sigmaData };
}

/**
 * A network of NVlabs/edm as a prior (Karras et al. 2022, arXiv:2206.00364): a denoiser D(z; sigma) of VE states
 * z = xt / signal at any noise level, so that any `process` serves. x0hat has the range [-1, 1]. Throws ConfigError
 * where the file is no such network or does not say enough (at once), or its tensors do not fit (at `load`, naming the
 * tensor).
 */
export async function edmModel(options: GivenOptions, context: Pick<Context, 'files' | 'note'>): Promise<ScoreModel> {
  const { files } = context;
  const path = options.weights;
  const opened = await openEdm(path, files);
  const { config, checkpoint } = opened;
  const kind = preconditioningOf(opened, options, path);
  const parameters = edmParameters(config, path);
  const labels = classLabels(config.classes || undefined, options.label, path, true);
  const learned = kind.kind === 'iddpm';
  if (config.outChannels !== config.inChannels * (learned ? 2 : 1))
    throw new ConfigError(
      path,
      `a network with the preconditioning "${kind.kind}" of ${config.inChannels} channels cannot give ${config.outChannels}.`,
      'Give the preconditioning that it was trained with.',
    );
  const { network, ...file } = loadedOnce(async () => {
    const weights = await readWeights(parameters, checkpoint);
    noteTaken(checkpoint, context);
    return { network: edmUnet(config, weights), hash: await fileHash(path, files), tensors: weights.values() };
  });
  return {
    imageShape: [config.size, config.size, config.inChannels],
    process: noiseProcess(options.process),
    range: [-1, 1],
    ...labels.facts,
    ...file,
    predict: (xt, level, condition) => {
      const rows = labels.rows(condition);
      // The second half of iDDPM's output is a variance that its denoiser leaves out.
      const denoise = preconditioned((x, noise) => splitOutput(network()(x, noise, rows), learned).output, kind);
      return denoise(toVe(xt, level), level.sigma);
    },
  };
}
