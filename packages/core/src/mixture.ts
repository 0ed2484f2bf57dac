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
  /** The variance in all directions beside those of `basis`, which then is [1 or B, K, d, r]; [1 or B, K, 1] */
  readonly rest?: Tensor;
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
 * Of low rank, what lies beside the columns of Q_k is scaled by rest / (rest + nu) and nu / (rest + nu).
 * `z` [B, d]; `noiseVariance` nu broadcasts against [B, K, d] (a scalar, or [B, 1, d] in a basis shared by all
 * components). Memory and time grow with B * K * d (* d with a basis): for thousands of components use
 * `denoiseSharedIsotropic`.
 */
export function denoiseMixture(
  z: Tensor,
  noiseVariance: Tensor,
  { logWeights, means, variances, basis, rest }: MixtureTensors,
): Denoised {
  const offset = z.expandDims(1).sub(means); // [B, K, d]
  const along = basis === undefined ? offset : turned(offset, basis, false);
  const total = variances.add(noiseVariance);
  const back = (part: Tensor) => (basis === undefined ? part : turned(part, basis, true));
  const beside = rest && basis && { rest, total: rest.add(noiseVariance), offset: offset.sub(back(along)) };
  const ownNorms = along.square().div(total).sum(-1);
  const norms = beside ? ownNorms.add(beside.offset.square().div(beside.total).sum(-1)) : ownNorms;
  const ownDeterminant = logRatio(variances, noiseVariance).mul(tf.onesLike(along)).sum(-1);
  const logDeterminant = beside
    ? ownDeterminant.add(
        logRatio(beside.rest, noiseVariance)
          .squeeze([-1])
          .mul((z.shape[1] ?? 0) - (variances.shape[2] ?? 0)),
      )
    : ownDeterminant;
  const logits = logWeights.sub(norms.add(logDeterminant).div(2)); // [B, K]
  const responsibilities = logits.softmax().expandDims(2);
  const scaled = along.div(total);
  const scaledBeside = beside?.offset.div(beside.total);
  const clean = back(scaled.mul(variances));
  const noise = back(scaled.mul(noiseVariance));
  return {
    x0hat: means
      .add(beside && scaledBeside ? clean.add(scaledBeside.mul(beside.rest)) : clean)
      .mul(responsibilities)
      .sum(1),
    noise: (scaledBeside ? noise.add(scaledBeside.mul(noiseVariance)) : noise).mul(responsibilities).sum(1),
  };
}

/**
 * ln((v + nu) / (least v + nu)) over the components: against the narrowest, so that large common parts never meet in
 * float32 and no quotient rounds to -1.
 */
function logRatio(variances: Tensor, noiseVariance: Tensor): Tensor {
  const least = variances.min(1, true);
  return variances.sub(least).div(least.add(noiseVariance)).log1p();
}

/** Rows [B, K, d] along the axes of a basis, or back: one product a component where all rows share the basis. */
function turned(rows: Tensor, basis: Tensor, back: boolean): Tensor {
  if (basis.shape[0] !== 1) return rows.expandDims(2).matMul(basis, false, back).squeeze([2]);
  return rows
    .transpose([1, 0, 2])
    .matMul(basis.squeeze([0]), false, back)
    .transpose([1, 0, 2]);
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
