/**
 * The floor of the steps: where the posterior is known, its exact score with the scheduler and the steps of the recipe.
 * What such a row is from independent draws no guidance can mend, for it is the error of the steps alone.
 */
import { canonicalJson, closedFormRefusal, ConfigError, resolveOptions, type JsonSchema } from '@tweedie/core';
import type { Method, Reference } from '../recipe/experiment.ts';
import { FEWEST_SAMPLES } from '../statistics/measures.ts';
import { methodPart, type OperatorPart } from './parts.ts';
import { benchesOf, operatorOn, type Workbench } from './workbench.ts';

/** Why the posterior of an operator is not known, as far as it is known before the prior is read. */
export const posteriorRefusal = ({ experiment, model }: Workbench, { operator }: OperatorPart): string | undefined =>
  experiment.poisson === undefined ? closedFormRefusal({ model, operator }) : "the noise is Poisson's";

/** What a step of most guided methods costs, a forward and a vjp. */
const USUAL_STEP = 3;

/** The scheduler of the row: the recipe's, under a budget with the steps of a method of one forward and one vjp. */
const schedulerOf = ({ experiment, registry, model }: Workbench): Reference => {
  const { scheduler, budget } = experiment;
  const { properties = {} } = registry.find('scheduler', scheduler.id).options as {
    readonly properties?: Readonly<Record<string, JsonSchema>>;
  };
  if (budget === undefined || !('steps' in properties)) return scheduler;
  const steps = Math.min(Math.max(1, Math.floor(budget / USUAL_STEP)), model.process.table.length);
  return { ...scheduler, options: { ...scheduler.options, steps } };
};

/** The reasons why no problem has a known posterior; empty where one has. */
const unknownEverywhere = (bench: Workbench): readonly string[] => {
  const reasons = benchesOf(bench).flatMap((own) =>
    bench.operators.map((operator) => posteriorRefusal(own, operatorOn(own, operator))),
  );
  const refused = reasons.filter((reason) => reason !== undefined);
  return refused.length === reasons.length ? [...new Set(refused)] : [];
};

/** A name that no row has. */
const freeLabel = (label: string, taken: readonly string[]): string =>
  taken.includes(label) ? freeLabel(`${label}, floor`, taken) : label;

/**
 * The workbench with the row, as its last method, unless the recipe says `floor: false`, has fewer samples than mark a
 * row and does not ask for it, knows no posterior, or lists that very row itself.
 */
export const withStepFloor = async (bench: Workbench): Promise<Workbench> => {
  const { experiment, registry, container, model, recipe, methods } = bench;
  const asked = experiment.floor ?? experiment.samples >= FEWEST_SAMPLES;
  if (!asked) return bench;
  const reasons = unknownEverywhere(bench);
  if (reasons.length > 0) {
    if (experiment.floor !== true) return bench;
    throw new ConfigError(
      `${recipe.where} /floor`,
      `the floor is the exact score of the posterior, and none is known here: ${reasons.join('; ')}.`,
      'Take it out.',
    );
  }
  const id = 'exact';
  const options = resolveOptions(registry.find('guidance', id), {}, recipe.where, '/floor');
  const scheduler = schedulerOf(bench);
  const key = canonicalJson({ id, options, scheduler });
  const isListed = methods.some(
    ({ reference }) =>
      canonicalJson({ id: reference.id, options: reference.options, scheduler: reference.scheduler }) === key,
  );
  if (isListed) return bench;
  const reference: Method = { id, label: '', options, given: {}, scheduler, perProblem: [], floor: true };
  const part = await methodPart(container, model, reference);
  const label = freeLabel(
    `exact score, ${scheduler.id} ${part.steps.length}`,
    methods.map(({ reference: { label } }) => label),
  );
  const row = { ...part, reference: { ...reference, label }, perProblem: [] };
  return {
    ...bench,
    experiment: { ...experiment, methods: [...experiment.methods, row.reference] },
    methods: [...methods, row],
  };
};
