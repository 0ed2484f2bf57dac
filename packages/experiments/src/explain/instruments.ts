import {
  clampedDenoiser,
  reverseStep,
  sampleSum,
  valueAndGrad,
  type Compiled,
  type Engine,
  type Image,
  type LevelTensors,
  type Measured,
  type MeasuredTensors,
  type Step,
  type StepTensors,
} from '@tweedie/core';
import { dataTermOf, exactReference, type ExactReference } from './exact.ts';
import type { PlannedRow } from '../plan/rows.ts';
import type { Workbench } from '../plan/workbench.ts';

/** An image that the measurement and a noisy state tell at a level. */
type AtLevel = (xt: Image, level: Step['level'], problem: Measured) => Promise<Image>;

/**
 * The functions that look at the states of any method on one operator with one scheduler; compiled once for all of
 * them.
 */
export type Instruments = {
  /** E[x0 | xt] and epsilon of the model, nothing clamped. */
  predict(xt: Image, level: Step['level']): Promise<{ readonly x0hat: Image; readonly epsilon: Image }>;
  /** The unconditional move, x0hat clamped to the model's range as methods do by default. */
  free(xt: Image, step: Step, noise: Image): Promise<Image>;
  /** -d/dxt || y - A(x0hat(xt)) ||^2, through the model. */
  readonly direction?: AtLevel;
  readonly dataTerm?: AtLevel;
  /** The exact posterior, or why there is none. */
  readonly exact: ExactReference | string;
  /** Reasons why the instruments cannot show something, by its name. */
  readonly absent: Readonly<Record<string, string>>;
  dispose(): void;
};

export const createInstruments = async (bench: Workbench, row: PlannedRow, engine: Engine): Promise<Instruments> => {
  const { model, registry, experiment } = bench;
  const {
    operator: { operator, reference },
    method: { scheduler },
  } = row;
  const denoised = clampedDenoiser(model, model.range);
  const predict = engine.compile((xt: Image, level: LevelTensors) => {
    const { x0hat, epsilon } = model.predict(xt, level);
    return { x0hat, epsilon };
  });
  const free = engine.compile(
    (xt: Image, step: StepTensors, noise: Image) => reverseStep(scheduler, denoised, xt, step, noise).state,
  );
  const differentiable =
    registry.find('model', experiment.model.id).provides.includes('model.gradient') &&
    registry.find('operator', reference.id).provides.includes('operator.gradient');
  const direction = differentiable
    ? engine.compile((xt: Image, level: LevelTensors, { y, drawn }: MeasuredTensors) =>
        valueAndGrad(
          (x) => [sampleSum(y.sub(operator.forward(denoised(x, level).x0hat, drawn)).square()), []],
          xt,
        ).gradient.neg(),
      )
    : undefined;
  const pure = dataTermOf(operator, model.imageShape);
  const dataTerm = pure && engine.compile(pure);
  const exact = await exactReference(bench, row, engine);
  const compiled: readonly (Pick<Compiled<never, unknown>, 'dispose'> | undefined)[] = [
    predict,
    free,
    direction,
    dataTerm,
  ];
  return {
    predict,
    free,
    ...(direction && { direction }),
    ...(dataTerm && { dataTerm }),
    exact,
    absent: {
      ...(typeof exact === 'string'
        ? { 'exact score': exact }
        : dataTerm
          ? {}
          : { 'two terms': operator.linear ? 'the operator has no solve' : 'the operator is not linear' }),
      ...(direction ? {} : { weights: 'the model or the operator has no gradient' }),
    },
    dispose() {
      for (const fn of compiled) fn?.dispose();
      if (typeof exact !== 'string') exact.dispose();
    },
  };
};
