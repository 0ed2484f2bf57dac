import {
  addsNoise,
  clampedDenoiser,
  type GuidanceFactory,
  type Image,
  type LevelTensors,
  type MeasuredTensors,
  noiseRadius,
  onSphere,
  perSample,
  sampleNorm,
  type Scalar,
  type Step,
  type StepTensors,
  type Tensor,
  valueAndGrad,
} from '@tweedie/core';

export interface DmapOptions {
  readonly scale: number;
  readonly inner: number;
  readonly form: 'norm' | 'squared';
  /** Clamp x0hat to the model's pixel range, where it has one. */
  readonly clamp: boolean;
}

/** What multiplies the gradient of the norm: grad ||r||^2 = 2 ||r|| grad ||r||. */
const factor: Record<DmapOptions['form'], (norm: Tensor) => Tensor> = {
  norm: (norm) => norm.onesLike(),
  squared: (norm) => norm.mul(2),
};

/**
 * DMAP, a RECONSTRUCTION: a sample of the reverse step is improved `inner` times by going down the misfit at the sample
 * itself, one level on, and putting it back where samples of the step lie.
 *
 *   x^0 = mean(xt) + std * noise,   R = sqrt(sum std^2)                         (norms per sample)
 *   x~  = x^(j-1) - scale * d/dx || y - A(x0hat(x; next)) ||_2 at x^(j-1)       (`squared`: of the squared norm)
 *   x^j = mean(xt) + R (x~ - mean(xt)) / || x~ - mean(xt) ||,   xNext = x^inner
 *
 * The network sees the candidate at the level of xNext; mean and R are those of xt. The last step goes to the clean
 * image, where there is nothing to move within: it is the scheduler's. With inner 0 every step is. xt, x0hat [B, H, W,
 * C]. Cost a step: 1 + inner forwards, inner vjps, 2 inner operator calls; the last one 1 forward. Needs a random
 * scheduler. Xu et al. 2025, arXiv:2501.18913. Its text and code could not be read: rebuilt from the first author's
 * earlier repository (norm, inner 3, a latent model) and a third party's port of Algorithm 2 (squared norm, inner 5),
 * carried over to pixels. No number of the paper is claimed.
 */
export const dmap: GuidanceFactory<DmapOptions> = ({ scale, inner, form, clamp }) => {
  const isLast = ({ next }: Step) => next.noise === 0;
  return {
    refuses: ({ scheduler, model }) =>
      addsNoise(scheduler, model.process)
        ? undefined
        : "it moves within the noise of the scheduler's steps, and they have none; use ddpm, or ddim with eta above 0",

    cost(_parts, steps) {
      const vjps = inner * steps.filter((step) => !isLast(step)).length;
      return { forwards: steps.length + vjps, vjps };
    },

    bind({ engine, model, operator, scheduler }) {
      const denoise = clampedDenoiser(model, clamp ? model.range : undefined);
      const propose = engine.compile((xt: Image, step: StepTensors, noise: Image) => {
        const prediction = denoise(xt, step.level);
        const { mean, std } = scheduler.transition(xt, prediction, step);
        return { candidate: mean.add(noise.mul(std)), mean, radius: noiseRadius(std, mean), x0hat: prediction.x0hat };
      });
      const improve = engine.compile(
        (
          candidate: Image,
          level: LevelTensors,
          { y, drawn }: MeasuredTensors,
          sphere: { readonly mean: Image; readonly radius: Tensor },
          scale: Scalar,
        ) => {
          const { value: norm, gradient } = valueAndGrad(
            (x) => [sampleNorm(y.sub(operator.forward(denoise(x, level).x0hat, drawn))), []],
            candidate,
          );
          const lowered = candidate.sub(gradient.mul(perSample(factor[form](norm).mul(scale), candidate)));
          return {
            candidate: onSphere(sphere.mean, sphere.radius, lowered.sub(sphere.mean)),
            scalars: { residualNorm: norm },
          };
        },
      );
      return {
        async step(xt, step, problem, random) {
          const { candidate, x0hat, ...sphere } = await propose(xt, step, random.normal('step', xt.shape));
          let stepped: { candidate: Image; scalars?: { [name: string]: Tensor } } = { candidate };
          for (let j = 0; j < inner && !isLast(step); j++)
            stepped = await improve(stepped.candidate, step.next, problem, sphere, scale);
          const { candidate: state, ...scalars } = stepped;
          return { state, x0hat, ...scalars };
        },
      };
    },
  };
};
