import {
  closedFormRefusal,
  denoiserCalls,
  type Guidance,
  type GuidanceFactory,
  type Setting,
  type TensorTree,
} from '@tweedie/core';
import { closedFormSampler } from './closed-form.ts';
import { denoisingSampler } from './denoising.ts';

export interface ExactOptions {
  readonly path: 'auto' | 'denoiser' | 'score' | 'closed-form';
  /** Clamp x0hat to the model's pixel range, where it has one. */
  readonly clamp: boolean;
}

/**
 * The exact score of p(xt | y): ordinary sampling with x0hat := E[x0 | xt, y]. What remains is the discretisation of
 * the schedule.
 *
 *   A = I, any model             E[x0 | xt, y] = D(x*, sigma*), the prior's own denoiser at the combined point
 *                                (Proposition 4.1); path 'score' goes through Equation 8 instead and must agree
 *   any linear A, mixture prior  E[x0 | xt, y] in closed form (docs/methods.md 3.5)
 *
 * Cost a step: 1 forward (2 where the scheduler uses the network's variance at xt), 0 vjps; the closed form calls no
 * network at all. Bellchambers 2025, arXiv:2506.13614, Propositions 4.1, 4.2, Equations 8, 38. Differs from the paper:
 * the scheduler gets the conditional mean as x0hat, not the score as epsilon; operators without inverse are integrated
 * out (docs/methods.md 3.5).
 */
export const exact: GuidanceFactory<ExactOptions, TensorTree> = ({ path, clamp }): Guidance<TensorTree> => {
  const chosen = ({ operator }: Pick<Setting, 'operator'>) =>
    path !== 'auto' ? path : operator.identity === true ? 'denoiser' : 'closed-form';
  return {
    refuses(parts) {
      if (chosen(parts) === 'closed-form') return closedFormRefusal(parts);
      return parts.operator.identity === true
        ? undefined
        : `path '${path}' is exact only for A = I; use 'closed-form' with a prior in closed form`;
    },
    cost: (parts, steps) => ({
      forwards:
        ((chosen(parts) === 'closed-form' ? 0 : 1) + (parts.scheduler.usesVariance === true ? 1 : 0)) *
        denoiserCalls(parts.scheduler, steps.length),
      vjps: 0,
    }),
    bind: (setting) => {
      const range = clamp ? setting.model.range : undefined;
      const way = chosen(setting);
      return way === 'closed-form' ? closedFormSampler(setting, range) : denoisingSampler(setting, way, range);
    },
  };
};
