/** Rows of one table by one metric: means, paired differences to the best, who has won. */
import { at } from '@tweedie/core';
import type { IndexMetric } from '../run/run-index.ts';
import { type Rate, rateOf, type Spread, spreadOf } from '../statistics/spread.ts';
import { differences, holm, mean, pairedTTest, tInterval, wins } from '../statistics/statistics.ts';

/** A mean over images. `ci95` is the half width of its 95 % t interval; null where there is one image. */
export type Estimate = { readonly n: number; readonly mean: number; readonly ci95: number | null };

/**
 * The mean of paired differences to the best row. Its `ci95` excludes zero exactly where the paired t test has
 * p < 0.05.
 */
type Difference = Estimate & {
  /** Label of the row with the best mean, or of the one that all are compared with. */
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

/** The mean of scores with its interval. */
export const estimate = (values: readonly number[]): Estimate => {
  const center = mean(values);
  return { n: values.length, mean: center, ci95: values.length > 1 ? center - tInterval(values)[0] : null };
};

export const finite = (value: number | undefined | null): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** Scores of a row by one metric. */
export type Scores = {
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

/**
 * One metric over the rows of one table (an operator and a noise level). Rows without scores give undefined. With a
 * `reference`, one of them, differences are to it in place of the best row, and no row is the winner.
 */
export const compareRows = (
  rows: readonly Scores[],
  better: IndexMetric['better'],
  reference?: Scores,
): readonly (MetricSummary | undefined)[] => {
  const sound = rows.map(({ perImage }) => perImage.filter(finite));
  const scored = rows.flatMap((row, i) => {
    const values = at(sound, i, 'row');
    return values.length > 0 ? [{ row, mean: mean(values) }] : [];
  });
  const given = scored.find(({ row }) => row === reference);
  const [best = undefined] =
    given === undefined
      ? [...scored].sort((a, b) => (better === 'higher' ? b.mean - a.mean : a.mean - b.mean))
      : [given];
  const others =
    best === undefined
      ? []
      : scored
          .filter((candidate) => candidate !== best)
          .map(({ row }) => ({ row, difference: differenceTo(best.row, row, better) }));
  const adjusted = holm(others.map(({ difference }) => difference.p));
  const positions = new Map(others.map(({ row }, position) => [row, position]));
  const wonAll = given === undefined && others.length > 0 && others.every(({ difference }) => difference.resolved);
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
    const position = positions.get(row) ?? -1;
    const { p: _, resolved: __, ...difference } = at(others, position, 'row with scores').difference;
    if (difference.n === 0) return { ...common, best: false };
    const pHolm = at(adjusted, position, 'p value');
    return { ...common, best: false, difference: { ...difference, ...(difference.n > 1 ? { pHolm } : {}) } };
  });
};
