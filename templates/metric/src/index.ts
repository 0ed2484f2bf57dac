import { ConfigError, type MetricFactory, showShape, tf } from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** The value of white where that of black is 0. */
  readonly white: number;
}

// Edit 2 of 3: what it is, in a sentence and as an equation: shapes, range, best value, errors, source and place in it.
/**
 * Mean absolute error, per image, over all of its entries:
 *
 *   MAE = white / 2 * mean( |x - reference| )
 *
 * Two batches [B, H, W, C] of one shape, in [-1, 1] (numbers outside count as they are). Equal images score 0, the
 * best value. Throws ConfigError when the shapes differ.
 */
export const example: MetricFactory<ExampleOptions> = ({ white }) => ({
  better: 'lower',
  // Edit 3 of 3: the mathematics. One number per image; an image that holds NaN must not score a number.
  compare: async (x, reference) => {
    if (showShape(x.shape) !== showShape(reference.shape)) {
      throw new ConfigError(
        'metric/example',
        `images ${showShape(x.shape)} and references ${showShape(reference.shape)} differ in shape.`,
        'Compare images of one shape.',
      );
    }
    const errors = tf.tidy(() => tf.mean(x.sub(reference).abs(), [1, 2, 3]).mul(white / 2));
    const values = await errors.data();
    errors.dispose();
    return [...values];
  },
});
