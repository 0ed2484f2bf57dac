/** Densities and responsibilities of a Gaussian mixture at single points, in float64. */
import { cholesky, covarianceOf, type GaussianMixture } from '@tweedie/core';

export type GaussianDensity = {
  /** ln p(x) up to a constant of the mixture's dimension. */
  logDensity(x: ArrayLike<number>): number;
  /** p(component | x). */
  responsibilities(x: ArrayLike<number>): Float64Array;
  /** The component of the largest responsibility. */
  nearest(x: ArrayLike<number>): number;
};

/**
 * The density of a mixture; undefined where a covariance is singular, so that it has none. Cost: d^3 / 3 for each
 * component with full covariances and K d^2 / 2 a point, else K d; `nearest` stops early with a component that has
 * fallen behind.
 */
export const gaussianDensity = (mixture: GaussianMixture): GaussianDensity | undefined => {
  const { weights, means, covariance } = mixture;
  const count = weights.length;
  const d = means.length / count;
  const offsets = new Float64Array(count);
  const factors: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    let logDeterminant = 0;
    if (covariance.kind === 'isotropic' || covariance.kind === 'diagonal') {
      for (let i = 0; i < d; i++)
        logDeterminant += Math.log(covariance.variances[covariance.kind === 'isotropic' ? k : k * d + i] ?? 0);
    } else {
      const lower = cholesky(covarianceOf(mixture, k), d);
      if (lower === undefined) return undefined;
      factors.push(lower);
      for (let i = 0; i < d; i++) logDeterminant += 2 * Math.log(lower[i * d + i] ?? 0);
    }
    if (!Number.isFinite(logDeterminant)) return undefined;
    offsets[k] = Math.log(weights[k] ?? 0) - logDeterminant / 2;
  }

  const whitened = new Float64Array(d);
  /** ln of weight times density of component k, or -Infinity as soon as it is below `least`. */
  const scoreOf = (x: ArrayLike<number>, k: number, least: number): number => {
    let score = offsets[k] ?? 0;
    const factor = factors[k];
    for (let i = 0; i < d; i++) {
      let value = (x[i] ?? 0) - (means[k * d + i] ?? 0);
      if (factor !== undefined) {
        for (let j = 0; j < i; j++) value -= (factor[i * d + j] ?? 0) * (whitened[j] ?? 0);
        value /= factor[i * d + i] ?? 1;
        whitened[i] = value;
        score -= (value * value) / 2;
      } else if (covariance.kind === 'isotropic' || covariance.kind === 'diagonal') {
        const variance = covariance.variances[covariance.kind === 'isotropic' ? k : k * d + i] ?? 1;
        score -= (value * value) / (2 * variance);
      }
      if (score < least) return -Infinity;
    }
    return score;
  };
  const scores = (x: ArrayLike<number>): Float64Array => offsets.map((_, k) => scoreOf(x, k, -Infinity));
  return {
    logDensity(x) {
      const all = scores(x);
      const top = all.reduce((most, score) => Math.max(most, score), -Infinity);
      return top + Math.log(all.reduce((sum, score) => sum + Math.exp(score - top), 0));
    },
    responsibilities(x) {
      const all = scores(x);
      const top = all.reduce((most, score) => Math.max(most, score), -Infinity);
      const shares = all.map((score) => Math.exp(score - top));
      const sum = shares.reduce((a, b) => a + b, 0);
      return shares.map((share) => share / sum);
    },
    nearest(x) {
      let [best, most] = [0, -Infinity];
      for (let k = 0; k < count; k++) {
        const score = scoreOf(x, k, most);
        if (score > most) [best, most] = [k, score];
      }
      return best;
    },
  };
};
