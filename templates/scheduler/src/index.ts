import { epsilonFromX0, respacedLevels, type SchedulerFactory } from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** Levels visited. */
  readonly steps: number;
}

type ExampleCoefficients = { readonly std: number };

// Edit 2 of 3: what it is, in a sentence and as an equation: which levels, cost, source with the place in it and
// where this differs.
/**
 * Deterministic steps along the predicted noise, on VP and VE processes:
 *
 *   xNext = signalNext x0hat + noiseNext epsilon,   epsilon = (xt - signal x0hat) / noise
 *
 * The last step (index 0) gives x0hat. Cost a step: 1 forward. Song et al. 2021, arXiv:2010.02502, Equation 12 with
 * sigma_t = 0.
 */
export const example: SchedulerFactory<ExampleOptions, ExampleCoefficients> = ({ steps }) => ({
  // Edit 3 of 3: the mathematics, here and in `transition`. Coefficients are plain numbers (float64), computed once.
  levels: (process) =>
    respacedLevels(process, steps).map(({ index, level, next }) => ({
      index,
      level,
      next,
      scoreWeight: (next.signal * level.noise ** 2) / level.signal - next.noise * level.noise,
      coefficients: { std: 0 },
    })),

  transition: (xt, { x0hat }, { level, next, coefficients }) => ({
    mean: x0hat.mul(next.signal).add(epsilonFromX0(xt, x0hat, level).mul(next.noise)),
    std: coefficients.std,
  }),
});
