import {
  clampTo,
  combinedLevel,
  combinedState,
  compileSteps,
  type Image,
  type LevelTensors,
  type MeasuredTensors,
  posteriorScore,
  type Prediction,
  predictionFromX0,
  reverseStep,
  type Sampler,
  type ScoreModel,
  type Setting,
  type StepTensors,
  toVe,
} from '@tweedie/core';

/**
 * What the scheduler gets: x0hat := E[x0 | xt, y], clamped, and the network's variance at xt only where the scheduler
 * uses it.
 */
export const conditionalPrediction =
  ({ model, scheduler }: Setting, range: ScoreModel['range']) =>
  (x: Image, mean: Image, level: LevelTensors): Prediction => {
    const variance = scheduler.usesVariance === true ? model.predict(x, level).varianceFraction : undefined;
    return { ...predictionFromX0(x, clampTo(range, mean), level), ...(variance && { varianceFraction: variance }) };
  };

/** The sampler for A = I and any model: the prior's denoiser at the combined point of xt and y. */
export function denoisingSampler(setting: Setting, path: 'denoiser' | 'score', range: ScoreModel['range']): Sampler {
  const { engine, model, scheduler } = setting;
  const conditional = conditionalPrediction(setting, range);
  const advance = compileSteps(scheduler, (scheduler) =>
    engine.compile(
      (
        xt: Image,
        step: StepTensors,
        combined: { level: LevelTensors; next: LevelTensors },
        { y, sigmaY }: MeasuredTensors,
        noise: Image,
      ) => {
        const denoise = (x: Image, level: LevelTensors): Prediction => {
          const at = level === step.level ? combined.level : level === step.next ? combined.next : undefined;
          if (at === undefined)
            throw new Error('guidance/exact: the scheduler asked at a level that is not one of the step.');
          const { x0hat, epsilon } = model.predict(combinedState(x, y, level, at, sigmaY), at);
          const mean =
            path === 'denoiser'
              ? x0hat
              : toVe(x, level).add(posteriorScore(x, y, epsilon, level, at, sigmaY).mul(level.sigma.square()));
          return conditional(x, mean, level);
        };
        return reverseStep(scheduler, denoise, xt, step, noise);
      },
    ),
  );
  return {
    step(xt, step, problem, random) {
      const combined = {
        level: combinedLevel(model.process, step.level, problem.sigmaY),
        next: combinedLevel(model.process, step.next, problem.sigmaY),
      };
      return advance(step)(xt, step, combined, problem, random.normal('step', xt.shape));
    },
  };
}
