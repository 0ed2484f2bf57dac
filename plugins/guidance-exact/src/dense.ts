import {
  batchSize,
  type CompiledForward,
  disposeTree,
  type GaussianMixture,
  type ImageShape,
  fingerprintOf,
  type Measured,
  mixtureTensors,
  type MixtureTensors,
  operatorMatrix,
  posteriorMixture,
  rowOfProblem,
  sizeOf,
  type Tensor,
  tf,
  VARIANCE_FLOOR,
} from '@tweedie/core';

/**
 * Components of a posterior with less of the weight of the largest are not formed: no draw meets them, and each would
 * cost its eigenvectors.
 */
const LEAST_WEIGHT = 1e-16;

/** The log weight of a place that a posterior with fewer components than others leaves empty. */
const EMPTY = -1e30;

/**
 * The posterior of every row of a batch, a mixture with full covariances in its eigenbasis, [B, K, ...]. Formed in
 * float64; rows with the same measurement and the same drawn parameters are computed once. Cost: K (m^3/3 + 2 m d^2)
 * operations a problem (2 m d r with covariances of rank r), 12 d^3 and 4 B d^2 bytes for each component that counts.
 */
export async function densePosterior(
  prior: GaussianMixture,
  forward: CompiledForward,
  imageShape: ImageShape,
  { y, sigmaY, drawn }: Measured,
): Promise<MixtureTensors> {
  const matrices = new Map<string, Float64Array>();
  const posteriors = new Map<string, MixtureTensors>();
  const order: string[] = [];
  const std = Math.max(sigmaY, Math.sqrt(VARIANCE_FLOOR));
  for (let row = 0; row < batchSize(y); row++) {
    const { y: measured, drawn: own } = rowOfProblem({ y, sigmaY, drawn }, row);
    const operatorKey = fingerprintOf(own);
    const key = `${operatorKey} ${fingerprintOf(measured)}`;
    if (!posteriors.has(key)) {
      const matrix = matrices.get(operatorKey) ?? (await operatorMatrix(forward, own, imageShape, measured.size));
      matrices.set(operatorKey, matrix);
      posteriors.set(
        key,
        mixtureTensors(posteriorMixture(prior, matrix, Float64Array.from(measured.dataSync()), std, LEAST_WEIGHT)),
      );
    }
    disposeTree([own, measured]);
    order.push(key);
  }
  const most = Math.max(...Array.from(posteriors.values(), ({ logWeights }) => logWeights.shape[1] ?? 0));
  const rows = (name: keyof MixtureTensors): Tensor =>
    stacked(
      order.map((key) => posteriors.get(key)?.[name]).filter((tensor) => tensor !== undefined),
      most,
      EMPTY_COMPONENT[name],
    );
  const all = {
    logWeights: rows('logWeights'),
    means: rows('means'),
    variances: rows('variances'),
    basis: rows('basis'),
  };
  for (const tensors of posteriors.values()) disposeTree({ ...tensors });
  return all;
}

/** What a place without a component holds. */
const EMPTY_COMPONENT: Readonly<Record<keyof MixtureTensors, number>> = {
  logWeights: EMPTY,
  variances: 1,
  means: 0,
  basis: 0,
  rest: 1,
};

/**
 * Tensors [1, K, ...] of posteriors as rows of one, with places for `count` components. By plain copies: bases are a
 * hundred megabytes, which a general padding takes seconds for.
 */
function stacked(tensors: readonly Tensor[], count: number, empty: number): Tensor {
  const [, , ...shape] = tensors[0]?.shape ?? [];
  const row = count * sizeOf(shape);
  const values = new Float32Array(tensors.length * row);
  if (empty !== 0) values.fill(empty);
  tensors.forEach((tensor, i) => values.set(tensor.dataSync(), i * row));
  return tf.tensor(values, [tensors.length, count, ...shape]);
}
