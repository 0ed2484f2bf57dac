/**
 * Statistics of scores in float64. Pure functions of plain arrays. Paired functions take the scores of two methods on
 * the same problems and speak of the difference a - b. All tests are two-sided.
 */
import type { KeyedRandom } from '@tweedie/core';
import { incompleteBeta, logBinomial, studentCritical, studentTwoSided } from './special.ts';

export type Interval = readonly [low: number, high: number];
export type Summary = {
  readonly n: number;
  readonly mean: number;
  /** Standard deviation with n - 1 in the denominator; NaN for n < 2. */
  readonly std: number;
  readonly standardError: number;
  /** 1.96 standard errors. */
  readonly halfWidth95: number;
  readonly ci95: Interval;
};

/** Standard errors on each side of the mean in a 95 % interval, as the papers have it. */
const NORMAL_95 = 1.96;

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const summarise = (values: readonly number[]): Summary => {
  const n = values.length;
  const center = mean(values);
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (n - 1));
  const standardError = std / Math.sqrt(n);
  const halfWidth95 = NORMAL_95 * standardError;
  return { n, mean: center, std, standardError, halfWidth95, ci95: [center - halfWidth95, center + halfWidth95] };
};

/** The interval of the mean from Student's t. */
export const tInterval = (values: readonly number[], level = 0.95): Interval => {
  const { n, mean: center, standardError } = summarise(values);
  const half = studentCritical(1 - level, n - 1) * standardError;
  return [center - half, center + half];
};

/** a - b, entry by entry. */
export const differences = (a: readonly number[], b: readonly number[]): number[] => {
  if (a.length !== b.length) throw new RangeError(`paired scores need equal lengths, got ${a.length} and ${b.length}.`);
  return a.map((value, i) => value - (b[i] ?? NaN));
};

export const pairedDifference = (a: readonly number[], b: readonly number[]): Summary => summarise(differences(a, b));

export const pairedTTest = (a: readonly number[], b: readonly number[]): { t: number; df: number; p: number } => {
  const { n, mean: center, standardError } = pairedDifference(a, b);
  const t = center / standardError;
  return { t, df: n - 1, p: studentTwoSided(t, n - 1) };
};

/** Standardised mean of the differences. */
export const cohensD = (a: readonly number[], b: readonly number[]): number => {
  const { mean: center, std } = pairedDifference(a, b);
  return center / std;
};

type Wins = { readonly aGreater: number; readonly equal: number; readonly bGreater: number };
export const wins = (a: readonly number[], b: readonly number[]): Wins => {
  const d = differences(a, b);
  return {
    aGreater: d.filter((x) => x > 0).length,
    equal: d.filter((x) => x === 0).length,
    bGreater: d.filter((x) => x < 0).length,
  };
};

/** Exact binomial test of the signs; equal pairs are dropped. */
export const signTest = (a: readonly number[], b: readonly number[]): number => {
  const { aGreater, bGreater } = wins(a, b);
  const n = aGreater + bGreater;
  let tail = 0;
  for (let k = 0; k <= Math.min(aGreater, bGreater); k++) tail += Math.exp(logBinomial(n, k) - n * Math.LN2);
  return Math.min(1, 2 * tail);
};

export const pearson = (a: readonly number[], b: readonly number[]): { r: number; p: number } => {
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  a.forEach((value, i) => {
    const [da, db] = [value - meanA, (b[i] ?? NaN) - meanB];
    ab += da * db;
    aa += da * da;
    bb += db * db;
  });
  const r = Math.max(-1, Math.min(1, ab / (Math.sqrt(aa) * Math.sqrt(bb))));
  return { r, p: incompleteBeta((1 - r) * (1 + r), (a.length - 2) / 2, 0.5, r * r) };
};

/** Family-wise error by Holm's step-down: adjusted p values in the order given. */
export const holm = (p: readonly number[]): number[] => {
  const order = p.map((value, index) => ({ value, index })).sort((x, y) => x.value - y.value);
  const adjusted = new Array<number>(p.length);
  let floor = 0;
  order.forEach(({ value, index }, rank) => {
    floor = Math.max(floor, Math.min(1, (p.length - rank) * value));
    adjusted[index] = floor;
  });
  return adjusted;
};

export const bonferroni = (p: readonly number[]): number[] => p.map((value) => Math.min(1, value * p.length));

/** The quantile with linear interpolation between order statistics; `sorted` ascends. */
const quantile = (sorted: readonly number[] | Float64Array, q: number): number => {
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? NaN;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? NaN;
  return low + (position - below) * (high - low);
};

/** Percentile interval of the mean over given resamples: each is a list of indices into `values`. */
export const resampledInterval = (
  values: readonly number[],
  resamples: Iterable<ArrayLike<number>>,
  level = 0.95,
): Interval => {
  const means: number[] = [];
  for (const indices of resamples) {
    let sum = 0;
    for (let i = 0; i < indices.length; i++) sum += values[indices[i] ?? 0] ?? NaN;
    means.push(sum / indices.length);
  }
  const sorted = Float64Array.from(means).sort();
  return [quantile(sorted, (1 - level) / 2), quantile(sorted, (1 + level) / 2)];
};

/** Percentile bootstrap interval of the mean; the same `random` gives the same interval. */
export const bootstrapInterval = (
  values: readonly number[],
  random: KeyedRandom,
  resamples = 10_000,
  level = 0.95,
): Interval => {
  const n = values.length;
  const uniform = random.uniform('bootstrap', resamples * n);
  const draws = Array.from({ length: resamples }, (_, r) =>
    uniform.subarray(r * n, (r + 1) * n).map((u) => Math.min(n - 1, Math.floor(u * n))),
  );
  return resampledInterval(values, draws, level);
};

/**
 * Necessary condition of a posterior sampler (docs/methods.md 6.4): the sum over problems of the squared error of one
 * sample over that of the mean of K others.
 * Exact posterior samples give 2K / (K + 1) in expectation. The ratio is of sums, not a mean of ratios.
 */
export const mseRatio = (mse: readonly number[], mmse: readonly number[]): number => mean(mse) / mean(mmse);
