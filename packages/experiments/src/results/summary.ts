import { at } from '@tweedie/core';
import { OUTSIDE } from '../run/image-range.ts';
import { MISFIT } from '../run/misfit.ts';
import { meanCell, type IndexMetric, type IndexRow, type RunIndex } from '../run/run-index.ts';
import { type Rate, rateOf, type Spread, spreadOf } from '../statistics/spread.ts';
import { differences, holm, mean, pairedTTest, tInterval, wins } from '../statistics/statistics.ts';
import type { Cell } from '../run/cells.ts';
import type { Results } from '../run/results.ts';
import { problemsOf } from './problems.ts';

/** A mean over images. `ci95` is the half width of its 95 % t interval; null where there is one image. */
export type Estimate = { readonly n: number; readonly mean: number; readonly ci95: number | null };

/**
 * The mean of paired differences to the best row. Its `ci95` excludes zero exactly where the paired t test has
 * p < 0.05.
 */
type Difference = Estimate & {
  /** Label of the row with the best mean. */
  readonly to: string;
  /** Two-sided p of the paired t test, corrected by Holm over the rows of the table. */
  readonly pHolm?: number;
  /** Share of images on which this row is better, ties half. */
  readonly winRate: number;
};

export type MetricSummary = Estimate & {
  /** Score of each image, the mean over its samples that did not fail; null where there is none. */
  readonly perImage: readonly (number | null)[];
  /** Score of the mean of the samples, where there are several. */
  readonly ofMean?: Estimate;
  /** Where there are several draws a picture: how far they scatter, and how far the pictures do. */
  readonly spread?: Spread;
  /** Where there is one draw a picture and every row of the table has scores of 0 and 1 alone. */
  readonly rate?: Rate;
  /** This row minus the best one, over the images that both have. */
  readonly difference?: Difference;
  /**
   * Whether the row is the winner: it has the best mean, and the interval of the difference to every other row
   * excludes zero.
   */
  readonly best: boolean;
};

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

/** A row of the comparison with what has come of it. */
export type RowSummary = IndexRow & {
  /** Scores by metric id; a metric without a finite score is left out. */
  readonly metrics: ReadonlyMap<string, MetricSummary>;
  /**
   * Misfit, || y - A(x) || in units of the noise (`misfitMeter`); undefined where nothing has run, and for sigmaY = 0.
   */
  readonly misfit?: Estimate;
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

const estimate = (values: readonly number[]): Estimate => {
  const center = mean(values);
  return { n: values.length, mean: center, ci95: values.length > 1 ? center - tInterval(values)[0] : null };
};

const finite = (value: number | undefined | null): value is number =>
  typeof value === 'number' && Number.isFinite(value);

type Scores = {
  readonly label: string;
  readonly perImage: readonly (number | null)[];
  readonly ofMean: readonly number[];
  /** Score of each draw of each image, failed ones left out. */
  readonly draws?: readonly (readonly number[])[];
};

/** Scores of two rows on the images that both have. */
const paired = (a: Scores, b: Scores): { a: number[]; b: number[] } => {
  const both = a.perImage.flatMap((value, i): [number, number][] => {
    const other = b.perImage[i];
    return finite(value) && finite(other) ? [[value, other]] : [];
  });
  return { a: both.map(([value]) => value), b: both.map(([, value]) => value) };
};

const differenceTo = (
  best: Scores,
  row: Scores,
  better: IndexMetric['better'],
): Difference & { readonly p: number; readonly resolved: boolean } => {
  const { a, b } = paired(row, best);
  const d = differences(a, b);
  const center = mean(d);
  const [low, high] = d.length > 1 ? tInterval(d) : [NaN, NaN];
  const { p } = pairedTTest(a, b);
  const { aGreater, equal, bGreater } = wins(a, b);
  return {
    n: d.length,
    mean: center,
    ci95: Number.isFinite(low) ? center - low : null,
    to: best.label,
    winRate: ((better === 'higher' ? aGreater : bGreater) + equal / 2) / a.length,
    // Identical scores have no t value: nothing tells the two apart.
    p: Number.isNaN(p) ? 1 : p,
    // In favour of the best row: its mean may owe its place to images that the other has no score of.
    resolved: better === 'higher' ? high < 0 : low > 0,
  };
};

/** One metric over the rows of one table (an operator and a noise level). Rows without scores give undefined. */
export const compareRows = (
  rows: readonly Scores[],
  better: IndexMetric['better'],
): readonly (MetricSummary | undefined)[] => {
  const sound = rows.map(({ perImage }) => perImage.filter(finite));
  const scored = rows.flatMap((row, i) => {
    const values = at(sound, i, 'row');
    return values.length > 0 ? [{ row, mean: mean(values) }] : [];
  });
  const [best] = [...scored].sort((a, b) => (better === 'higher' ? b.mean - a.mean : a.mean - b.mean));
  const others =
    best === undefined
      ? []
      : scored
          .filter((candidate) => candidate !== best)
          .map(({ row }) => ({ row, difference: differenceTo(best.row, row, better) }));
  const adjusted = holm(others.map(({ difference }) => difference.p));
  const wonAll = others.length > 0 && others.every(({ difference }) => difference.resolved);
  // Both values must be seen, or scores that happen to be 0 or 1 would pass for a rate.
  const seen = new Set(rows.flatMap(({ draws = [] }) => draws.flat()));
  const single = rows.every(({ draws = [] }) => draws.every(({ length }) => length < 2));
  const isRate = single && seen.size === 2 && [...seen].every((value) => value === 0 || value === 1);
  return rows.map((row, i): MetricSummary | undefined => {
    const values = at(sound, i, 'row');
    if (values.length === 0) return undefined;
    const spread = spreadOf(row.draws ?? []);
    const rate = isRate ? rateOf(values) : undefined;
    const common = {
      ...estimate(values),
      perImage: row.perImage,
      ...(spread === undefined ? {} : { spread }),
      ...(rate === undefined ? {} : { rate }),
      ...(row.ofMean.length > 0 ? { ofMean: estimate(row.ofMean) } : {}),
    };
    if (row === best?.row) return { ...common, best: wonAll };
    const position = others.findIndex((other) => other.row === row);
    const { p: _, resolved: __, ...difference } = at(others, position, 'row with scores').difference;
    if (difference.n === 0) return { ...common, best: false };
    const pHolm = at(adjusted, position, 'p value');
    return { ...common, best: false, difference: { ...difference, ...(difference.n > 1 ? { pHolm } : {}) } };
  });
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
      compareRows(rows.map(scoresOf), better).forEach((summary, i) => {
        if (summary) metrics.get(at(rows, i, 'row'))?.set(id, summary);
      });
    }
  }
  return index.rows.map((row): RowSummary => {
    const own = row.cells.flatMap((samples, image) =>
      samples.flatMap((key, sample) => {
        const cell = cells.get(key);
        return cell ? [{ cell, image, sample }] : [];
      }),
    );
    const cost = costOf(own.map(({ cell }) => cell));
    const misfit = perImageOf(index, row, cells, misfits).filter(finite);
    const outside = index.range ? perImageOf(index, row, cells, shares).filter(finite) : [];
    return {
      ...row,
      metrics: metrics.get(row) ?? new Map(),
      ...(misfit.length > 0 ? { misfit: estimate(misfit) } : {}),
      ...(outside.length > 0 ? { outside: mean(outside) } : {}),
      ...(cost ? { cost } : {}),
      finished: own.length,
      failed: own.flatMap(({ cell: { failure }, image, sample }) => (failure ? [{ image, sample, ...failure }] : [])),
    };
  });
};
