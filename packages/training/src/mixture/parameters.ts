import { type GaussianMixture, symmetricEigen } from '@tweedie/core';

/** Covariances of a fit: full, or of a rank plus the same variance in all other directions. */
export type CovarianceShape = 'full' | { readonly rank: number };

/**
 * A mixture as EM has it, every covariance along its own axes: C_k = Q_k diag(spectrum_k - rest_k) Q_k^T + rest_k I
 * with r orthonormal columns in Q_k. Full covariances have r = d, and their rest counts for nothing.
 */
export type Parameters = {
  readonly weights: Float64Array; // [K]
  readonly means: Float64Array; // [K, d]
  /** Column j of component k belongs to spectrum [k, j]; [K, d, r] */
  readonly bases: Float64Array;
  readonly spectra: Float64Array; // [K, r], descending
  readonly rests: Float64Array; // [K]
  readonly size: number; // d
  readonly rank: number; // r
};

/** Sums over patches by component: counts [K], means [K, d] and covariances [K] of [d, d]. */
export type Moments = {
  readonly counts: Float64Array;
  readonly means: Float64Array;
  readonly covariances: readonly Float64Array[];
};

/**
 * The parameters of most likelihood for these moments, among mixtures whose covariances have no eigenvalue below
 * floor^2: for full ones eigenvalues below it are raised to it; of a rank, the r largest are kept and the others
 * replaced by their mean (Tipping and Bishop 1999, "Mixtures of probabilistic principal component analysers", Appendix
 * C). Neither can lower the likelihood of EM. Cost: K times 10 d^3.
 */
export function mostLikely({ counts, means, covariances }: Moments, shape: CovarianceShape, floor: number): Parameters {
  const count = counts.length;
  const size = means.length / count;
  const rank = shape === 'full' ? size : shape.rank;
  const bases = new Float64Array(count * size * rank);
  const spectra = new Float64Array(count * rank);
  const rests = new Float64Array(count);
  const total = counts.reduce((sum, value) => sum + value, 0);
  for (const [k, covariance] of covariances.entries()) {
    const { values, vectors } = symmetricEigen(covariance, size);
    const order = Array.from(values.keys()).sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0));
    const descending = order.map((j) => Math.max(floor ** 2, values[j] ?? 0));
    for (let j = 0; j < rank; j++) {
      spectra[k * rank + j] = descending[j] ?? 0;
      for (let i = 0; i < size; i++) bases[(k * size + i) * rank + j] = vectors[i * size + (order[j] ?? 0)] ?? 0;
    }
    const tail = descending.slice(rank);
    rests[k] = tail.length === 0 ? floor ** 2 : tail.reduce((sum, value) => sum + value, 0) / tail.length;
  }
  return { weights: counts.map((value) => value / total), means, bases, spectra, rests, size, rank };
}

/** The mixture in the form that models take. */
export function mixtureOf({ weights, means, bases, spectra, rests, size, rank }: Parameters): GaussianMixture {
  const count = weights.length;
  if (rank < size) {
    const factors = bases.map((value, index) => {
      const k = Math.floor(index / (size * rank));
      return value * Math.sqrt(Math.max(0, (spectra[k * rank + (index % rank)] ?? 0) - (rests[k] ?? 0)));
    });
    return { weights, means, covariance: { kind: 'low-rank', factors, variances: rests } };
  }
  const matrices = new Float64Array(count * size * size);
  for (let k = 0; k < count; k++) {
    const from = k * size * size;
    for (let i = 0; i < size; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let l = 0; l < size; l++)
          sum += (bases[from + i * size + l] ?? 0) * (spectra[k * size + l] ?? 0) * (bases[from + j * size + l] ?? 0);
        matrices[from + i * size + j] = sum;
        matrices[from + j * size + i] = sum;
      }
    }
  }
  return { weights, means, covariance: { kind: 'full', matrices } };
}
