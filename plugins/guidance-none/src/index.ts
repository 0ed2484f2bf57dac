import {
  clampedDenoiser,
  compileSteps,
  denoiserCalls,
  type GuidanceFactory,
  type Image,
  reverseStep,
  type StepTensors,
} from '@tweedie/core';

export interface NoneOptions {
  /** Clamp x0hat to the model's pixel range, where it has one. */
  readonly clamp: boolean;
}

/**
 * The scheduler alone: draws from the prior and never looks at y. The baseline that every method must beat, and the
 * check of a scheduler. Cost a step: 1 forward; with Heun 2, in the last step 1.
 */
export const none: GuidanceFactory<NoneOptions> = ({ clamp }) => ({
  cost: ({ scheduler }, steps) => ({ forwards: denoiserCalls(scheduler, steps.length), vjps: 0 }),
  bind({ engine, model, scheduler }) {
    const denoise = clampedDenoiser(model, clamp ? model.range : undefined);
    const advance = compileSteps(scheduler, (scheduler) =>
      engine.compile((xt: Image, step: StepTensors, noise: Image) => reverseStep(scheduler, denoise, xt, step, noise)),
    );
    return { step: (xt, step, _problem, random) => advance(step)(xt, step, random.normal('step', xt.shape)) };
  },
});
