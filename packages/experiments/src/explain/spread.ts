import {
  disposeTree,
  mixtureMoments,
  posteriorMixture,
  softmax,
  stackTrees,
  tf,
  unitImages,
  type GaussianMixture,
  type Operator,
  type Problem,
  type ScoreModel,
  type TensorTree,
} from '@tweedie/core';
import { dot, plus } from './vectors.ts';

/** Multiplications that the dense posterior may take; above that it is left out. */
const DENSE_LIMIT = 2e10;

/** Trace of a sample covariance (n - 1): the summed variance of all entries over the samples. */
export const sampleTrace = (samples: readonly Float64Array[]): number => {
  const [first = new Float64Array(0)] = samples;
  const mean = samples
    .reduce((sum, sample) => plus(sum, sample), new Float64Array(first.length))
    .map((value) => value / samples.length);
  return (
    samples.reduce((sum, sample) => {
      const offset = plus(sample, mean, -1);
      return sum + dot(offset, offset);
    }, 0) /
    (samples.length - 1)
  );
};

/** Trace of the covariance of p(x0 | y), of a prior in closed form and a linear operator; or why it is not known. */
export const posteriorTrace = (
  { mixture, imageShape }: ScoreModel,
  operator: Operator,
  { y, drawn, sigmaY }: Problem,
): number | string => {
  const prior = mixture?.();
  if (prior === undefined) return 'the prior has no closed form';
  if (!operator.linear) return 'the operator is not linear';
  if (sigmaY === 0) return 'sigmaY is 0';
  const batch = stackTrees([drawn]);
  try {
    return tf.tidy(
      () =>
        spectralTrace(prior, operator, imageShape, y, batch, sigmaY) ??
        denseTrace(prior, operator, imageShape, y, batch, sigmaY),
    );
  } finally {
    disposeTree(batch);
  }
};

type Shape = readonly [number, number, number];

/**
 * In the basis V of A = U diag(q) V^T, where covariances are diagonal with entries s: component k keeps s sigmaY^2 /
 * (q^2 s + sigmaY^2) of each, and
 *   trace = sum_k w'_k (sum_i variance_ki + | m'_k - mean |^2).
 * Undefined where V would mix unequal variances.
 */
const spectralTrace = (
  { weights, means, covariance }: GaussianMixture,
  operator: Operator,
  imageShape: Shape,
  y: Problem['y'],
  drawn: TensorTree,
  sigmaY: number,
): number | undefined => {
  const form = operator.svd?.(drawn);
  if (
    form === undefined ||
    covariance.kind === 'full' ||
    covariance.kind === 'low-rank' ||
    (covariance.kind === 'diagonal' && form.basis !== 'pixels')
  )
    return undefined;
  const { variances, kind } = covariance;
  const count = weights.length;
  const d = means.length / count;
  const rotate = (row: Float64Array | Float32Array): Float64Array =>
    Float64Array.from(form.toSpectral(tf.tensor4d(Float32Array.from(row), [1, ...imageShape])).dataSync());
  const q = Float64Array.from(form.singularValues.dataSync());
  const measured = Float64Array.from(form.measurementToSpectral(tf.expandDims(y)).dataSync());
  const noise = sigmaY ** 2;

  const logWeights = new Float64Array(count);
  const within = new Float64Array(count);
  const centres = Array.from({ length: count }, (_, k) => {
    const own = means.subarray(k * d, (k + 1) * d);
    const mean = form.basis === 'pixels' ? Float64Array.from(own) : rotate(own);
    let logWeight = Math.log(weights[k] ?? 0);
    for (let i = 0; i < d; i++) {
      const s = variances[kind === 'isotropic' ? k : k * d + i] ?? 0;
      const [gain, value = 0] = [q[i] ?? 0, mean[i]];
      const total = gain ** 2 * s + noise;
      const residual = (measured[i] ?? 0) - gain * value;
      if (gain > 0) logWeight -= (residual ** 2 / total + Math.log(total / noise)) / 2;
      within[k] = (within[k] ?? 0) + (s * noise) / total;
      mean[i] = value + (s * gain * residual) / total;
    }
    logWeights[k] = logWeight;
    return mean;
  });
  const shares = softmax(logWeights);
  const mean = centres.reduce((total, centre, k) => plus(total, centre, shares[k] ?? 0), new Float64Array(d));
  return shares.reduce((trace, share, k) => {
    const offset = plus(centres[k] ?? mean, mean, -1);
    return trace + share * ((within[k] ?? 0) + dot(offset, offset));
  }, 0);
};

const denseTrace = (
  prior: GaussianMixture,
  operator: Operator,
  imageShape: Shape,
  y: Problem['y'],
  drawn: TensorTree,
  sigmaY: number,
): number | string => {
  const count = prior.weights.length;
  const d = prior.means.length / count;
  const m = y.size;
  if (count * (m ** 3 / 3 + 2 * m * d ** 2) > DENSE_LIMIT)
    return `the posterior of ${count} components with ${d} entries is too large to be formed for this operator`;
  const matrix = new Float64Array(m * d);
  for (let column = 0; column < d; column++) {
    const unit = unitImages(column, 1, imageShape);
    operator
      .forward(unit, drawn)
      .dataSync()
      .forEach((value, row) => (matrix[row * d + column] = value));
  }
  const { covariance } = mixtureMoments(posteriorMixture(prior, matrix, Float64Array.from(y.dataSync()), sigmaY));
  return Array.from({ length: d }, (_, i) => covariance[i * d + i] ?? 0).reduce((a, b) => a + b, 0);
};
