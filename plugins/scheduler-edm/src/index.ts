import {
  epsilonFromX0,
  type Image,
  levelsThrough,
  polynomialSigmas,
  type Prediction,
  type SchedulerFactory,
  sigmaRange,
  type StepTensors,
} from '@tweedie/core';

export interface EdmOptions {
  readonly steps: number;
  /**
   * Noise levels, sqrt((1 - alphaBar) / alphaBar) on a VP process; default: 0.002 to 80, as far as the process's table
   * reaches.
   */
  readonly sigmaMin?: number;
  readonly sigmaMax?: number;
  /** Levels are evenly spaced in sigma^(1 / rho). */
  readonly rho: number;
  /** 2: Heun; 1: Euler. */
  readonly order: 1 | 2;
}

type EdmCoefficients = { readonly std: number; readonly correction: number; readonly inverseNoise: number };

const published = { sigmaMin: 0.002, sigmaMax: 80 };

/**
 * The Euler step along epsilon: zNext = z + (sigmaNext - sigma) epsilon is x0hat + sigmaNext epsilon, here in the
 * units of the process.
 */
const eulerStep = (xt: Image, { x0hat }: Prediction, { level, next }: StepTensors<EdmCoefficients>): Image =>
  x0hat.mul(next.signal).add(epsilonFromX0(xt, x0hat, level).mul(next.noise));

/**
 * The probability flow d z / d sigma = epsilon(z, sigma), z = xt / signal, from pure noise to 0 by Heun's method:
 *
 *   zEuler = z + (sigmaNext - sigma) epsilon(z, sigma)
 *   zNext  = z + (sigmaNext - sigma) (epsilon(z, sigma) + epsilon(zEuler, sigmaNext)) / 2
 *
 * through sigma_i = (sigmaMax^(1/rho) + i / (steps - 1) (sigmaMin^(1/rho) - sigmaMax^(1/rho)))^rho and then to 0, the
 * last step being Euler's, which gives x0hat. Deterministic. VP models take the same steps in their own units. Methods
 * that guide a step by its mean (DPS) get the Euler step. Cost: 2 steps - 1 forwards where the step is the scheduler's
 * own (none, exact), 1 a step where it is the Euler step. Karras et al. 2022, arXiv:2206.00364, Equation 5 and
 * Algorithm 1 with sigma(t) = t, s(t) = 1; no churn (Algorithm 2), which looks at a third level. Differs: sigmaMin and
 * sigmaMax default to the published ones only within the process's table.
 */
export const edm: SchedulerFactory<EdmOptions, EdmCoefficients> = ({ steps, rho, order, ...range }) => ({
  levels(process) {
    const { sigmaMin, sigmaMax } = sigmaRange(process, range, published);
    return levelsThrough(process, polynomialSigmas(sigmaMax, sigmaMin, steps, rho)).map(({ index, level, next }) => ({
      index,
      level,
      next,
      scoreWeight: (next.signal * level.noise ** 2) / level.signal - next.noise * level.noise,
      coefficients: {
        std: 0,
        // Nothing is corrected at sigma 0, where epsilon has no meaning.
        correction: index === 0 ? 0 : (next.signal * (next.sigma - level.sigma)) / 2,
        inverseNoise: index === 0 ? 0 : 1 / next.noise,
      },
    }));
  },

  transition: (xt, prediction, step) => ({ mean: eulerStep(xt, prediction, step), std: step.coefficients.std }),

  ...(order === 2 && {
    advance(denoise, xt, prediction, step) {
      const {
        level,
        next,
        coefficients: { correction, inverseNoise },
      } = step;
      const euler = eulerStep(xt, prediction, step);
      const { x0hat } = denoise(euler, next);
      const change = euler
        .sub(x0hat.mul(next.signal))
        .mul(inverseNoise)
        .sub(epsilonFromX0(xt, prediction.x0hat, level));
      return euler.add(change.mul(correction));
    },
  }),
});
