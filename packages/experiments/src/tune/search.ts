import { ConfigError, keyedRandom } from '@tweedie/core';
import type { Method, Tune } from '../recipe/experiment.ts';
import { entryOn } from '../recipe/per-problem.ts';
import { planRow, type PlannedRow } from '../plan/rows.ts';
import { methodPart, type MethodPart, type MethodRow } from '../plan/parts.ts';
import type { Workbench } from '../plan/workbench.ts';
import { candidateValues, freeRanges, type Range, type Values } from './candidates.ts';
import { candidatesFor, samplesFor } from './rounds.ts';

/** What is searched: the free options of one row on one operator and noise level. */
export type Search = {
  readonly row: MethodRow;
  /** The row as it is, with the options that it has without tuning. */
  readonly planned: PlannedRow;
  readonly ranges: readonly Range[];
  /** Candidates that the budget allows. */
  readonly count: number;
};
export type Candidate = { readonly values: Values; readonly planned: PlannedRow };

/**
 * Cost of one sample in network forwards. A vjp counts as two: it runs the network forward, and back once to its
 * input.
 */
export const forwardsOf = ({ cost }: PlannedRow): number => cost.forwards + 2 * cost.vjps;

/** The fewest candidates for each option that is searched, whatever the method: fewer cannot show where it matters. */
export const FEWEST_PER_OPTION = 8;

const isTuned = ({ perProblem }: MethodRow): boolean =>
  perProblem.some(({ part }) => part.reference.found !== undefined);

/** The rows that a search is for. Tuned ones are left out: the new search replaces them. */
export const untunedRows = ({ methods }: Workbench): readonly MethodRow[] => methods.filter((row) => !isTuned(row));

const countFor = (
  { recipe }: Workbench,
  { images, budget, samples }: Tune,
  planned: PlannedRow,
  options: number,
): number => {
  const each = forwardsOf(planned) * samples;
  const fewest = FEWEST_PER_OPTION * options;
  const count = each === 0 ? fewest : candidatesFor(Math.floor(budget / each), images.count);
  if (count >= fewest) return count;
  const {
    operator,
    sigmaY,
    method: { reference },
  } = planned;
  throw new ConfigError(
    `${recipe.where} /tune/budget`,
    `${budget} network forwards are too few for ${JSON.stringify(reference.label)} on ${operator.reference.label} at sigmaY ${sigmaY}: ${samples === 1 ? 'a sample costs' : `${samples} samples of an image cost`} ${each}, and ${fewest} candidates on ${images.count} images need ${each * samplesFor(fewest, images.count)}.`,
    'Raise the budget to that, or lower the number of images or steps.',
  );
};

/**
 * Every search of an experiment, operator by operator. Pairs that cannot run have none, nor have rows whose tunable
 * options are all given.
 */
export const planSearches = (bench: Workbench, tune: Tune): readonly Search[] =>
  bench.recipe.locating(() =>
    bench.operators.flatMap((operator) =>
      bench.experiment.sigmaY.flatMap((sigmaY) =>
        untunedRows(bench).flatMap((row): Search[] => {
          const part = entryOn(row.perProblem, operator.reference.label, sigmaY)?.part ?? row;
          const planned = planRow(bench, operator, sigmaY, part);
          const ranges = freeRanges(bench.registry.find('guidance', part.reference.id), part.reference.given);
          return planned.impossible !== undefined || ranges.length === 0
            ? []
            : [{ row, planned, ranges, count: countFor(bench, tune, planned, ranges.length) }];
        }),
      ),
    ),
  );

/**
 * Makes the candidates of all searches. They depend on the seed and the number of free options alone, so every method
 * and problem is searched at the same places of its ranges; equal options are one object, which is bound once for all
 * noise levels.
 */
export const makeCandidates = async (
  bench: Workbench,
  { seed }: Tune,
  searches: readonly Pick<Search, 'planned' | 'ranges' | 'count'>[],
): Promise<readonly (readonly Candidate[])[]> => {
  const parts = new Map<string, MethodPart>();
  const partOf = async (reference: Method): Promise<MethodPart> => {
    const key = JSON.stringify([reference.label, reference.options, reference.scheduler]);
    const part = parts.get(key) ?? (await methodPart(bench.container, bench.model, reference));
    parts.set(key, part);
    return part;
  };
  const all: Candidate[][] = [];
  for (const {
    planned: {
      operator,
      sigmaY,
      method: { reference },
    },
    ranges,
    count,
  } of searches) {
    const start = keyedRandom(`tune ${seed}`).uniform('candidates', ranges.length);
    const candidates: Candidate[] = [];
    for (const values of candidateValues(ranges, reference.options, start, count)) {
      const label = `${reference.label} ${Object.entries(values)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`;
      const part = await partOf({
        ...reference,
        label,
        options: { ...reference.options, ...values },
        given: { ...reference.given, ...values },
      });
      const planned = planRow(bench, operator, sigmaY, part);
      if (planned.impossible === undefined) candidates.push({ values, planned });
    }
    all.push(candidates);
  }
  return all;
};
