/** Distances to the posterior as `tweedie compare --json` prints them. */
import { DECIDES, measureOf } from '../statistics/measures.ts';
import type { IndexRow } from '../run/run-index.ts';
import type { Floor, MeasureSummary, Modes } from './posterior.ts';
import { problemsOf } from './problems.ts';
import { placeOf, type Place, type RowSummary } from './summary.ts';

type Bounds = readonly [low: number, high: number];

/** One measure of one row: its mean over images with the bounds of its 95 % interval, null where there is one image. */
export type DistanceJson = Place & {
  readonly measure: string;
  readonly n: number;
  readonly mean: number;
  readonly ci95: Bounds | null;
  /** What as many independent draws of the posterior score, and where 95 % of such rows would be. */
  readonly iid?: Floor;
  /** Of a rank, whose mean is the coverage of 90 %: p of the test that ranks are uniform. */
  readonly uniformP?: number;
  /** Of the measure that decides: whether it marks the row. */
  readonly best?: boolean;
  /** Of the measure that decides: how much farther from 1 than the closest row. */
  readonly toBest?: { readonly mean: number; readonly ci95: Bounds | null; readonly pHolm?: number };
};

/** How many modes of a known posterior count: 1 / sum of squared weights, mean, least and most over images. */
export type ModesJson = Pick<IndexRow, 'operator' | 'sigmaY'> & Modes;

/** A problem whose posterior is known and none of whose rows is marked. */
export type UnmarkedJson = Pick<IndexRow, 'operator' | 'sigmaY'> & { readonly why: string };

const bounds = (mean: number, half: number | null): Bounds | null =>
  half === null ? null : [mean - half, mean + half];

const decidesOf = ({ distance }: RowSummary): Pick<DistanceJson, 'best' | 'toBest'> => {
  if (distance === undefined) return {};
  const { best, difference } = distance;
  if (difference === undefined) return { best };
  const { mean, ci95, pHolm } = difference;
  return { best, toBest: { mean, ci95: bounds(mean, ci95), ...(pHolm === undefined ? {} : { pHolm }) } };
};

const measureJson = (row: RowSummary, id: string, summary: MeasureSummary): DistanceJson => {
  const { n, mean, ci95, floor, coverage } = summary;
  return {
    ...placeOf(row),
    measure: measureOf(id)?.rank ? `${id} coverage` : id,
    n,
    mean,
    ci95: coverage ? [coverage.low, coverage.high] : bounds(mean, ci95),
    ...(floor === undefined ? {} : { iid: floor }),
    ...(coverage?.uniformP === undefined ? {} : { uniformP: coverage.uniformP }),
    ...(id === DECIDES ? decidesOf(row) : {}),
  };
};

export const distancesJson = (rows: readonly RowSummary[]): readonly DistanceJson[] =>
  rows.flatMap((row) => [...(row.measures ?? [])].map(([id, summary]) => measureJson(row, id, summary)));

export const unmarkedJson = (rows: readonly RowSummary[]): readonly UnmarkedJson[] => {
  const found = new Map<string, UnmarkedJson>();
  for (const { operator, sigmaY, unmarked } of rows)
    if (unmarked !== undefined) found.set(`${operator}\n${sigmaY}`, { operator, sigmaY, why: unmarked });
  return [...found.values()];
};

export const modesJson = (rows: readonly RowSummary[]): readonly ModesJson[] =>
  problemsOf(rows).flatMap(({ operator, sigmaY, rows: own }) => {
    const modes = own.find((row) => row.modes !== undefined)?.modes;
    return modes === undefined ? [] : [{ operator, sigmaY, ...modes }];
  });
