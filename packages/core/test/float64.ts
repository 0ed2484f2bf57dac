/** Gaussian mixtures in float64, written out: what the tests of closed forms compare with. */
import { covarianceOf, type GaussianMixture, keyedRandom } from '@tweedie/core';
import { cholesky, solveLower } from '../src/linalg.ts';

/** A seeded mixture over d entries. */
export function randomMixture(
  kind: 'isotropic' | 'shared' | 'diagonal' | 'full',
  count: number,
  d: number,
): GaussianMixture {
  const random = keyedRandom(`mixture ${kind}`);
  const raw = random.uniform('weights', count).map((u) => 0.3 + u);
  const weights = raw.map((w) => w / raw.reduce((a, b) => a + b, 0));
  const means = Float64Array.from(random.normal('means', count * d));
  const variance = (name: string, length: number) => random.uniform(name, length).map((u) => 0.05 + 0.3 * u);
  switch (kind) {
    case 'isotropic':
      return { weights, means, covariance: { kind, variances: variance('variances', count) } };
    case 'shared':
      return { weights, means, covariance: { kind: 'isotropic', variances: new Float64Array(count).fill(0.2) } };
    case 'diagonal':
      return { weights, means, covariance: { kind, variances: variance('variances', count * d) } };
    case 'full': {
      const matrices = new Float64Array(count * d * d);
      const factor = random.normal('factors', count * d * d);
      for (let k = 0; k < count; k++) {
        for (let i = 0; i < d; i++) {
          for (let j = 0; j < d; j++) {
            let sum = i === j ? 0.1 : 0;
            for (let l = 0; l < d; l++) sum += 0.2 * factor[(k * d + i) * d + l]! * factor[(k * d + j) * d + l]!;
            matrices[(k * d + i) * d + j] = sum;
          }
        }
      }
      return { weights, means, covariance: { kind, matrices } };
    }
  }
}

/** ln sum_k w_k N(x; m_k, C_k) and its gradient, for full matrices given as a list. */
function mixtureDensity(
  weights: ArrayLike<number>,
  means: readonly Float64Array[],
  covariances: readonly Float64Array[],
  x: Float64Array,
) {
  const d = x.length;
  const parts = means.map((mean, k) => {
    const lower = cholesky(covariances[k]!, d)!;
    const white = solveLower(
      lower,
      x.map((value, i) => value - mean[i]!),
    );
    let log = Math.log(weights[k]!) - (d / 2) * Math.log(2 * Math.PI);
    for (let i = 0; i < d; i++) log -= white[i]! ** 2 / 2 + Math.log(lower[i * d + i]!);
    // C^-1 (x - m) = L^-T white.
    const pull = white.slice();
    for (let i = d - 1; i >= 0; i--) {
      for (let j = i + 1; j < d; j++) pull[i]! -= lower[j * d + i]! * pull[j]!;
      pull[i]! /= lower[i * d + i]!;
    }
    return { log, pull };
  });
  const top = Math.max(...parts.map(({ log }) => log));
  const shares = parts.map(({ log }) => Math.exp(log - top));
  const total = shares.reduce((a, b) => a + b, 0);
  const score = new Float64Array(d);
  parts.forEach(({ pull }, k) => pull.forEach((value, i) => (score[i]! -= (shares[k]! / total) * value)));
  return { log: top + Math.log(total), score };
}

/** p_S: the prior convolved with N(0, S). */
export function noisedDensity(prior: GaussianMixture, noise: Float64Array, x: Float64Array) {
  const d = x.length;
  const means = Array.from(prior.weights, (_, k) => Float64Array.from(prior.means.slice(k * d, (k + 1) * d)));
  const covariances = means.map((_, k) => covarianceOf(prior, k).map((value, i) => value + noise[i]!));
  return mixtureDensity(prior.weights, means, covariances, x);
}

/**
 * ln p(z, y) for z = x0 + sigma n and y = A x0 + sigmaY n', A [m, d]: one Gaussian per component in d + m dimensions.
 */
export function jointLogDensity(
  prior: GaussianMixture,
  a: Float64Array,
  sigma: number,
  sigmaY: number,
  z: Float64Array,
  y: Float64Array,
): number {
  const d = z.length;
  const m = y.length;
  const n = d + m;
  // Rows of [I; A].
  const row = (i: number) =>
    Float64Array.from({ length: d }, (_, j) => (i < d ? Number(i === j) : a[(i - d) * d + j]!));
  const rows = Array.from({ length: n }, (_, i) => row(i));
  const means = Array.from(prior.weights, (_, k) =>
    Float64Array.from(rows, (r) => r.reduce((sum, value, j) => sum + value * prior.means[k * d + j]!, 0)),
  );
  const covariances = means.map((_, k) => {
    const c = covarianceOf(prior, k);
    const half = rows.map((r) =>
      Float64Array.from({ length: d }, (_, j) => r.reduce((sum, value, i) => sum + value * c[i * d + j]!, 0)),
    );
    return Float64Array.from({ length: n * n }, (_, index) => {
      const [i, j] = [Math.floor(index / n), index % n];
      const noise = i !== j ? 0 : i < d ? sigma ** 2 : sigmaY ** 2;
      return half[i]!.reduce((sum, value, l) => sum + value * rows[j]![l]!, noise);
    });
  });
  return mixtureDensity(prior.weights, means, covariances, Float64Array.from([...z, ...y])).log;
}

/** Central differences of fourth order. */
export function numericalGradient(f: (x: Float64Array) => number, x: Float64Array, h = 2e-3): Float64Array {
  const at = (i: number, shift: number) => f(x.map((value, j) => (j === i ? value + shift : value)));
  return x.map((_, i) => (8 * (at(i, h) - at(i, -h)) - (at(i, 2 * h) - at(i, -2 * h))) / (12 * h));
}

export const relativeError = (got: ArrayLike<number>, expected: ArrayLike<number>): number => {
  const wanted = Array.from(expected);
  return Math.hypot(...wanted.map((value, i) => got[i]! - value)) / Math.hypot(...wanted);
};
