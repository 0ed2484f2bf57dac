/** Equal cost: the number of steps of each row follows from what a sample may cost. */
import { ConfigError, type Container, type JsonSchema, type Registry, type ScoreModel } from '@tweedie/core';
import type { Method } from '../recipe/experiment.ts';
import { entryOn } from '../recipe/per-problem.ts';
import { costOf, methodPart, type MethodPart, type MethodRow, type OperatorPart } from './parts.ts';

type Setting = {
  readonly container: Container;
  readonly registry: Registry;
  readonly model: ScoreModel;
  readonly operators: readonly OperatorPart[];
  readonly sigmaY: readonly number[];
  /** Forwards + 2 vjps for one sample. */
  readonly budget: number;
  readonly where: string;
};

/** The fewest steps that a budget may come to. */
const FEWEST = 2;

/** The method with so many steps: those of its own levels where it has some, of its scheduler otherwise. */
const withSteps = (registry: Registry, { reference, guidance }: MethodPart, count: number): Method | undefined => {
  const has = (schema: JsonSchema, name: string): boolean =>
    name in ((schema as { properties?: Readonly<Record<string, object>> }).properties ?? {});
  if (guidance.levels === undefined) {
    const { id, options } = reference.scheduler;
    if (!has(registry.find('scheduler', id).options as JsonSchema, 'steps')) return undefined;
    return { ...reference, scheduler: { id, options: { ...options, steps: count } } };
  }
  if (!has(registry.find('guidance', reference.id).options as JsonSchema, 'levels')) return undefined;
  return {
    ...reference,
    options: { ...reference.options, levels: count },
    given: { ...reference.given, levels: count },
  };
};

/** The method with the most steps that cost no more than the budget on one problem. */
const fitted = async (setting: Setting, base: MethodPart, operator: OperatorPart, sigmaY: number) => {
  const { container, registry, model, budget, where } = setting;
  const spent = (part: MethodPart): number => {
    const { forwards, vjps } = costOf(registry, model, operator.operator, part, sigmaY);
    return forwards + 2 * vjps;
  };
  // A draw in closed form costs no network: its steps are those of the recipe.
  if (spent(base) === 0) return base;
  const { label } = base.reference;
  const make = async (count: number): Promise<MethodPart> => {
    const reference = withSteps(registry, base, count);
    if (reference === undefined)
      throw new ConfigError(
        `${where} /budget`,
        `the number of steps of method ${JSON.stringify(label)} does not follow from a budget: it has no option that says it.`,
        'Leave budget out and give steps.',
      );
    return methodPart(container, model, reference);
  };
  let [low, high] = [FEWEST, Math.min(budget, model.process.table.length)];
  let best = await make(low);
  if (spent(best) > budget)
    throw new ConfigError(
      `${where} /budget`,
      `${budget} is too little for method ${JSON.stringify(label)} on operator ${JSON.stringify(operator.reference.label)}: ${FEWEST} steps cost ${spent(best)} (forwards + 2 vjps).`,
      'Raise the budget.',
    );
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const part = await make(middle);
    if (spent(part) <= budget) [low, best] = [middle, part];
    else high = middle - 1;
  }
  return best;
};

/** Every method with the steps that the budget allows on each problem. */
export const withinBudget = async (setting: Setting, methods: readonly MethodRow[]): Promise<readonly MethodRow[]> => {
  const rows: MethodRow[] = [];
  for (const row of methods) {
    const perProblem: MethodRow['perProblem'][number][] = [];
    for (const operator of setting.operators) {
      for (const sigmaY of setting.sigmaY) {
        const name = operator.reference.label;
        const own = entryOn(row.perProblem, name, sigmaY);
        // A row that was tuned on other problems is refused by the plan, as without a budget.
        if (own === undefined && row.perProblem.some(({ part }) => part.reference.found !== undefined)) continue;
        const part = await fitted(setting, own?.part ?? row, operator, sigmaY);
        perProblem.push({ operator: name, sigmaY, part });
      }
    }
    rows.push({ ...row, perProblem });
  }
  return rows;
};
