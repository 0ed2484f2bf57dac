import {
  asReference,
  ConfigError,
  mixtureModel,
  type ModelFactory,
  noiseProcess,
  type PluginReference,
  type ProcessOptions,
  showShape,
} from '@tweedie/core';

export interface EmpiricalOptions {
  readonly dataset: string | PluginReference;
  /** h, the standard deviation around each image, in pixel units of [-1, 1]. */
  readonly bandwidth: number;
  /** How many images are used, the first ones; default: all. */
  readonly limit?: number;
  readonly process: Required<ProcessOptions>;
}

/** Images that are read at a time: thousands would be more open files than a process may have. */
const LANES = 4;

/**
 * The empirical mixture over a data set, p(x0) = (1/N) sum_i N(x_i, h^2 I): the exact score of real images, with a
 * known posterior for every linear operator. Its denoiser is the kernel regression x0hat = (sigma^2 sum_i r_i x_i + h^2
 * z) / (h^2 + sigma^2), z = xt / signal. Nothing is clamped: a draw is an image plus h times noise and leaves
 * [-1, 1], its `dataRange`. Memory 4 N d bytes; a forward is 4 N d operations a sample.
 */
export const empirical: ModelFactory<EmpiricalOptions> = async ({ dataset, bandwidth, limit, process }, { plugin }) => {
  const images = await plugin('dataset', asReference(dataset));
  const count = Math.min(limit ?? images.size, images.size);
  const shape = showShape(images.imageShape);
  const other = Array.from({ length: count }, (_, i) => images.shapeOf?.(i)).find(
    (own) => own && showShape(own) !== shape,
  );
  if (other)
    throw new ConfigError(
      'model/empirical',
      `the data set has images ${shape} and ${showShape(other)}, and a mixture is over images of one shape.`,
      'Give the data set a size.',
    );
  return mixtureModel({
    imageShape: images.imageShape,
    process: noiseProcess(process),
    dataRange: [-1, 1],
    covariance: 'isotropic',
    async mixture() {
      const [height, width, channels] = images.imageShape;
      const d = height * width * channels;
      const means = new Float32Array(count * d);
      const unread = Array.from({ length: count }).keys();
      const read = async () => {
        for (const index of unread) means.set((await images.item(index)).x0, index * d);
      };
      await Promise.all(Array.from({ length: LANES }, read));
      return {
        weights: new Float64Array(count).fill(1 / count),
        means,
        covariance: { kind: 'isotropic', variances: new Float64Array(count).fill(bandwidth ** 2) },
      };
    },
  });
};
