import { type Tensor, tf } from '@tweedie/core';

const longestPeriod = 10_000;

/** The frequencies exp(-ln(10000) j / half), j = 0 .. half - 1, in float64. */
export const timeFrequencies = (half: number): readonly number[] =>
  Array.from({ length: half }, (_, j) => Math.exp((-Math.log(longestPeriod) * j) / half));

/**
 * Sinusoids of t [B] or [], fractions allowed: cos(t f_j), then sin(t f_j), and one zero where the width is odd.
 * [B or 1, width]. docs/methods.md 7.3.
 */
export function timeEmbedding(t: Tensor, width: number): Tensor {
  const half = Math.floor(width / 2);
  const angles = t.reshape([-1, 1]).mul(tf.tensor2d([...timeFrequencies(half)], [1, half]));
  const waves = tf.concat([angles.cos(), angles.sin()], 1);
  return width % 2 === 0
    ? waves
    : tf.pad(waves, [
        [0, 0],
        [0, 1],
      ]);
}
