import { type GaussianMixture, mixtureMoments, posteriorMixture } from '@tweedie/core';

/**
 * E[x0 | z] for z = x0 + sigma eps, in float64, one image at a time: what a denoiser in closed form must give. Full
 * covariances and those of low rank cost K d^3.
 */
export function mixtureMean(mixture: GaussianMixture, z: ArrayLike<number>, sigma: number): Float64Array {
  const { weights, means, covariance } = mixture;
  const d = means.length / weights.length;
  if (covariance.kind === 'full' || covariance.kind === 'low-rank') {
    const identity = Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0));
    return Float64Array.from(mixtureMoments(posteriorMixture(mixture, identity, Float64Array.from(z), sigma)).mean);
  }
  const varianceAt = (k: number, i: number): number =>
    covariance.variances[covariance.kind === 'isotropic' ? k : k * d + i] ?? NaN;
  const logs = Float64Array.from(weights, (weight, k) => {
    let log = Math.log(weight);
    for (let i = 0; i < d; i++) {
      const total = varianceAt(k, i) + sigma ** 2;
      log -= (((z[i] ?? NaN) - (means[k * d + i] ?? NaN)) ** 2 / total + Math.log(total)) / 2;
    }
    return log;
  });
  const most = logs.reduce((a, b) => Math.max(a, b));
  const shares = logs.map((log) => Math.exp(log - most));
  const sum = shares.reduce((a, b) => a + b, 0);
  return Float64Array.from({ length: d }, (_, i) =>
    shares.reduce((mean, share, k) => {
      const variance = varianceAt(k, i);
      return (
        mean +
        ((share / sum) * (variance * (z[i] ?? NaN) + sigma ** 2 * (means[k * d + i] ?? NaN))) / (variance + sigma ** 2)
      );
    }, 0),
  );
}
