import { at } from '@tweedie/core';
import { OUTSIDE } from '../run/image-range.ts';
import { MISFIT } from '../run/misfit.ts';
import { meanCell, type IndexRow, type RunIndex } from '../run/run-index.ts';
import { mean } from '../statistics/statistics.ts';
import type { Cell } from '../run/cells.ts';
import type { Results } from '../run/results.ts';
import { compareRows, estimate, type Estimate, finite, type MetricSummary, type Scores } from './compare-rows.ts';
import { distancesOf, type RowDistance } from './posterior.ts';
import { problemsOf } from './problems.ts';

/** The cost of one sample, a mean over the samples of the row. */
export type RowCost = {
  /** Forward passes of the network: the papers' NFE. */
  readonly forwards: number;
  /** Vector-Jacobian products of the network: about two forwards each. */
  readonly vjps: number;
  /** The two in one unit, forwards + 2 vjps. */
  readonly equivalents: number;
  /** Calls of the measurement operator. */
  readonly operatorCalls: number;
  /** Wall clock of sampling, compilation left out. */
  readonly secondsPerSample: number;
};

type RowWithDistance = IndexRow & RowDistance;
/** A row of the comparison with what has come of it. */
export type RowSummary = RowWithDistance & {
  /** Scores by metric id; a metric without a finite score is left out. */
  readonly metrics: ReadonlyMap<string, MetricSummary>;
  /**
   * Misfit, || y - A(x) || in units of the noise (`misfitMeter`); undefined where nothing has run, and for sigmaY = 0.
   */
  readonly misfit?: Estimate;
  /** Sound samples whose misfit is not finite, because A(x) is not, and the image of the first. */
  readonly unmeasured?: { readonly samples: number; readonly of: number; readonly first: string };
  /** Share of the entries of the samples outside the range of the images: what metrics clip. */
  readonly outside?: number;
  /** Cost of one sample; undefined where nothing has run. */
  readonly cost?: RowCost;
  /** Samples that are there, failed ones included. */
  readonly finished: number;
  /** Samples that failed: `image` by its position and `sample` by its number among those of the image, both from 0. */
  readonly failed: readonly {
    readonly image: number;
    readonly sample: number;
    readonly step: number;
    readonly reason: string;
  }[];
};

/** The row that something is about. */
export type Place = Pick<IndexRow, 'operator' | 'sigmaY' | 'method' | 'label'>;
export const placeOf = ({ operator, sigmaY, method, label }: Place): Place => ({ operator, sigmaY, method, label });

/** A sample that failed, `image` by name: at which step that was seen, and why. */
export type Failure = Place & {
  readonly image: string;
  readonly sample: number;
  readonly step: number;
  readonly reason: string;
};

/** Every sample of a run that failed. */
export const failuresOf = ({ images }: RunIndex, rows: readonly RowSummary[]): readonly Failure[] =>
  rows.flatMap((row) =>
    row.failed.map(({ image, ...failure }) => ({ ...placeOf(row), image: at(images, image, 'image'), ...failure })),
  );

/** Samples of a run that are there, and those that it will have. */
export const progressOf = (
  index: RunIndex,
  rows: readonly RowSummary[],
): { readonly finished: number; readonly expected: number } => ({
  finished: rows.reduce((sum, row) => sum + row.finished, 0),
  expected: index.rows.reduce((sum, row) => sum + row.cells.flat().length, 0),
});

/** Says that a run has no sample that can be used; undefined where it has one or nothing was drawn. */
export const nothingSound = (rows: readonly Pick<RowSummary, 'finished' | 'failed'>[]): string | undefined => {
  const [finished, failed] = [
    rows.reduce((sum, row) => sum + row.finished, 0),
    rows.reduce((sum, row) => sum + row.failed.length, 0),
  ];
  return finished > 0 && failed === finished
    ? `FAILED: ${finished === 1 ? 'the only sample' : `all ${finished} samples`} of this run failed, so there is nothing to compare.`
    : undefined;
};

const costOf = (cells: readonly Cell[]): RowCost | undefined => {
  if (cells.length === 0) return undefined;
  const over = (part: (cell: Cell) => number): number => mean(cells.map(part));
  return {
    forwards: over(({ cost }) => cost.forwards),
    vjps: over(({ cost }) => cost.vjps),
    equivalents: over(({ cost }) => cost.forwards + 2 * cost.vjps),
    operatorCalls: over(({ cost }) => cost.operatorCalls),
    secondsPerSample: over(({ seconds }) => seconds),
  };
};

/** Score of each sample of each image, those left out that have none. */
const drawsOf = (
  index: RunIndex,
  row: IndexRow,
  cells: ReadonlyMap<string, Cell>,
  values: ReadonlyMap<string, number>,
): readonly (readonly number[])[] =>
  index.images.map((_, i) =>
    (row.cells[i] ?? [])
      .filter((cell) => cells.has(cell))
      .map((cell) => values.get(cell))
      .filter(finite),
  );

/** Mean score over the samples of each image; null where there is none. */
export const perImageOf = (...of: Parameters<typeof drawsOf>): readonly (number | null)[] =>
  drawsOf(...of).map((own) => (own.length === 0 ? null : mean(own)));

/** Sound samples of a row that should have a misfit and have none: only finite scores are stored. */
const unmeasuredOf = (
  { images }: RunIndex,
  { sigmaY }: IndexRow,
  own: readonly { readonly cell: Cell; readonly image: number }[],
  misfits: ReadonlyMap<string, number>,
): RowSummary['unmeasured'] => {
  const sound = sigmaY > 0 ? own.filter(({ cell }) => cell.failure === undefined) : [];
  const without = sound.filter(({ cell }) => !misfits.has(cell.key));
  const [first] = without;
  if (first === undefined) return undefined;
  return { samples: without.length, of: sound.length, first: at(images, first.image, 'image') };
};

/** Why a row has no misfit, or one of some of its samples alone; undefined where all have one. */
export const whyUnmeasured = ({ operator, unmeasured }: RowSummary): string | undefined =>
  unmeasured &&
  `no misfit of ${unmeasured.samples} of ${unmeasured.of} samples, the first of ${unmeasured.first}: operator ${operator} gives NaN or infinity on them`;

/** Sums up what is stored of each row, in the order of the index. */
export const summariseRun = async (
  index: RunIndex,
  store: Pick<Results, 'cells' | 'scores'>,
): Promise<readonly RowSummary[]> => {
  const cells = await store.cells();
  const misfits = await store.scores(MISFIT);
  const shares = await store.scores(OUTSIDE);
  const metrics = new Map<IndexRow, Map<string, MetricSummary>>(index.rows.map((row) => [row, new Map()]));
  for (const { id, key, better } of index.metrics) {
    const values = await store.scores(key);
    const scoresOf = (row: IndexRow): Scores => ({
      label: row.label,
      perImage: perImageOf(index, row, cells, values),
      draws: drawsOf(index, row, cells, values),
      ofMean: row.cells
        .map((samples) => (samples.length > 1 ? values.get(meanCell(samples)) : undefined))
        .filter(finite),
    });
    for (const { rows } of problemsOf(index.rows)) {
      /** A floor is scored beside the others, and moves no difference, no p and no mark of theirs. */
      for (const own of [rows.filter(({ floor }) => !floor), rows.filter(({ floor }) => floor)]) {
        const scores = own.map(scoresOf);
        const truth = scores[own.findIndex((row) => row.truth === 'draws')];
        compareRows(scores, better, truth).forEach((summary, i) => {
          if (summary) metrics.get(at(own, i, 'row'))?.set(id, summary);
        });
      }
    }
  }
  const distances = new Map<IndexRow, RowDistance>();
  for (const { rows } of problemsOf(index.rows))
    (await distancesOf(index, rows, store)).forEach((distance, i) => distances.set(at(rows, i, 'row'), distance));
  /** Where the posterior is known a score against the clean image marks nobody: it rewards what is too narrow. */
  const markedBy = (row: IndexRow): ReadonlyMap<string, MetricSummary> => {
    const { distance, unmarked } = distances.get(row) ?? {};
    const own = metrics.get(row) ?? new Map<string, MetricSummary>();
    if (!row.posteriorKnown && distance === undefined && unmarked === undefined) return own;
    return new Map([...own].map(([id, summary]) => [id, { ...summary, best: false }]));
  };
  return index.rows.map((row): RowSummary => {
    const own = row.cells.flatMap((samples, image) =>
      samples.flatMap((key, sample) => {
        const cell = cells.get(key);
        return cell ? [{ cell, image, sample }] : [];
      }),
    );
    // A cell whose process ended has no cost that is known.
    const cost = costOf(own.map(({ cell }) => cell).filter(({ chunk }) => chunk > 0));
    const misfit = perImageOf(index, row, cells, misfits).filter(finite);
    const unmeasured = unmeasuredOf(index, row, own, misfits);
    const outside = index.range ? perImageOf(index, row, cells, shares).filter(finite) : [];
    return {
      ...row,
      ...distances.get(row),
      metrics: markedBy(row),
      ...(misfit.length > 0 ? { misfit: estimate(misfit) } : {}),
      ...(unmeasured ? { unmeasured } : {}),
      ...(outside.length > 0 ? { outside: mean(outside) } : {}),
      ...(cost ? { cost } : {}),
      finished: own.length,
      failed: own.flatMap(({ cell: { failure }, image, sample }) => (failure ? [{ image, sample, ...failure }] : [])),
    };
  });
};
