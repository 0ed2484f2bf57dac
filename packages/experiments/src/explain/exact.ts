import {
  conflict,
  adjointOf,
  bindGuidance,
  ConfigError,
  disposeTree,
  scoped,
  stackProblems,
  tf,
  toVe,
  VARIANCE_FLOOR,
  type BoundGuidance,
  type Engine,
  type Image,
  type ImageShape,
  type LevelTensors,
  type MeasuredTensors,
  type Operator,
  type Problem,
  type Step,
  type StepRandom,
} from '@tweedie/core';
import { noiseOf } from '../recipe/experiment.ts';
import { withImage } from './state.ts';
import type { PlannedRow } from '../plan/rows.ts';
import type { Workbench } from '../plan/workbench.ts';

/** The exact posterior of one batch of problems, at any state and level. */
export type ExactPosterior = {
  /** E[x0 | xt, y], [B, H, W, C]. */
  mean(xt: Image, step: Step): Promise<Image>;
  dispose(): void;
};
export type ExactReference = { start(problems: readonly Problem[]): Promise<ExactPosterior>; dispose(): void };

/** Random numbers that are none, for what does not depend on them: the state of a start, and the x0hat of a step. */
const silence: StepRandom = {
  normal: ((_, shape) => tf.zeros([...shape])) as StepRandom['normal'],
  uniform: (_, shape) => tf.fill([...shape], 0.5),
};

const bindExact = async (
  { container, registry, experiment, model }: Workbench,
  { operator: { reference, operator }, method: { scheduler }, sigmaY }: PlannedRow,
  engine: Engine,
): Promise<BoundGuidance | string> => {
  const guidance = await container.plugin('guidance', { id: 'exact', options: { clamp: false } });
  const reason = conflict(
    { model, operator, scheduler, guidance, noise: noiseOf(experiment, sigmaY) },
    {
      model: registry.find('model', experiment.model.id),
      operator: registry.find('operator', reference.id),
      guidance: registry.find('guidance', 'exact'),
    },
  );
  if (reason !== undefined) return reason;
  try {
    return await bindGuidance(guidance, { engine, model, operator, scheduler });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
};

/**
 * The exact conditional mean of a row's problems: x0hat of `guidance/exact` at the states of another method. It is
 * there where that method works (A = I with any model, any linear A with a prior in closed form); otherwise its reason
 * comes back.
 */
export const exactReference = async (
  bench: Workbench,
  row: PlannedRow,
  engine: Engine,
): Promise<ExactReference | string> => {
  const bound = await bindExact(bench, row, engine);
  if (typeof bound === 'string') return bound;
  const {
    sampler,
    steps: [first],
  } = bound;
  if (first === undefined) return 'the schedule has no steps';
  return {
    async start(problems) {
      const problem = stackProblems(problems);
      const begun = await scoped(async () => (await sampler.start?.(problem, first, silence)) ?? []);
      return {
        async mean(xt, { level, next, index }) {
          // x0hat depends on the level alone; the coefficients are there because the compiled step expects the
          // scheduler's.
          const { x0hat } = await sampler.step(
            withImage(begun, xt),
            { ...first, index, level, next },
            problem,
            silence,
          );
          if (x0hat === undefined) throw new Error('guidance/exact returned no x0hat.');
          return x0hat;
        },
        dispose: () => disposeTree([begun, problem]),
      };
    },
    dispose: () => bound.dispose(),
  };
};

/**
 * A^T (sigmaY^2 I + sigma^2 A A^T)^-1 (y - A z) / signal, z = xt / signal: the term of the score of p(xt | y) that does
 * not know the prior, for any linear A that solves (docs/methods.md 3.5); (y - z) / (sigma^2 + sigmaY^2) / signal for
 * A = I (Equation 8 of arXiv:2506.13614). Pure.
 */
export const dataTermOf = (operator: Operator, imageShape: ImageShape) => {
  const { solve } = operator;
  if (!operator.linear || solve === undefined) return undefined;
  const adjoint = adjointOf(operator, imageShape);
  return (xt: Image, level: LevelTensors, { y, sigmaY, drawn }: MeasuredTensors): Image => {
    const variance = level.sigma.square();
    const ridge = sigmaY.square().maximum(VARIANCE_FLOOR).div(variance);
    return adjoint(solve(y.sub(operator.forward(toVe(xt, level), drawn)), ridge, drawn), drawn).div(
      variance.mul(level.signal),
    );
  };
};
