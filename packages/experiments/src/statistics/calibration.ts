/** What posterior samples say of the image that was measured: ranks, coverage, scores of an ensemble. */
import { normalQuantile } from '@tweedie/core';
import { kolmogorovSmirnov } from './kolmogorov.ts';
import { meanOfSamples } from './posterior-distance.ts';

type Samples = readonly ArrayLike<number>[];

const squaredDistance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum;
};

/** How many of the values are below another one. */
const rankOf = (value: number, values: readonly number[]): number => values.filter((each) => each < value).length;

/**
 * A rank among n values as a number in (0, 1), (rank + 1/2) / (n + 1): of a truth that is one of them in law, it is
 * uniform, and below a level as often as the level says, to 1 / (2 n + 2).
 */
export const rankShare = (rank: number, n: number): number => (rank + 0.5) / (n + 1);

/**
 * How many samples are more probable than the truth under the posterior: those of a region of highest density around
 * which the truth lies on the edge. `logDensity` is of the posterior; all samples count alike.
 */
export const hpdRank = (
  truth: ArrayLike<number>,
  samples: Samples,
  logDensity: (x: ArrayLike<number>) => number,
): number =>
  rankOf(
    -logDensity(truth),
    samples.map((sample) => -logDensity(sample)),
  );

/**
 * How many samples are closer to a point than the truth is: the test of accuracy with random points of Lemos et al.
 * 2023, arXiv:2302.03026.
 */
export const tarpRank = (truth: ArrayLike<number>, samples: Samples, point: ArrayLike<number>): number =>
  rankOf(
    squaredDistance(truth, point),
    samples.map((sample) => squaredDistance(sample, point)),
  );

/** The rank of the truth along a direction: simulation-based calibration of Talts et al. 2018, arXiv:1804.06788. */
export const sbcRank = (truth: ArrayLike<number>, samples: Samples, direction: ArrayLike<number>): number => {
  const along = (x: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < direction.length; i++) sum += (direction[i] ?? 0) * (x[i] ?? 0);
    return sum;
  };
  return rankOf(along(truth), samples.map(along));
};

/** Two-sided p of the Kolmogorov-Smirnov test that shares of ranks are uniform on (0, 1). */
export const uniformP = (shares: readonly number[]): number =>
  kolmogorovSmirnov(shares.map(normalQuantile), 0, 1).pExact;

/** 10 log10(|| mean of the samples - truth ||^2 / || posterior mean - truth ||^2), dB. */
export const mmseGap = (truth: ArrayLike<number>, samples: Samples, mean: ArrayLike<number>): number =>
  10 * Math.log10(squaredDistance(meanOfSamples(samples), truth) / squaredDistance(mean, truth));

/**
 * The continuous ranked probability score E | X - t | - E | X - X' | / 2, the mean over all entries, without bias from
 * the number of samples: least in expectation for the posterior.
 */
export const crps = (truth: ArrayLike<number>, samples: Samples): number => {
  const n = samples.length;
  let sum = 0;
  for (let i = 0; i < truth.length; i++) {
    const sorted = Float64Array.from(samples, (sample) => sample[i] ?? 0).sort();
    let [error, pairs] = [0, 0];
    sorted.forEach((value, k) => {
      error += Math.abs(value - (truth[i] ?? 0));
      pairs += (2 * k - n + 1) * value;
    });
    sum += error / n - pairs / (n * (n - 1));
  }
  return sum / truth.length;
};

/**
 * Root of the variance of the samples, times 1 + 1 / n, over the squared error of their mean: 1 where spread and error
 * agree, below it where samples are too sure.
 */
export const spreadSkill = (truth: ArrayLike<number>, samples: Samples): number => {
  const n = samples.length;
  const mean = meanOfSamples(samples);
  const variance = samples.reduce((sum, sample) => sum + squaredDistance(sample, mean), 0) / (n - 1);
  return Math.sqrt(((1 + 1 / n) * variance) / squaredDistance(mean, truth));
};
