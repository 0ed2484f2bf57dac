import {
  batchSize,
  clampedDenoiser,
  type GuidanceFactory,
  type Image,
  type MeasuredTensors,
  perSample,
  sampleNorm,
  type Scalar,
  type StepTensors,
  type Tensor,
  valueAndGrad,
} from '@tweedie/core';

export interface DpsOptions {
  readonly scale: number;
  readonly form: 'norm' | 'paper' | 'squared' | 'likelihood' | 'poisson';
  /** Clamp x0hat to the model's pixel range, where it has one. */
  readonly clamp: boolean;
}

/** One grey level of an image in [-1, 1]: the released program divides by |y| as it is, which is infinite at 0. */
const GREY_LEVEL = 2 / 255;

/** The mean of 1 / |y| over each measurement, [B]. */
function meanInverse(y: Tensor): Tensor {
  const inverse = y.abs().maximum(GREY_LEVEL).reciprocal();
  return inverse.reshape([batchSize(y), -1]).mean(1);
}

/** What multiplies the gradient of the norm, [B]: grad ||r||^2 = 2 ||r|| grad ||r||. */
type Strength = (scale: Scalar, norm: Tensor, step: StepTensors, given: MeasuredTensors) => Tensor;
const strength: Record<DpsOptions['form'], Strength> = {
  norm: (scale, norm) => scale.mul(norm.onesLike()),
  paper: (scale, norm) => scale.mul(2).mul(norm.onesLike()),
  squared: (scale, norm) => norm.mul(2).mul(scale),
  likelihood: (scale, norm, { scoreWeight }, { sigmaY }) => norm.mul(scale.mul(scoreWeight).div(sigmaY.square())),
  poisson: (scale, _norm, _step, { y }) => scale.mul(meanInverse(y)),
};

/**
 * Diffusion posterior sampling: an unconditional reverse step, then a step down the gradient of the measurement misfit,
 * taken through the denoiser (network and clamp included).
 *
 *   xNext = mean(xt) + std * noise - strength * d/dxt || y - A(x0hat(xt)) ||_2       (norm per sample)
 *
 *   form         strength                   what it is
 *   norm         scale                      the released code
 *   paper        2 scale                    Algorithm 1: (scale / ||r||) grad ||r||^2
 *   squared      2 scale ||r||              a constant weight on grad ||r||^2
 *   likelihood   scale c ||r|| / sigmaY^2   the score of N(y; A x0hat, sigmaY^2) added to the prior's
 *                                           (arXiv:2506.13614, Equation 6)
 *   poisson      scale mean(1 / |y|)        the released code for Poisson noise; |y| here no less than 2 / 255
 *
 * xt, x0hat [B, H, W, C]; r has the shape of y. Cost a step: 1 forward, 1 vjp, 2 operator calls. Needs a differentiable
 * operator. Chung et al. 2023, arXiv:2209.14687, Algorithm 1. The default differentiates the norm like the released
 * code, not its square like the paper's line; norms are per sample, where the released code takes one over the batch.
 */
export const dps: GuidanceFactory<DpsOptions> = ({ scale, form, clamp }) => ({
  refuses(_parts, sigmaY) {
    if (form !== 'likelihood' || sigmaY !== 0) return undefined;
    return "form 'likelihood' divides by sigmaY^2, and sigmaY is 0; use form 'norm'";
  },

  bind({ engine, model, operator, scheduler }) {
    const denoise = clampedDenoiser(model, clamp ? model.range : undefined);
    const move = engine.compile((xt: Image, step: StepTensors, given: MeasuredTensors, noise: Image, scale: Scalar) => {
      const misfit = valueAndGrad((x) => {
        const prediction = denoise(x, step.level); // the model, its x0hat clamped to the pixel range
        return [sampleNorm(given.y.sub(operator.forward(prediction.x0hat, given.drawn))), prediction];
      }, xt);
      const { value: norm, gradient, aux: prediction } = misfit;
      const { mean, std } = scheduler.transition(xt, prediction, step);
      const weight = strength[form](scale, norm, step, given);
      return {
        state: mean.add(noise.mul(std)).sub(gradient.mul(perSample(weight, xt))),
        x0hat: prediction.x0hat,
        scalars: { residualNorm: norm, gradientNorm: sampleNorm(gradient) },
      };
    });
    return { step: (xt, step, problem, random) => move(xt, step, problem, random.normal('step', xt.shape), scale) };
  },
});
