import { geometricSigmas, levelsThrough, reverseCoefficients, type SchedulerFactory, sigmaRange } from '@tweedie/core';

export interface VeOptions {
  readonly steps: number;
  /** Noise levels, sqrt((1 - alphaBar) / alphaBar) on a VP process; default: the ends of the process's table. */
  readonly sigmaMin?: number;
  readonly sigmaMax?: number;
  readonly noise: 'ancestral' | 'euler-maruyama';
}

type VeCoefficients = { readonly x0Weight: number; readonly xtWeight: number; readonly std: number };

/**
 * Stochastic steps of the variance-exploding process, through noise levels that are geometric between sigmaMax and
 * sigmaMin, then to 0. With z = xt / signal and its score s = (x0hat - z) / sigma^2:
 *
 *   zNext = z + (sigma^2 - sigmaNext^2) s + std noise,    std per `noise`:
 *     ancestral        sqrt((sigma^2 - sigmaNext^2) sigmaNext^2 / sigma^2), the standard deviation of q(zNext | z, x0)
 *     euler-maruyama   sqrt(sigma^2 - sigmaNext^2), that of the reverse stochastic differential equation over one step
 *
 * and xNext = signalNext zNext, so that VP models take the same steps in their own units. The last step (index 0) gives
 * x0hat, without noise. Cost a step: 1 forward. Song et al. 2021, arXiv:2011.13456, Equation 9 (levels), Appendix F
 * (ancestral), Algorithm 2 without corrector.
 */
export const ve: SchedulerFactory<VeOptions, VeCoefficients> = ({ steps, noise, ...range }) => ({
  levels(process) {
    const { sigmaMin, sigmaMax } = sigmaRange(process, range);
    return levelsThrough(process, geometricSigmas(sigmaMax, sigmaMin, steps)).map(({ index, level, next }) => {
      const { x0Weight, xtWeight, variance } = reverseCoefficients(level, next);
      const fresh = noise === 'ancestral' ? variance : next.signal ** 2 * (level.sigma ** 2 - next.sigma ** 2);
      return {
        index,
        level,
        next,
        scoreWeight: (x0Weight * level.noise ** 2) / level.signal,
        coefficients: { x0Weight, xtWeight, std: index === 0 ? 0 : Math.sqrt(fresh) },
      };
    });
  },

  transition: (xt, { x0hat }, { coefficients: { x0Weight, xtWeight, std } }) => ({
    mean: x0hat.mul(x0Weight).add(xt.mul(xtWeight)),
    std,
  }),
});
