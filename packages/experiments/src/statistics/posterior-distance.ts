/** How far a set of samples is from a known posterior, beside sliced Wasserstein distances. */
import { covarianceOf, type GaussianMixture, mixtureMean } from '@tweedie/core';
import type { GaussianDensity } from './mixture-density.ts';

type Samples = readonly ArrayLike<number>[];

const squaredDistance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum;
};

export const meanOfSamples = (samples: Samples): Float64Array => {
  const [first = []] = samples;
  const mean = new Float64Array(first.length);
  for (const sample of samples)
    for (let i = 0; i < mean.length; i++) mean[i] = (mean[i] ?? 0) + (sample[i] ?? 0) / samples.length;
  return mean;
};

/** What the moments of a posterior are compared with: made once for all sets of samples of a problem. */
export type KnownMoments = {
  readonly mean: Float64Array;
  readonly trace: number;
  /** || C ||_F^2 */
  readonly squaredNorm: number;
  /** v^T C v, C the covariance. */
  quadratic(v: ArrayLike<number>): number;
};

const withinQuadratic = (mixture: GaussianMixture, k: number, v: ArrayLike<number>): number => {
  const { covariance } = mixture;
  const d = v.length;
  let sum = 0;
  if (covariance.kind === 'isotropic' || covariance.kind === 'diagonal') {
    for (let i = 0; i < d; i++)
      sum += (covariance.variances[covariance.kind === 'isotropic' ? k : k * d + i] ?? 0) * (v[i] ?? 0) ** 2;
    return sum;
  }
  const matrix = covarianceOf(mixture, k);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) sum += (v[i] ?? 0) * (matrix[i * d + j] ?? 0) * (v[j] ?? 0);
  return sum;
};

/** The average covariance within components: its diagonal, and all of it where it is full. */
const averageWithin = (mixture: GaussianMixture, d: number): { diagonal: Float64Array; full?: Float64Array } => {
  const { weights, covariance } = mixture;
  const diagonal = new Float64Array(d);
  if (covariance.kind === 'isotropic' || covariance.kind === 'diagonal') {
    weights.forEach((weight, k) => {
      for (let i = 0; i < d; i++) {
        const own = covariance.variances[covariance.kind === 'isotropic' ? k : k * d + i] ?? 0;
        diagonal[i] = (diagonal[i] ?? 0) + weight * own;
      }
    });
    return { diagonal };
  }
  const full = new Float64Array(d * d);
  weights.forEach((weight, k) => {
    covarianceOf(mixture, k).forEach((value, i) => (full[i] = (full[i] ?? 0) + weight * value));
  });
  for (let i = 0; i < d; i++) diagonal[i] = full[i * d + i] ?? 0;
  return { diagonal, full };
};

/**
 * Moments of a mixture without a [d, d] matrix where covariances are diagonal: C = W + sum_k w_k e_k e_k^T, W the
 * average within components and e_k the offset of a mean from the mean of all.
 */
export const knownMoments = (mixture: GaussianMixture): KnownMoments => {
  const { weights, means } = mixture;
  const mean = mixtureMean(mixture);
  const d = mean.length;
  const offsets = Array.from(weights, (_, k) => mean.map((value, i) => (means[k * d + i] ?? 0) - value));
  const { diagonal, full } = averageWithin(mixture, d);
  const within = (v: Float64Array): Float64Array =>
    full === undefined
      ? v.map((value, i) => value * (diagonal[i] ?? 0))
      : v.map((_, i) => v.reduce((sum, value, j) => sum + value * (full[i * d + j] ?? 0), 0));
  const inner = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  let squaredNorm = (full ?? diagonal).reduce((sum, value) => sum + value * value, 0);
  let trace = diagonal.reduce((sum, value) => sum + value, 0);
  offsets.forEach((offset, k) => {
    const weight = weights[k] ?? 0;
    trace += weight * inner(offset, offset);
    squaredNorm += 2 * weight * inner(offset, within(offset));
    offsets.forEach((other, l) => (squaredNorm += weight * (weights[l] ?? 0) * inner(offset, other) ** 2));
  });
  const average: GaussianMixture = {
    weights: Float64Array.of(1),
    means: mean,
    covariance: full === undefined ? { kind: 'diagonal', variances: diagonal } : { kind: 'full', matrices: full },
  };
  return {
    mean,
    trace,
    squaredNorm,
    quadratic: (v) =>
      withinQuadratic(average, 0, v) +
      offsets.reduce((sum, offset, k) => {
        let product = 0;
        for (let i = 0; i < d; i++) product += (offset[i] ?? 0) * (v[i] ?? 0);
        return sum + (weights[k] ?? 0) * product * product;
      }, 0),
  };
};

export type MomentErrors = {
  /** || mean of the samples - m || / sqrt(tr C): sqrt(1 / n) for n exact draws. */
  readonly meanError: number;
  /** || S - C ||_F / || C ||_F, S the covariance of the samples with n - 1 in the denominator. */
  readonly covarianceError: number;
  /** tr S / tr C: below 1 the samples are too narrow. */
  readonly traceRatio: number;
};

/** Errors of mean and covariance. Cost: n^2 d and n quadratic forms, no matrix of the samples. */
export const momentErrors = (samples: Samples, known: KnownMoments): MomentErrors => {
  const n = samples.length;
  const center = meanOfSamples(samples);
  const offsets = samples.map((sample) => center.map((value, i) => (sample[i] ?? 0) - value));
  let [trace, own, cross] = [0, 0, 0];
  offsets.forEach((offset, a) => {
    cross += known.quadratic(offset) / (n - 1);
    for (let b = 0; b <= a; b++) {
      const other = offsets[b] ?? offset;
      let product = 0;
      for (let i = 0; i < offset.length; i++) product += (offset[i] ?? 0) * (other[i] ?? 0);
      if (a === b) trace += product / (n - 1);
      own += ((a === b ? 1 : 2) * product * product) / (n - 1) ** 2;
    }
  });
  return {
    meanError: Math.sqrt(squaredDistance(center, known.mean) / known.trace),
    covarianceError: Math.sqrt(Math.max(0, own - 2 * cross + known.squaredNorm) / known.squaredNorm),
    traceRatio: trace / known.trace,
  };
};

/**
 * Half the sum over the components of the posterior of | mean responsibility of the samples - weight |, which exact
 * draws have in expectation, overlapping or not: 0 is right, 1 is a set of samples in modes that do not count.
 */
export const modeWeightError = (samples: Samples, weights: Float64Array, density: GaussianDensity): number => {
  const found = new Float64Array(weights.length);
  for (const sample of samples)
    density.responsibilities(sample).forEach((value, k) => (found[k] = (found[k] ?? 0) + value / samples.length));
  return weights.reduce((sum, weight, k) => sum + Math.abs(weight - (found[k] ?? 0)), 0) / 2;
};

const meanDistance = (a: Samples, b: Samples): number => {
  let sum = 0;
  for (const x of a) for (const y of b) sum += Math.sqrt(squaredDistance(x, y));
  return sum / (a.length * b.length);
};

/** E || X - X' || of different members of a set. */
export const meanOwnDistance = (a: Samples): number => (meanDistance(a, a) * a.length) / (a.length - 1);

/**
 * The energy distance 2 E || X - Y || - E || X - X' || - E || Y - Y' || of Szekely and Rizzo 2013, without bias: 0 in
 * expectation for equal laws, and so sometimes below. `ownDistance` is that of `reference`.
 */
export const energyDistance = (samples: Samples, reference: Samples, ownDistance: number): number =>
  2 * meanDistance(samples, reference) - meanOwnDistance(samples) - ownDistance;

/**
 * Accuracy of a classifier between two sets of one size: the nearest other member's set (Lopez-Paz and Oquab 2017,
 * arXiv:1610.06545). 1/2 where nothing tells them apart; below it where members avoid their own.
 */
export const nearestNeighbourAccuracy = (a: Samples, b: Samples): number => {
  const all = [...a, ...b];
  const right = all.filter((own, i) => {
    let [nearest, least] = [-1, Infinity];
    all.forEach((other, j) => {
      if (i === j) return;
      const distance = squaredDistance(own, other);
      if (distance < least) [nearest, least] = [j, distance];
    });
    return i < a.length === nearest < a.length;
  });
  return right.length / all.length;
};
