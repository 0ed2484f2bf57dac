import {
  addsNoise,
  clampedDenoiser,
  type GuidanceFactory,
  type Image,
  type MeasuredTensors,
  noiseRadius,
  onSphere,
  reverseStep,
  sampleNorm,
  type Scalar,
  type StepTensors,
  type Tensor,
  type Transition,
  valueAndGrad,
} from '@tweedie/core';

export interface DsgOptions {
  readonly rate: number;
  readonly interval: number;
  readonly variant: 'per-sample' | 'reference';
  /** Clamp x0hat to the model's pixel range, where it has one. */
  readonly clamp: boolean;
}

/** The radius of a step's noise, [B]. */
const radiusOf: Record<DsgOptions['variant'], (transition: Transition) => Tensor> = {
  'per-sample': ({ mean, std }) => noiseRadius(std, mean),
  reference: ({ mean, std, predictedStd = std }) => {
    const first = predictedStd.mul(mean.onesLike()).slice([0, 0, 0, 0], [-1, 1, 1, 1]);
    return first.reshape([-1]).mul(Math.sqrt(mean.size / mean.shape[0]));
  },
};

/**
 * Diffusion with a spherical Gaussian constraint: the noise of the reverse step is turned towards the direction that
 * lowers the misfit fastest and keeps its length, so that xNext stays where samples of the step lie, however strong the
 * guidance.
 *
 *   g     = d/dxt || y - A(x0hat(xt)) ||_2,   down = -R g / ||g||,   noise' = std * noise
 *   xNext = mean(xt) + R mix / ||mix||,   mix = noise' + rate (down - noise')              (norms per sample)
 *
 *   variant      R
 *   per-sample   sqrt(sum std^2): the length of the step's noise; no noise (last step), no move
 *   reference    sqrt(d) times the std of the first pixel, in the last step too, as in the released code: with a
 *                learned variance the result moves by that length along -g
 *
 * One step in `interval` is guided (index a multiple of it); the others are the scheduler's. The length of g does not
 * matter, so neither does the unit of y. xt, x0hat [B, H, W, C]. Cost: 1 forward a step; 1 vjp and 2 operator calls a
 * guided one. Needs a random scheduler. Yang et al. 2024, arXiv:2402.03201, Algorithm 1; both norms are guarded by 1e-8
 * as in the released code, which takes them over the batch.
 */
export const dsg: GuidanceFactory<DsgOptions> = ({ rate, interval, variant, clamp }) => {
  const isGuided = (step: { readonly index: number }) => step.index % interval === 0;
  return {
    refuses: ({ scheduler, model }) =>
      addsNoise(scheduler, model.process)
        ? undefined
        : "it turns the noise of the scheduler's steps, and they have none; use ddpm, or ddim with eta above 0",

    cost: (_parts, steps) => ({ forwards: steps.length, vjps: steps.filter(isGuided).length }),

    bind({ engine, model, operator, scheduler }) {
      const denoise = clampedDenoiser(model, clamp ? model.range : undefined);
      const free = engine.compile((xt: Image, step: StepTensors, noise: Image) =>
        reverseStep(scheduler, denoise, xt, step, noise),
      );
      const guided = engine.compile(
        (xt: Image, step: StepTensors, noise: Image, { y, drawn }: MeasuredTensors, rate: Scalar) => {
          const misfit = valueAndGrad((x) => {
            const prediction = denoise(x, step.level);
            return [sampleNorm(y.sub(operator.forward(prediction.x0hat, drawn))), prediction];
          }, xt);
          const { value: norm, gradient, aux: prediction } = misfit;
          const transition = scheduler.transition(xt, prediction, step);
          const radius = radiusOf[variant](transition);
          const drawnOffset = noise.mul(transition.std);
          const down = onSphere(gradient.zerosLike(), radius, gradient.neg());
          const mix = drawnOffset.add(down.sub(drawnOffset).mul(rate));
          return {
            state: onSphere(transition.mean, radius, mix),
            x0hat: prediction.x0hat,
            scalars: { residualNorm: norm, gradientNorm: sampleNorm(gradient) },
          };
        },
      );
      return {
        async step(xt, step, problem, random) {
          const noise = random.normal('step', xt.shape);
          return isGuided(step) ? guided(xt, step, noise, problem, rate) : free(xt, step, noise);
        },
      };
    },
  };
};
