import {
  batchSize,
  disposeTree,
  type GaussianMixture,
  type Image,
  type ImageShape,
  leavesOf,
  mapTree,
  type Measured,
  type Measurement,
  mixtureTensors,
  type MixtureTensors,
  posteriorMixture,
  sha256,
  type Tensor,
  type TensorTree,
  tf,
  unitImages,
  sizeOf,
} from '@tweedie/core';

/** The operator A, compiled: calls outside a compiled function would not be counted. */
type Forward = (x: Image, drawn: TensorTree) => Promise<Measurement>;

/**
 * The least variance of y: it keeps 0 / 0 out of the noiseless case, and A C A^T regular where A hides entries.
 * Float32 images show no sigmaY^2 so small.
 */
export const VARIANCE_FLOOR = 1e-12;

/**
 * Components of a posterior with less of the weight of the largest are not formed: no draw meets them, and each would
 * cost its eigenvectors.
 */
const LEAST_WEIGHT = 1e-16;

/** The log weight of a place that a posterior with fewer components than others leaves empty. */
const EMPTY = -1e30;

/** How many unit images go through the operator at once when its matrix is formed. */
const COLUMNS_AT_ONCE = 128;

/**
 * The posterior of every row of a batch, a mixture with full covariances in its eigenbasis, [B, K, ...]. Formed in
 * float64; rows with the same measurement and the same drawn parameters are computed once. Cost: K (m^3/3 + 2 m d^2)
 * operations a problem (2 m d r with covariances of rank r), 12 d^3 and 4 B d^2 bytes for each component that counts.
 */
export async function densePosterior(
  prior: GaussianMixture,
  forward: Forward,
  imageShape: ImageShape,
  { y, sigmaY, drawn }: Measured,
): Promise<MixtureTensors> {
  const matrices = new Map<string, Float64Array>();
  const posteriors = new Map<string, MixtureTensors>();
  const order: string[] = [];
  const std = Math.max(sigmaY, Math.sqrt(VARIANCE_FLOOR));
  for (let row = 0; row < batchSize(y); row++) {
    const own = mapTree(drawn, (leaf) => (typeof leaf === 'number' ? leaf : rowOf(leaf, row)));
    const measured = rowOf(y, row);
    const operatorKey = leavesOf(own).map(fingerprint).join();
    const key = `${operatorKey} ${fingerprint(measured)}`;
    if (!posteriors.has(key)) {
      const matrix = matrices.get(operatorKey) ?? (await matrixOf(forward, own, imageShape, measured.size));
      matrices.set(operatorKey, matrix);
      posteriors.set(
        key,
        mixtureTensors(posteriorMixture(prior, matrix, Float64Array.from(measured.dataSync()), std, LEAST_WEIGHT)),
      );
    }
    disposeTree([own, measured]);
    order.push(key);
  }
  const stacked = tf.tidy(() => {
    const most = Math.max(...Array.from(posteriors.values(), ({ logWeights }) => logWeights.shape[1] ?? 0));
    const gather = (name: keyof MixtureTensors) =>
      tf.concat(order.map((key) => filledUp(posteriors.get(key)?.[name] as Tensor, most, name)));
    return {
      logWeights: gather('logWeights'),
      means: gather('means'),
      variances: gather('variances'),
      basis: gather('basis'),
    };
  });
  for (const tensors of posteriors.values()) disposeTree({ ...tensors });
  return stacked;
}

/** A tensor [1, K, ...] of a posterior with places for more components, which have no weight. */
function filledUp(tensor: Tensor, count: number, name: keyof MixtureTensors): Tensor {
  const missing = count - (tensor.shape[1] ?? 0);
  if (missing === 0) return tensor;
  const value = { logWeights: EMPTY, variances: 1, means: 0, basis: 0, rest: 1 }[name];
  return tensor.pad(
    tensor.shape.map((_, axis) => [0, axis === 1 ? missing : 0] as [number, number]),
    value,
  );
}

const rowOf = (tensor: Tensor, row: number): Tensor => tf.gather(tensor, tf.tensor1d([row], 'int32'));
const fingerprint = (leaf: Tensor | number): string =>
  typeof leaf === 'number' ? String(leaf) : sha256(new Uint8Array(leaf.dataSync().buffer));

/** A as a dense row-major [m, d] matrix: the operator applied to every unit image. `drawn` has a batch axis of 1. */
async function matrixOf(forward: Forward, drawn: TensorTree, imageShape: ImageShape, m: number): Promise<Float64Array> {
  const d = sizeOf(imageShape);
  const matrix = new Float64Array(m * d);
  for (let from = 0; from < d; from += COLUMNS_AT_ONCE) {
    const count = Math.min(COLUMNS_AT_ONCE, d - from);
    const units = unitImages(from, count, imageShape);
    const repeated = tf.tidy(
      () =>
        mapTree(drawn, (leaf) =>
          typeof leaf === 'number' ? leaf : leaf.tile([count, ...leaf.shape.slice(1).map(() => 1)]),
        ) as tf.TensorContainer,
    );
    const measured = await forward(units, repeated as TensorTree);
    const columns = await measured.data();
    for (let column = 0; column < count; column++) {
      for (let row = 0; row < m; row++) matrix[row * d + from + column] = columns[column * m + row] ?? 0;
    }
    disposeTree([units, repeated as TensorTree, measured]);
  }
  return matrix;
}
