import { type Tensor, tf } from '@tweedie/core';

const longestPeriod = 10_000;

/** The frequencies exp(-ln(10000) j / (half - shift)), j = 0 .. half - 1, in float64. */
export const timeFrequencies = (half: number, shift = 0): readonly number[] =>
  Array.from({ length: half }, (_, j) => Math.exp((-Math.log(longestPeriod) * j) / (half - shift)));

/** cos(t f_j), then sin(t f_j), or the sines first, of t [B] or []: [B or 1, 2 J]. */
export function waves(t: Tensor, frequencies: Tensor | readonly number[], sineFirst = false): Tensor {
  const row = Array.isArray(frequencies) ? tf.tensor1d([...frequencies]) : (frequencies as Tensor);
  const angles = t.reshape([-1, 1]).mul(row.reshape([1, -1]));
  return tf.concat(sineFirst ? [angles.sin(), angles.cos()] : [angles.cos(), angles.sin()], 1);
}

/**
 * Sinusoids of t [B] or [], fractions allowed: cos(t f_j), then sin(t f_j), and one zero where the width is odd.
 * [B or 1, width]. docs/methods.md 7.3.
 */
export function timeEmbedding(t: Tensor, width: number): Tensor {
  const half = Math.floor(width / 2);
  const both = waves(t, timeFrequencies(half));
  return width % 2 === 0
    ? both
    : tf.pad(both, [
        [0, 0],
        [0, 1],
      ]);
}
