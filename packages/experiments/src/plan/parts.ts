import { stepsOf } from '@tweedie/core';
import type {
  Container,
  Cost,
  Guidance,
  Operator,
  Registry,
  Scheduler,
  ScoreModel,
  Step,
  TensorTree,
} from '@tweedie/core';
import type { Labelled, Method } from '../recipe/experiment.ts';

export type OperatorPart = { readonly reference: Labelled; readonly operator: Operator };
export type MethodPart = {
  readonly reference: Method;
  readonly guidance: Guidance<TensorTree>;
  readonly scheduler: Scheduler;
  readonly steps: readonly Step[];
};
/** A method as the recipe lists it, and the same method with the options that it has on single problems. */
export type MethodRow = MethodPart & {
  readonly perProblem: readonly { readonly operator: string; readonly sigmaY?: number; readonly part: MethodPart }[];
};

/** Makes a method with its scheduler. */
export const methodPart = async (container: Container, model: ScoreModel, reference: Method): Promise<MethodPart> => {
  const scheduler = await container.plugin('scheduler', reference.scheduler);
  const guidance = await container.plugin('guidance', reference);
  return { reference, guidance, scheduler, steps: stepsOf(guidance, scheduler, model.process) };
};

/** Network calls for one sample: what the method says of itself, or else what its manifest says of a step. */
export const costOf = (
  registry: Registry,
  model: ScoreModel,
  operator: Operator,
  { reference, guidance, scheduler, steps }: MethodPart,
  sigmaY: number,
): Omit<Cost, 'operatorCalls'> => {
  const { forwards, vjps } = registry.find('guidance', reference.id).costPerStep ?? { forwards: 1, vjps: 0 };
  const claimed = guidance.cost?.({ model, operator, scheduler }, steps, sigmaY);
  return claimed ?? { forwards: forwards * steps.length, vjps: vjps * steps.length };
};
