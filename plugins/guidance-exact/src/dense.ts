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
  type Tensor,
  tf,
  VARIANCE_FLOOR,
} from '@tweedie/core';

/**
 * The posterior of every row of a batch, a mixture with full covariances in its eigenbasis, [B, K, ...]. Formed in
 * float64; rows with the same measurement and the same drawn parameters are computed once. Cost: K (m^3/3 + 2 m d^2 +
 * 10 d^3) operations a problem, 4 B K d^2 bytes.
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
      posteriors.set(key, mixtureTensors(posteriorMixture(prior, matrix, Float64Array.from(measured.dataSync()), std)));
    }
    disposeTree([own, measured]);
    order.push(key);
  }
  const stacked = tf.tidy(() => {
    const gather = (name: keyof MixtureTensors) => tf.concat(order.map((key) => posteriors.get(key)?.[name] as Tensor));
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
