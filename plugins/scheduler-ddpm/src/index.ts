import { respacedLevels, reverseCoefficients, type SchedulerFactory, ConfigError } from '@tweedie/core';

export interface DdpmOptions {
  /** Levels visited: a number, 'ddimN', 'quadN', or counts per section. */
  readonly steps: number | string;
  readonly variance: 'fixed-small' | 'fixed-large' | 'learned-range';
}

type DdpmCoefficients = {
  x0Weight: number;
  xtWeight: number;
  std: number;
  logVarianceMin: number;
  logVarianceMax: number;
  noisy: number;
};

/**
 * Ancestral sampling: xNext ~ q(xNext | xt, x0 = x0hat), the reverse of one noising step of the respaced process.
 *
 *   mean = x0Weight x0hat + xtWeight xt,   std per `variance`:
 *     fixed-small    sqrt(noiseNext^2 beta / noise^2)
 *     fixed-large    sqrt(beta)
 *     learned-range  exp((f ln beta + (1 - f) ln small) / 2), f the network's output, near [0, 1] and not
 *                    clamped; at index 0 `small` is that of index 1
 *
 * The last step (index 0) has std 0 and mean x0hat, whatever variance the network predicts (`predictedStd`). Works on
 * VP and VE processes (beta: docs/methods.md 2.4; for VE sigma^2 - sigmaNext^2).
 * Cost a step: nothing beyond the prediction. Ho et al. 2020, arXiv:2006.11239, Equations 6, 7; Nichol and Dhariwal
 * 2021, arXiv:2102.09672, Equation 15.
 */
export const ddpm: SchedulerFactory<DdpmOptions, DdpmCoefficients> = ({ steps, variance }) => ({
  usesVariance: variance === 'learned-range',

  levels(process) {
    const pairs = respacedLevels(process, steps);
    const lowerBounds = pairs.map(({ level, next }) => reverseCoefficients(level, next).variance);
    return pairs.map(({ index, level, next }, position) => {
      const { beta, x0Weight, xtWeight, variance: small } = reverseCoefficients(level, next);
      // At index 0 the lower bound is 0; its logarithm is replaced by that of index 1, where there is one.
      const repaired = small > 0 ? small : (lowerBounds[position - 1] ?? beta);
      return {
        index,
        level,
        next,
        scoreWeight: (x0Weight * level.noise ** 2) / level.signal,
        coefficients: {
          x0Weight,
          xtWeight,
          std: index === 0 ? 0 : Math.sqrt(variance === 'fixed-large' ? beta : small),
          logVarianceMin: Math.log(repaired),
          logVarianceMax: Math.log(beta),
          noisy: index === 0 ? 0 : 1,
        },
      };
    });
  },

  transition(xt, { x0hat, varianceFraction }, { coefficients }) {
    const mean = x0hat.mul(coefficients.x0Weight).add(xt.mul(coefficients.xtWeight));
    if (variance !== 'learned-range') return { mean, std: coefficients.std };
    if (varianceFraction === undefined) {
      throw new ConfigError(
        'scheduler/ddpm',
        "variance 'learned-range' needs a model that predicts its variance.",
        "Use 'fixed-small' or 'fixed-large'.",
      );
    }
    const { logVarianceMin, logVarianceMax, noisy } = coefficients;
    const logVariance = varianceFraction.mul(logVarianceMax.sub(logVarianceMin)).add(logVarianceMin);
    const predictedStd = logVariance.div(2).exp();
    return { mean, std: predictedStd.mul(noisy), predictedStd };
  },
});
