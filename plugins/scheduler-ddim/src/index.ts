import { epsilonFromX0, respacedLevels, reverseCoefficients, type SchedulerFactory } from '@tweedie/core';

export interface DdimOptions {
  /** Levels visited: a number, 'ddimN', 'quadN', or counts per section. */
  readonly steps: number | string;
  /** 0: deterministic; 1: as noisy as ancestral sampling. */
  readonly eta: number;
}

type DdimCoefficients = { direction: number; std: number };

/**
 * DDIM, on VP and VE processes:
 *
 *   mean = signalNext x0hat + sqrt(noiseNext^2 - std^2) epsilon,   std = eta * (std of the ancestral step)
 *
 * epsilon is recomputed from x0hat, so that a clamped or guided x0hat enters both terms (docs/methods.md 2.2).
 * The last step (index 0) gives x0hat. Song et al. 2021, arXiv:2010.02502, Equations 12 and 16.
 */
export const ddim: SchedulerFactory<DdimOptions, DdimCoefficients> = ({ steps, eta }) => ({
  levels: (process) =>
    respacedLevels(process, steps).map(({ index, level, next }) => {
      const std = eta * Math.sqrt(reverseCoefficients(level, next).variance);
      const direction = Math.sqrt(Math.max(0, next.noise ** 2 - std ** 2));
      return {
        index,
        level,
        next,
        scoreWeight: (next.signal * level.noise ** 2) / level.signal - direction * level.noise,
        coefficients: { direction, std },
      };
    }),

  transition: (xt, { x0hat }, { level, next, coefficients }) => ({
    mean: x0hat.mul(next.signal).add(epsilonFromX0(xt, x0hat, level).mul(coefficients.direction)),
    std: coefficients.std,
  }),
});
