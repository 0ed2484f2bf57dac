import { ConfigError } from './errors.ts';
import { cholesky, multiply, multiplyVector, solveLower, symmetricEigen, transpose } from './linalg.ts';
import type { GaussianMixture, KeyedRandom } from './types.ts';

/** Covariance of component k as a dense row-major [d, d] matrix. */
export function covarianceOf({ covariance, weights, means }: GaussianMixture, k: number): Float64Array {
  const d = means.length / weights.length;
  if (covariance.kind === 'full') return covariance.matrices.slice(k * d * d, (k + 1) * d * d);
  const matrix = new Float64Array(d * d);
  if (covariance.kind === 'low-rank') {
    const rank = rankOf(covariance, weights.length, d);
    const factors = covariance.factors.subarray(k * d * rank, (k + 1) * d * rank);
    for (let i = 0; i < d; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = i === j ? (covariance.variances[k] ?? 0) : 0;
        for (let l = 0; l < rank; l++) sum += (factors[i * rank + l] ?? 0) * (factors[j * rank + l] ?? 0);
        matrix[i * d + j] = sum;
        matrix[j * d + i] = sum;
      }
    }
    return matrix;
  }
  for (let i = 0; i < d; i++)
    matrix[i * d + i] = covariance.variances[covariance.kind === 'isotropic' ? k : k * d + i] ?? 0;
  return matrix;
}

/** The number of columns r of a low-rank covariance of `count` components with `d` entries. */
export const rankOf = ({ factors }: { readonly factors: Float64Array }, count: number, d: number): number =>
  factors.length / (count * d);

/** C_k A^T [d, m]: of low rank without C_k, in 2 m d r multiply-adds instead of m d^2. */
function crossCovariance(prior: GaussianMixture, k: number, transposed: Float64Array, m: number): Float64Array {
  const { covariance, weights, means } = prior;
  const count = weights.length;
  const d = means.length / count;
  if (covariance.kind !== 'low-rank') return multiply(covarianceOf(prior, k), transposed, d, d, m);
  const rank = rankOf(covariance, count, d);
  const factors = covariance.factors.slice(k * d * rank, (k + 1) * d * rank);
  const inner = multiply(transpose(factors, d, rank), transposed, rank, d, m);
  const variance = covariance.variances[k] ?? 0;
  return multiply(factors, inner, d, rank, m).map((value, i) => value + variance * (transposed[i] ?? 0));
}

/** How y = A x0 + sigmaY noise sees one component: its mean, C A^T, the factor of G and the residual whitened by it. */
type Seen = {
  readonly mean: Float64Array;
  readonly cross: Float64Array;
  readonly lower: Float64Array;
  readonly whitened: Float64Array;
  /** ln w_k N(y; A m_k, G_k), less what all components share. */
  readonly logWeight: number;
};

/** Throws ConfigError, on a call for a component, where its G has no Cholesky factor. */
function seenBy(prior: GaussianMixture, a: Float64Array, y: Float64Array, sigmaY: number): (component: number) => Seen {
  const d = prior.means.length / prior.weights.length;
  const m = y.length;
  const transposed = transpose(a, m, d);
  return (k) => {
    const mean = Float64Array.from(prior.means.subarray(k * d, (k + 1) * d));
    const cross = crossCovariance(prior, k, transposed, m);
    const gram = multiply(a, cross, m, d, m);
    for (let i = 0; i < m; i++) gram[i * m + i] = (gram[i * m + i] ?? 0) + sigmaY * sigmaY;
    const lower = cholesky(gram, m);
    if (lower === undefined)
      throw new ConfigError(
        'exact posterior',
        `A C A^T + sigmaY^2 I is singular for component ${k}: sigmaY ${sigmaY} is too small for this operator.`,
        'Give a larger sigmaY.',
      );
    const predicted = multiplyVector(a, mean, m);
    const whitened = solveLower(
      lower,
      y.map((value, i) => value - (predicted[i] ?? 0)),
    );
    let logDeterminant = 0;
    for (let i = 0; i < m; i++) logDeterminant += 2 * Math.log(lower[i * m + i] ?? 1);
    const logWeight = Math.log(prior.weights[k] ?? 0) - (dot(whitened, whitened) + logDeterminant) / 2;
    return { mean, cross, lower, whitened, logWeight };
  };
}

/**
 * The weights w'_k of the components in p(x0 | y), as `posteriorMixture` has them, without means and covariances.
 * Cost: K (m^3/3 + m d^2 + m^2 d) operations, with covariances of rank r 2 m d r in place of m d^2.
 */
export function posteriorWeights(
  prior: GaussianMixture,
  a: Float64Array,
  y: Float64Array,
  sigmaY: number,
): Float64Array {
  const seen = seenBy(prior, a, y, sigmaY);
  return softmax(prior.weights.map((_, k) => seen(k).logWeight));
}

/**
 * p(x0 | y) for a mixture prior and y = A x0 + sigmaY noise with any matrix A [m, d]: again a mixture (float64),
 *   G_k = A C_k A^T + sigmaY^2 I,   C'_k = C_k - C_k A^T G_k^-1 A C_k,   m'_k = m_k + C_k A^T G_k^-1 (y - A m_k),
 *   w'_k proportional to w_k N(y; A m_k, G_k).
 * Components whose weight w'_k is below `least` times the largest are left out before their covariances are formed;
 * `components` says which of the prior's stay.
 * Cost: K (m^3/3 + 2 m d^2) operations; with `least` that for the components that stay, and `posteriorWeights` for all.
 * docs/methods.md 3.5 integrates the same Gaussians one noise level at a time.
 */
export function posteriorMixture(
  prior: GaussianMixture,
  a: Float64Array,
  y: Float64Array,
  sigmaY: number,
  least = 0,
): GaussianMixture & { readonly components: Int32Array } {
  const count = prior.weights.length;
  const d = prior.means.length / count;
  const m = y.length;
  const seen = seenBy(prior, a, y, sigmaY);
  const all = Array.from({ length: count }, (_, k) => k);
  const kept = least > 0 ? heaviest(posteriorWeights(prior, a, y, sigmaY), least) : all;
  const means = new Float64Array(kept.length * d);
  const matrices = new Float64Array(kept.length * d * d);
  const logWeights = Float64Array.from(kept, (k, place) => {
    const { mean, cross, lower, whitened, logWeight } = seen(k);
    const covariance = covarianceOf(prior, k);
    // Columns of L^-1 A C: gain and covariance both come from them.
    const rows = Array.from({ length: d }, (_, j) => solveLower(lower, cross.slice(j * m, (j + 1) * m)));
    rows.forEach((row, j) => {
      means[place * d + j] = (mean[j] ?? 0) + dot(row, whitened);
      for (let i = 0; i <= j; i++) {
        const value = (covariance[j * d + i] ?? 0) - dot(row, rows[i] ?? row);
        matrices[place * d * d + j * d + i] = value;
        matrices[place * d * d + i * d + j] = value;
      }
    });
    return logWeight;
  });
  return {
    weights: softmax(logWeights),
    means,
    covariance: { kind: 'full', matrices },
    components: Int32Array.from(kept),
  };
}

/** Mean [d] of a mixture. */
export function mixtureMean({ weights, means }: GaussianMixture): Float64Array {
  const d = means.length / weights.length;
  const mean = new Float64Array(d);
  weights.forEach((weight, k) => {
    for (let i = 0; i < d; i++) mean[i] = (mean[i] ?? 0) + weight * (means[k * d + i] ?? 0);
  });
  return mean;
}

/** The components with at least `share` of the largest weight. */
function heaviest(weights: Float64Array, share: number): readonly number[] {
  const most = weights.reduce((a, b) => Math.max(a, b), 0);
  return [...weights.keys()].filter((k) => (weights[k] ?? 0) >= share * most);
}

/** How many components of a mixture are alive: 1 / sum_k w_k^2, from 1, where one has all the weight, to K. */
export const effectiveComponents = ({ weights }: Pick<GaussianMixture, 'weights'>): number =>
  1 / weights.reduce((sum, weight) => sum + weight ** 2, 0);

/** Mean [d] and covariance [d, d] of a mixture. */
export function mixtureMoments(mixture: GaussianMixture): { mean: Float64Array; covariance: Float64Array } {
  const { weights, means } = mixture;
  const d = means.length / weights.length;
  const mean = new Float64Array(d);
  const second = new Float64Array(d * d);
  weights.forEach((weight, k) => {
    const covariance = covarianceOf(mixture, k);
    for (let i = 0; i < d; i++) {
      mean[i] = (mean[i] ?? 0) + weight * (means[k * d + i] ?? 0);
      for (let j = 0; j < d; j++) {
        second[i * d + j] =
          (second[i * d + j] ?? 0) +
          weight * ((covariance[i * d + j] ?? 0) + (means[k * d + i] ?? 0) * (means[k * d + j] ?? 0));
      }
    }
  });
  return {
    mean,
    covariance: second.map((value, index) => value - (mean[Math.floor(index / d)] ?? 0) * (mean[index % d] ?? 0)),
  };
}

/** One draw of x0 [d], a function of the stream alone, and the component it came from. */
export function drawFromMixture(
  mixture: GaussianMixture,
  random: KeyedRandom,
): { x0: Float32Array; component: number } {
  const { weights, means, covariance } = mixture;
  const d = means.length / weights.length;
  const [u = 0] = random.uniform('component', 1);
  let component = 0;
  for (let sum = weights[0] ?? 1; sum < u && component < weights.length - 1; sum += weights[component] ?? 0)
    component++;
  const noise = random.normal('x0', d);
  const x0 = new Float32Array(d);
  if (covariance.kind === 'full') {
    const { values, vectors } = symmetricEigen(covarianceOf(mixture, component), d);
    const scaled = values.map((value, j) => Math.sqrt(Math.max(0, value)) * (noise[j] ?? 0));
    multiplyVector(vectors, scaled, d).forEach((value, i) => (x0[i] = (means[component * d + i] ?? 0) + value));
  } else if (covariance.kind === 'low-rank') {
    const rank = rankOf(covariance, weights.length, d);
    const factors = covariance.factors.subarray(component * d * rank, (component + 1) * d * rank);
    const std = Math.sqrt(covariance.variances[component] ?? 0);
    const inner = multiplyVector(factors, Float64Array.from(random.normal('factors', rank)), d);
    for (let i = 0; i < d; i++) x0[i] = (means[component * d + i] ?? 0) + (inner[i] ?? 0) + std * (noise[i] ?? 0);
  } else {
    for (let i = 0; i < d; i++) {
      const variance = covariance.variances[covariance.kind === 'isotropic' ? component : component * d + i] ?? 0;
      x0[i] = (means[component * d + i] ?? 0) + Math.sqrt(variance) * (noise[i] ?? 0);
    }
  }
  return { x0, component };
}

/** exp(logits) scaled to the sum 1, without overflow. */
export function softmax(logits: Float64Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const exponentials = logits.map((logit) => Math.exp(logit - top));
  const sum = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((value) => value / sum);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
