import { ConfigError, type MetricFactory, metricScale, showShape } from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** The value of white where that of black is 0. */
  readonly white: number;
}

// Edit 2 of 3: what it is, in a sentence and as an equation: shapes, range, best value, errors, source and place in it.
/**
 * Mean absolute error, per image, over all of its entries:
 *
 *   MAE = white * mean( |u(x) - u(reference)| ),   u(x) = (clip(x) - low) / (high - low)
 *
 * Two batches [B, H, W, C] of one shape. Full scale, low to high, is the range of the images, to which they are
 * clipped, or else the spread of the clean ones. Equal images score 0, the best value. Throws ConfigError when the
 * shapes differ.
 */
export const example: MetricFactory<ExampleOptions> = ({ white }, context) => {
  const { unit, scale } = metricScale('metric/example', undefined, context);
  return {
    better: 'lower',
    scale,
    // Edit 3 of 3: the mathematics. One number per image; an image that holds NaN must not score a number.
    compare: async (x, reference) => {
      if (showShape(x.shape) !== showShape(reference.shape)) {
        throw new ConfigError(
          'metric/example',
          `images ${showShape(x.shape)} and references ${showShape(reference.shape)} differ in shape.`,
          'Compare images of one shape.',
        );
      }
      const [a, b] = await Promise.all([x.data(), reference.data()]);
      const size = a.length / x.shape[0];
      return Array.from({ length: x.shape[0] }, (_, sample) => {
        let sum = 0;
        for (let k = sample * size; k < (sample + 1) * size; k++)
          sum += Math.abs(unit(a[k] ?? NaN) - unit(b[k] ?? NaN));
        return (white * sum) / size;
      });
    },
  };
};
