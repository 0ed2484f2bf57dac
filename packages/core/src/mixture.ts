import { mixtureMean } from './posterior.ts';
import { tf } from './tensorflow.ts';
import type { GaussianMixture, Tensor } from './types.ts';

/**
 * E[x0 | z] and its responsibilities for a Gaussian mixture prior and z = x0 + noise of any diagonal covariance.
 * Everything a closed-form prior and its exact posterior need is one of these two functions; both differentiate the
 * closed form, which keeps gradients at high noise accurate in float32 where the epsilon form loses every digit.
 */

/** Mixture parameters as tensors, in the basis of each component. A leading axis of 1 broadcasts over the batch. */
export type MixtureTensors = {
  readonly logWeights: Tensor; // [1 or B, K]
  readonly means: Tensor; // [1 or B, K, d]
  readonly variances: Tensor; // [1 or B, K, d] or [1 or B, K, 1]: along the axes of `basis`
  readonly basis?: Tensor; // [1 or B, K, d, d], orthonormal columns; absent: the coordinate axes
};

/**
 * Both halves of z = x0 + noise as the posterior expects them; `noise` is not formed as z - x0hat, which has no digits
 * left at low noise.
 */
export type Denoised = { readonly x0hat: Tensor; readonly noise: Tensor };

/**
 * The posterior means of a mixture seen through noise of variance nu:
 *
 *   x0hat        = sum_k r_k (m_k + Q_k diag(lambda_k / (lambda_k + nu)) Q_k^T (z - m_k))
 *   E[noise | z] = z - x0hat = sum_k r_k Q_k diag(nu / (lambda_k + nu)) Q_k^T (z - m_k)
 *   r            = softmax(log w_k + log N(z; m_k, C_k + nu))
 *
 * `z` [B, d]; `noiseVariance` nu broadcasts against [B, K, d] (a scalar, or [B, 1, d] in a basis shared by all
 * components). Memory and time grow with B * K * d (* d with a basis): for thousands of components use
 * `denoiseSharedIsotropic`.
 */
export function denoiseMixture(
  z: Tensor,
  noiseVariance: Tensor,
  { logWeights, means, variances, basis }: MixtureTensors,
): Denoised {
  const offset = z.expandDims(1).sub(means); // [B, K, d]
  const along = basis === undefined ? offset : offset.expandDims(2).matMul(basis).squeeze([2]);
  const total = variances.add(noiseVariance);
  // log det of C_k + nu against that of the narrowest, so that large common parts never meet in float32 and no quotient
  // rounds to -1.
  const least = variances.min(1, true);
  const logDeterminant = variances.sub(least).div(least.add(noiseVariance)).log1p().mul(tf.onesLike(along)).sum(-1);
  const logits = logWeights.sub(along.square().div(total).sum(-1).add(logDeterminant).div(2)); // [B, K]
  const responsibilities = logits.softmax().expandDims(2);
  const scaled = along.div(total);
  const back = (part: Tensor) =>
    basis === undefined ? part : part.expandDims(2).matMul(basis, false, true).squeeze([2]);
  return {
    x0hat: means
      .add(back(scaled.mul(variances)))
      .mul(responsibilities)
      .sum(1),
    noise: back(scaled.mul(noiseVariance)).mul(responsibilities).sum(1),
  };
}

/**
 * A mixture whose covariances are all s^2 I, as tensors: its denoiser takes two matrix products, whatever the number
 * of components.
 */
export type SharedIsotropicTensors = {
  readonly logWeights: Tensor; // [K]
  /** Means less `centre`, [K, d] */
  readonly offsets: Tensor;
  readonly centre: Tensor; // [d]
  readonly variance: number;
};

/**
 * Denoises under a mixture with equal isotropic covariances, as `denoiseMixture` does; `noiseVariance` is a scalar or
 * broadcasts against [B, d].
 */
export function denoiseSharedIsotropic(
  z: Tensor,
  noiseVariance: Tensor,
  { logWeights, offsets, centre, variance }: SharedIsotropicTensors,
): Denoised {
  const total = noiseVariance.add(variance);
  const position = z.sub(centre);
  // |z - m|^2 / (2 total) without |z|^2, which all components share.
  const halfNorms =
    total.rank === 0
      ? offsets.square().sum(1).div(total.mul(2)).expandDims(0) // [1, K]
      : total.reciprocal().mul(tf.onesLike(position)).matMul(offsets.square(), false, true).div(2); // [B, K]
  const logits = position.div(total).matMul(offsets, false, true).add(logWeights.sub(halfNorms));
  const mixed = logits.softmax().matMul(offsets);
  return {
    x0hat: position.mul(variance).add(mixed.mul(noiseVariance)).div(total).add(centre),
    noise: position.sub(mixed).mul(noiseVariance).div(total),
  };
}

/** The variance that all components share, where they are isotropic and equal. */
export function sharedVariance({ covariance }: GaussianMixture): number | undefined {
  if (covariance.kind !== 'isotropic') return undefined;
  const [first] = covariance.variances;
  return covariance.variances.every((variance) => variance === first) ? first : undefined;
}

/**
 * Constant tensors of a mixture with equal isotropic covariances; the caller owns them. `centre` and offsets are formed
 * in float64.
 */
export function sharedIsotropicTensors(mixture: GaussianMixture, variance: number): SharedIsotropicTensors {
  const { weights, means } = mixture;
  const d = means.length / weights.length;
  const centre = mixtureMean(mixture);
  const offsets = Float32Array.from(means, (value, i) => value - (centre[i % d] ?? 0));
  return {
    logWeights: tf.tensor1d(Float32Array.from(weights, Math.log)),
    offsets: tf.tensor2d(offsets, [weights.length, d]),
    centre: tf.tensor1d(Float32Array.from(centre)),
    variance,
  };
}
