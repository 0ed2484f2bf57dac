/** How far the rows of a table are from the posterior, what independent draws of it score, and which row is marked. */
import { at } from '@tweedie/core';
import { FLOOR_SETS, floorCell, measureKey, MODES } from '../run/measure-keys.ts';
import { DECIDES, FEWEST_SAMPLES, type Measure, measures } from '../statistics/measures.ts';
import { meanCell, type IndexRow, type RunIndex } from '../run/run-index.ts';
import type { Results } from '../run/results.ts';
import { uniformP } from '../statistics/calibration.ts';
import { rateOf, type Rate } from '../statistics/spread.ts';
import { mean, tInterval } from '../statistics/statistics.ts';
import { compareRows, estimate, type Estimate, finite, type MetricSummary } from './compare-rows.ts';

/** What as many independent draws of the posterior score: the mean, and where 95 % of such rows would be. */
export type Floor = { readonly mean: number; readonly low: number; readonly high: number };

/** One measure of a row: its mean over images with the half width of its 95 % t interval. */
export type MeasureSummary = Estimate & {
  readonly perImage: readonly (number | null)[];
  readonly floor?: Floor;
  /**
   * Of a rank: how often a region of 90 % holds the image, `mean` too, with Wilson's interval; and the p of the test
   * that ranks are uniform, where there are five images or more.
   */
  readonly coverage?: Rate & { readonly uniformP?: number };
};

export type Modes = { readonly mean: number; readonly least: number; readonly most: number };

/** Distances of a row, where something is known of them. */
export type RowDistance = {
  readonly measures?: ReadonlyMap<string, MeasureSummary>;
  /** How far the deciding measure is from that of independent draws, against the other rows; decides who is marked. */
  readonly distance?: MetricSummary;
  /** Modes of the posterior that count, 1 / sum of squared weights: mean over images, least and most. */
  readonly modes?: Modes;
  /** Why no row of the table is marked; absent where one may be. */
  readonly unmarked?: string;
};

/** The share of a credible region whose coverage is told. */
const LEVEL = 0.9;
const FEWEST_FOR_UNIFORM = 5;

/**
 * Where the mean of one more set of draws would be, 95 times of 100: the prediction interval of a normal, at least
 * `grain` to each side, which a share of few images is told to.
 */
const floorOf = (sets: readonly number[], grain: number): Floor | undefined => {
  const values = sets.filter(Number.isFinite);
  if (values.length < 2) return undefined;
  const center = mean(values);
  // The t interval of the mean is a root of n narrower than the spread; a new value adds its own.
  const half = Math.max(grain, (center - tInterval(values)[0]) * Math.sqrt(values.length + 1));
  return { mean: center, low: center - half, high: center + half };
};

const summaryOf = (
  measure: Measure,
  perImage: readonly (number | null)[],
  floor: Floor | undefined,
): MeasureSummary => {
  const values = perImage.filter(finite);
  const common = { perImage, ...(floor === undefined ? {} : { floor }) };
  if (measure.rank !== true) return { ...estimate(values), ...common };
  const rate = rateOf(values.map((share) => Number(share < LEVEL)));
  return {
    ...estimate(values.map((share) => Number(share < LEVEL))),
    ...common,
    ...(rate === undefined
      ? {}
      : { coverage: { ...rate, ...(values.length < FEWEST_FOR_UNIFORM ? {} : { uniformP: uniformP(values) }) } }),
  };
};

/** Rows that others are measured by: the posterior, its mean, and what the steps alone leave. */
const isReference = ({ truth, floor }: Pick<IndexRow, 'truth' | 'floor'>): boolean =>
  truth !== undefined || floor === true;

/**
 * Scores to compare, less is better: how far those of a row are from their goal, a number on the side on which the
 * mean of the row is. Of distances it is 1, what independent draws have: samples that are a little too narrow come
 * below it, so less is not closer.
 */
export const missesOf = (
  perImage: readonly (number | null)[],
  { goal }: Pick<Measure, 'goal'>,
): readonly (number | null)[] => {
  const values = perImage.filter(finite);
  if (typeof goal !== 'number')
    return perImage.map((value) => (finite(value) ? (goal === 'lower' ? value : -value) : null));
  const side = values.length > 0 && mean(values) < goal ? -1 : 1;
  return perImage.map((value) => (finite(value) ? side * (value - goal) : null));
};

/** Why no row of a table with a known posterior is marked; undefined where distance decides. */
const unmarkedOf = (samples: number, scored: readonly (readonly (number | null)[])[]): string | undefined => {
  if (samples < FEWEST_SAMPLES)
    return `the posterior is known, so distance to it would mark a row, and that takes ${FEWEST_SAMPLES} samples an image or more; here ${samples === 1 ? 'there is 1' : `there are ${samples}`}`;
  if (scored.every((perImage) => !perImage.some(finite)))
    return 'the posterior is known, and no distance to it is there';
  return undefined;
};

/**
 * Distances of the rows of one table. Rows are marked by the deciding measure alone where the posterior is known, and
 * the rows that are the posterior never.
 */
export const distancesOf = async (
  index: RunIndex,
  rows: readonly IndexRow[],
  store: Pick<Results, 'scores'>,
): Promise<readonly RowDistance[]> => {
  const found = new Map<string, ReadonlyMap<string, number>>();
  // One sample of an image has no measures: nothing is asked of the store.
  if (index.samples > 1) for (const { id } of measures) found.set(id, await store.scores(measureKey(id)));
  const scoresOf = (id: string): ReadonlyMap<string, number> => found.get(id) ?? new Map();
  const problems = rows.find(({ problems }) => problems.length > 0)?.problems ?? [];
  const modes = await store.scores(measureKey(MODES));
  const counts = problems.map((hash) => modes.get(floorCell(hash, index.samples, 0))).filter(finite);

  const floors = new Map(
    measures.flatMap((measure) => {
      const sets = Array.from({ length: FLOOR_SETS }, (_, set) => {
        const values = problems
          .map((hash) => scoresOf(measure.id).get(floorCell(hash, index.samples, set)))
          .filter(finite)
          .map((value) => (measure.rank === true ? Number(value < LEVEL) : value));
        return values.length > 0 ? mean(values) : NaN;
      });
      const floor = floorOf(sets, measure.rank === true ? 1 / problems.length : 0);
      return floor === undefined ? [] : [[measure.id, floor] as const];
    }),
  );
  const perImage = (row: IndexRow, id: string): readonly (number | null)[] =>
    row.cells.map((samples) => (samples.length > 1 ? (scoresOf(id).get(meanCell(samples)) ?? null) : null));
  const summaries = rows.map(
    (row) =>
      new Map(
        measures.flatMap((measure) => {
          const values = perImage(row, measure.id);
          return values.some(finite) ? [[measure.id, summaryOf(measure, values, floors.get(measure.id))] as const] : [];
        }),
      ),
  );

  const deciding = { goal: 1 };
  const known = rows.some(({ posteriorKnown }) => posteriorKnown);
  const candidates = rows.filter((row) => !isReference(row));
  const scored = candidates.map((row) => perImage(row, DECIDES));
  const unmarked = known ? unmarkedOf(index.samples, scored) : undefined;
  const compared =
    known && unmarked === undefined
      ? compareRows(
          candidates.map(({ label }, i) => ({
            label,
            perImage: missesOf(at(scored, i, 'scores of a row'), deciding),
            ofMean: [],
          })),
          'lower',
        )
      : [];
  return rows.map((row, i): RowDistance => {
    const summary = at(summaries, i, 'measures of a row');
    const distance = compared[candidates.indexOf(row)];
    return {
      ...(summary.size > 0 ? { measures: summary } : {}),
      ...(distance === undefined ? {} : { distance }),
      ...(counts.length > 0
        ? { modes: { mean: mean(counts), least: Math.min(...counts), most: Math.max(...counts) } }
        : {}),
      ...(unmarked === undefined ? {} : { unmarked }),
    };
  });
};
