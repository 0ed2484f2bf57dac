import { ConfigError, conflict, type Cost } from '@tweedie/core';
import { noiseOf } from '../recipe/experiment.ts';
import { entryOn } from '../recipe/per-problem.ts';
import { costOf, type MethodPart, type OperatorPart } from './parts.ts';
import { benchesOf, operatorOn, type Workbench } from './workbench.ts';

export type PlannedRow = {
  readonly operator: OperatorPart;
  readonly sigmaY: number;
  readonly method: MethodPart;
  /** Why the row cannot run; absent where it can. */
  readonly impossible?: string;
  /** Network calls for one sample. */
  readonly cost: Omit<Cost, 'operatorCalls'>;
  /** What a sample costs where it calls no network. */
  readonly work?: string;
  /** Time that the whole row would take on this machine, where it was asked for. */
  readonly seconds?: number;
  /** Label of the row that was timed in place of this one, from which it differs in numbers that cost nothing. */
  readonly timedAs?: string;
};

/** A row as it runs on the images of one shape: with the operator that was made for them. */
export const rowOn = (bench: Workbench, row: PlannedRow): PlannedRow => ({
  ...row,
  operator: operatorOn(bench, row.operator),
});

/** A floor that nobody asked for on this problem, whose posterior is not known: no row, and no reason to refuse. */
export const isDropped = ({ impossible, method }: PlannedRow): boolean =>
  impossible !== undefined && method.reference.floor === true;

/** The rows of an experiment, one for each operator, noise level and method, in the order in which they run. */
export const planRows = (bench: Workbench): readonly PlannedRow[] => {
  const { experiment, operators, methods } = bench;
  return operators.flatMap((operator) =>
    experiment.sigmaY.flatMap((sigmaY) =>
      methods.flatMap((row): readonly PlannedRow[] => {
        const own = entryOn(row.perProblem, operator.reference.label, sigmaY);
        const planned = planRow(bench, operator, sigmaY, own?.part ?? row);
        if (
          own === undefined &&
          planned.impossible === undefined &&
          row.perProblem.some(({ part }) => part.reference.found !== undefined)
        )
          refuseUntuned(bench, planned);
        return isDropped(planned) ? [] : [planned];
      }),
    ),
  );
};

/** Refuses a row that was tuned on other problems only: it would pass options for tuned that were not. */
const refuseUntuned = ({ recipe }: Workbench, { operator, sigmaY, method }: PlannedRow): never => {
  throw new ConfigError(
    recipe.where,
    `method ${JSON.stringify(method.reference.label)} has tuned options, but none for operator ${JSON.stringify(operator.reference.label)} at sigmaY ${sigmaY}.`,
    'Run tweedie tune again, which replaces its rows, or add the options under perProblem.',
  );
};

/** Plans one method on one operator and noise level. */
export const planRow = (bench: Workbench, operator: OperatorPart, sigmaY: number, method: MethodPart): PlannedRow => {
  const { experiment, registry, model } = bench;
  const modelManifest = registry.find('model', experiment.model.id);
  const manifest = registry.find('guidance', method.reference.id);
  const conflictOn = (own: Workbench): string | undefined =>
    conflict(
      {
        model: own.model,
        operator: operatorOn(own, operator).operator,
        scheduler: method.scheduler,
        guidance: method.guidance,
        noise: noiseOf(experiment, sigmaY),
      },
      { model: modelManifest, operator: registry.find('operator', operator.reference.id), guidance: manifest },
    );
  const [impossible] = benchesOf(bench).flatMap((own) => conflictOn(own) ?? []);
  const cost = costOf(registry, model, operator.operator, method, sigmaY);
  const { work } = manifest;
  return {
    operator,
    sigmaY,
    method,
    cost,
    ...(work !== undefined && impossible === undefined && cost.forwards + cost.vjps === 0 ? { work } : {}),
    ...(impossible === undefined ? {} : { impossible }),
  };
};

/** Items whose rows share method and operator, so that one binding serves them; in the order of their first. */
export const bySetting = <T>(
  items: readonly T[],
  rowOf: (item: T) => Pick<PlannedRow, 'operator' | 'method'>,
): readonly (readonly T[])[] => {
  const groups: T[][] = [];
  const found = new Map<MethodPart, Map<OperatorPart, T[]>>();
  for (const item of items) {
    const { operator, method } = rowOf(item);
    const ofMethod = found.get(method) ?? new Map<OperatorPart, T[]>();
    found.set(method, ofMethod);
    const group = ofMethod.get(operator) ?? [];
    if (group.length === 0) groups.push(group);
    ofMethod.set(operator, group);
    group.push(item);
  }
  return groups;
};

/** Throws where rows are impossible and the recipe does not say `impossible: skip`. */
export const refuseImpossible = ({ experiment, recipe }: Workbench, rows: readonly PlannedRow[]): void => {
  if (experiment.impossible === 'skip') return;
  const reasons = new Set(
    rows.flatMap((row) => {
      const { impossible, operator, method } = row;
      return impossible === undefined || isDropped(row)
        ? []
        : [
            `method "${method.reference.label}" cannot work with operator "${operator.reference.label}": ${impossible}.`,
          ];
    }),
  );
  if (reasons.size === 0) return;
  throw new ConfigError(
    recipe.where,
    [...reasons].join('\n  '),
    'Take the pair out, or say "impossible: skip" to show such rows as skipped.',
  );
};
