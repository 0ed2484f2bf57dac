/** Sliced Wasserstein distances between samples and a Gaussian mixture, with no draws of the mixture. */
import { covarianceOf, type GaussianMixture, type KeyedRandom } from '@tweedie/core';
import { lineAt, lineMoments, lineQuantiles, type LineMixture } from './gaussian-line.ts';

/** Directions of the projections, unit vectors. */
const DIRECTIONS = 128;

/** Unit vectors, evenly distributed over the sphere; the same stream gives the same ones. */
export const directionsOf = (random: KeyedRandom, d: number, count = DIRECTIONS): readonly Float64Array[] => {
  const numbers = random.normal('directions', count * d);
  return Array.from({ length: count }, (_, i) => {
    const direction = Float64Array.from(numbers.subarray(i * d, (i + 1) * d));
    const norm = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    return direction.map((value) => value / norm);
  });
};

const dot = (a: ArrayLike<number>, b: ArrayLike<number>, from = 0): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[from + i] ?? 0);
  return sum;
};

/** The law of direction . x: a mixture on a line. */
const projectedLaw = (mixture: GaussianMixture, direction: Float64Array): LineMixture => {
  const { weights, means, covariance } = mixture;
  const d = direction.length;
  const varianceOf = (k: number): number => {
    if (covariance.kind === 'isotropic') return covariance.variances[k] ?? 0;
    if (covariance.kind === 'diagonal')
      return direction.reduce((sum, value, i) => sum + value * value * (covariance.variances[k * d + i] ?? 0), 0);
    const matrix = covarianceOf(mixture, k);
    return direction.reduce((sum, value, i) => sum + value * dot(direction, matrix, i * d), 0);
  };
  return {
    weights,
    means: weights.map((_, k) => dot(direction, means, k * d)),
    stds: weights.map((_, k) => Math.sqrt(Math.max(0, varianceOf(k)))),
  };
};

/** One projection of a law, cut into n parts of equal mass. */
type Slice = {
  readonly line: LineMixture;
  readonly quantiles: Float64Array;
  /** E[X; X <= quantile i]. */
  readonly moments: Float64Array;
  readonly mean: number;
  readonly square: number;
};

/** A law prepared for sets of n samples. */
export type SlicedLaw = {
  readonly n: number;
  readonly directions: readonly Float64Array[];
  readonly slices: readonly Slice[];
};

/** Cost: for each direction K d (K d^2 with full covariances) and some 5 K n evaluations of a normal. */
export const slicedLaw = (mixture: GaussianMixture, directions: readonly Float64Array[], n: number): SlicedLaw => ({
  n,
  directions,
  slices: directions.map((direction): Slice => {
    const line = projectedLaw(mixture, direction);
    const quantiles = lineQuantiles(line, n);
    return { line, quantiles, moments: quantiles.map((x) => lineAt(line, x).moment), ...lineMoments(line) };
  }),
});

/**
 * W1 and the square of W2 between n numbers and a law on a line. With sorted x_i and the law's quantiles Q(u)
 *
 *   W_p^p = sum_i integral over u from (i - 1) / n to i / n of | x_i - Q(u) |^p
 *
 * whose parts have a closed form: of a part, mass 1 / n and partial moments are known, and where x_i lies within it, it
 * is split there.
 */
const distances = (
  sorted: Float64Array,
  { line, quantiles, moments, mean, square }: Slice,
): readonly [number, number] => {
  const n = sorted.length;
  let [w1, cross, own] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const x = sorted[i] ?? 0;
    const [low, high] = [i === 0 ? -Infinity : (quantiles[i - 1] ?? 0), i === n - 1 ? Infinity : (quantiles[i] ?? 0)];
    const [before, after] = [i === 0 ? 0 : (moments[i - 1] ?? 0), i === n - 1 ? mean : (moments[i] ?? 0)];
    const part = after - before;
    own += x * x;
    cross += x * part;
    if (x <= low) w1 += part - x / n;
    else if (x >= high) w1 += x / n - part;
    else {
      const { cdf, moment } = lineAt(line, x);
      const below = Math.min(1 / n, Math.max(0, cdf - i / n));
      w1 += x * below - (moment - before) + (after - moment) - x * (1 / n - below);
    }
  }
  return [w1, Math.max(0, own / n - 2 * cross + square)];
};

/** Mean over the directions of W1, and the root of the mean over them of the square of W2. */
export type SlicedDistances = { readonly w1: number; readonly w2: number };

/** The distances of n samples from the law. Cost: n d a direction. */
export const slicedDistances = (
  samples: readonly ArrayLike<number>[],
  { n, directions, slices }: SlicedLaw,
): SlicedDistances => {
  if (samples.length !== n) throw new RangeError(`the law is prepared for ${n} samples, got ${samples.length}.`);
  let [w1, w2] = [0, 0];
  directions.forEach((direction, i) => {
    const slice = slices[i];
    if (slice === undefined) throw new RangeError('a direction has no slice of the law.');
    const sorted = Float64Array.from(samples, (sample) => dot(direction, sample)).sort();
    const [first, second] = distances(sorted, slice);
    w1 += first;
    w2 += second;
  });
  return { w1: w1 / directions.length, w2: Math.sqrt(w2 / directions.length) };
};
