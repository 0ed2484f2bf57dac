/** What a search decides by: a metric, a measure of the samples of an image as a set, or the misfit. */
import { at, ConfigError, type Metric } from '@tweedie/core';
import type { Workbench } from '../plan/workbench.ts';
import type { Tune } from '../recipe/experiment.ts';
import { missesOf } from '../results/posterior.ts';
import { perImageOf } from '../results/summary.ts';
import { posteriorRefusal } from '../plan/step-floor.ts';
import { measureKey } from '../run/measure-keys.ts';
import { measureOf, needsPosterior } from '../statistics/measures.ts';
import { MISFIT } from '../run/misfit.ts';
import type { Results } from '../run/results.ts';
import { meanCell, type IndexRow, type RunIndex } from '../run/run-index.ts';
import type { Search } from './search.ts';

export type Deciding = {
  /** As readers are told: `psnr`, `|misfit - 1|`. */
  readonly name: string;
  readonly better: Metric['better'];
  /** Metrics that are to be made and scored: one, or none. */
  readonly metrics: readonly Metric[];
  /** The score of each image of the rows of a run; null where there is none. */
  scores(index: RunIndex, store: Pick<Results, 'cells' | 'scores'>): Promise<readonly (readonly (number | null)[])[]>;
};

/** Misfit 1 is the level of the noise. */
const MISFIT_GOAL = { goal: 1 } as const;

const byMisfit: Deciding = {
  name: '|misfit - 1|',
  better: 'lower',
  metrics: [],
  async scores(index, store) {
    const [cells, values] = [await store.cells(), await store.scores(MISFIT)];
    return index.rows.map((row) => missesOf(perImageOf(index, row, cells, values), MISFIT_GOAL));
  },
};

const byMeasure = (id: string): Deciding => {
  const measure = measureOf(id);
  if (measure === undefined) throw new RangeError(`there is no measure ${id}.`);
  const { goal } = measure;
  const ofRow = (row: IndexRow, values: ReadonlyMap<string, number>) =>
    row.cells.map((samples) => values.get(meanCell(samples)) ?? null);
  return {
    name: typeof goal === 'number' ? `|${id} - ${goal}|` : goal === 'higher' ? `-${id}` : id,
    better: 'lower',
    metrics: [],
    async scores(index, store) {
      const values = await store.scores(measureKey(id));
      return index.rows.map((row) => missesOf(ofRow(row, values), measure));
    },
  };
};

const byMetric = (name: string, metric: Metric): Deciding => ({
  name,
  better: metric.better,
  metrics: [metric],
  async scores(index, store) {
    const { key } = at(index.metrics, 0, 'metric of the index');
    const [cells, values] = [await store.cells(), await store.scores(key)];
    return index.rows.map((row) => perImageOf(index, row, cells, values));
  },
});

/** What the settings name; `metric` is the one of that label, where it is a metric. */
export const decidingBy = ({ kind, metric: name }: Tune, metric: Metric | undefined): Deciding =>
  kind === 'misfit' ? byMisfit : metric === undefined ? byMeasure(name) : byMetric(name, metric);

/** Refuses to choose by what the problems of the searches do not have. */
export const checkDeciding = (bench: Workbench, { kind, metric }: Tune, searches: readonly Search[]): void => {
  const where = `${bench.recipe.where} /tune/metric`;
  for (const { operator, sigmaY } of searches.map(({ planned }) => planned)) {
    const { label } = operator.reference;
    if (kind === 'misfit' && sigmaY === 0)
      throw new ConfigError(where, `misfit is in units of the noise, and ${label} has sigmaY 0.`, 'Choose a metric.');
    if (kind !== 'measure' || !needsPosterior(metric)) continue;
    const why = posteriorRefusal(bench, operator);
    if (why !== undefined)
      throw new ConfigError(
        where,
        `${metric} is a distance to the posterior, which is not known on ${label}: ${why}.`,
        'Choose crps, spreadSkill, misfit or a metric.',
      );
  }
};
