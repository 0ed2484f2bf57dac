import {
  type GaussianMixture,
  mixtureHash,
  type ModelFactory,
  noiseProcess,
  predictionFromX0,
  toVe,
} from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** Height and width of its images in pixels. */
  readonly size: number;
  /** Standard deviation of each entry. */
  readonly std: number;
  readonly process: 'vp' | 've';
}

// Edit 2 of 3: what it is, in a sentence and as an equation: shapes, pixel range, cost, what it reads, errors, source.
/**
 * Images whose entries are independent and normal, p(x0) = N(0, std^2 I), seen through a VP or VE process:
 *
 *   x0hat = std^2 / (std^2 + sigma^2) z,   z = xt / signal
 *
 * [size, size, 3] images. They leave [-1, 1], so there is no `range` and nothing is clamped. Cost: a few operations
 * per entry.
 */
export const example: ModelFactory<ExampleOptions> = ({ size, std, process }) => {
  // Only a prior in closed form has a `mixture`, and provides model.mixture in plugin.json: with it `exact` can draw
  // from the posterior.
  const mixture: GaussianMixture = {
    weights: Float64Array.of(1),
    means: new Float64Array(size * size * 3),
    covariance: { kind: 'isotropic', variances: Float64Array.of(std ** 2) },
  };
  return {
    imageShape: [size, size, 3],
    process: noiseProcess({ kind: process }),
    mixture: () => mixture,
    weightsHash: () => mixtureHash(mixture),
    // Edit 3 of 3: the mathematics. Pure, batched and differentiable; what is read from files or large is made in
    // `load`, beside `predict`.
    predict: (xt, level) => {
      const shrink = level.sigma
        .square()
        .add(std ** 2)
        .reciprocal()
        .mul(std ** 2);
      return predictionFromX0(xt, toVe(xt, level).mul(shrink), level);
    },
  };
};
