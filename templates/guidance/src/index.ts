import {
  clampedDenoiser,
  type GuidanceFactory,
  type Image,
  type MeasuredTensors,
  sampleNorm,
  type Scalar,
  type StepTensors,
  valueAndGrad,
} from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** Guidance strength; 0 is no guidance. */
  readonly scale: number;
}

// Edit 2 of 3: what it is, in a sentence and as an equation: shapes, cost, needs, source with the place in it and
// where this differs.
/**
 * The scheduler's step, then a step down the misfit, its gradient taken through the denoiser.
 *
 *   xNext = mean(xt) + std * noise - scale * d/dxt || y - A(x0hat(xt)) ||_2       (norm per sample)
 *
 * xt, x0hat [B, H, W, C]. Cost a step: 1 forward, 1 vjp, 2 operator calls. Needs a differentiable operator.
 */
export const example: GuidanceFactory<ExampleOptions> = ({ scale }) => ({
  bind({ engine, model, operator, scheduler }) {
    const denoise = clampedDenoiser(model, model.range);
    // Edit 3 of 3: the mathematics of one step. What changes from call to call is an argument; the model is captured.
    const advance = engine.compile(
      (xt: Image, step: StepTensors, { y, drawn }: MeasuredTensors, noise: Image, scale: Scalar) => {
        const misfit = valueAndGrad((x) => {
          const prediction = denoise(x, step.level);
          return [sampleNorm(y.sub(operator.forward(prediction.x0hat, drawn))), prediction];
        }, xt);
        const { value: norm, gradient, aux: prediction } = misfit;
        const { mean, std } = scheduler.transition(xt, prediction, step);
        return {
          state: mean.add(noise.mul(std)).sub(gradient.mul(scale)),
          x0hat: prediction.x0hat,
          scalars: { residualNorm: norm },
        };
      },
    );
    return { step: (xt, step, problem, random) => advance(xt, step, problem, random.normal('step', xt.shape), scale) };
  },
});
