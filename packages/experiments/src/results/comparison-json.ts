/** A comparison as a program reads it. */
import type { RunIndex } from '../run/run-index.ts';
import type { Spread } from '../statistics/spread.ts';
import type { MetricSummary } from './compare-rows.ts';
import {
  distancesJson,
  modesJson,
  unmarkedJson,
  type DistanceJson,
  type ModesJson,
  type UnmarkedJson,
} from './distance-json.ts';
import type { FreeEnergyTable } from './free-energy.ts';
import { failuresOf, nothingSound, placeOf, type Failure, type Place, type RowSummary } from './summary.ts';

/** A comparison as `tweedie compare --json` prints it. */
export type ComparisonJson = {
  /** The run folder. */
  readonly run: string;
  /**
   * Scores by row and metric; `ci95` are the bounds of the 95 % t interval over images, null where there is one image;
   * of a score of 0 and 1, those of the rate. `toBest` is the paired difference to the row with the best mean, `spread`
   * the standard deviations among the samples of an image and among images.
   */
  readonly rows: readonly (Place & {
    readonly metric: string;
    readonly n: number;
    readonly mean: number;
    readonly ci95: readonly [low: number, high: number] | null;
    readonly best: boolean;
    readonly toBest?: {
      readonly mean: number;
      readonly ci95: readonly [low: number, high: number] | null;
      readonly pHolm?: number;
      readonly winRate: number;
    };
    readonly spread?: Spread;
    readonly rate?: { readonly hits: number; readonly of: number };
  })[];
  /** Misfit by row: || y - A(x) || in units of the noise, over samples; rows without measurement noise have none. */
  readonly misfit: readonly (Place & { readonly mean: number })[];
  /** Rows with sound samples on which the operator gives NaN or infinity, so that they have no misfit. */
  readonly unmeasured: readonly (Place & NonNullable<RowSummary['unmeasured']>)[];
  /** What each metric took as full scale and whether it clips, where it says so. */
  readonly scales: readonly { readonly metric: string; readonly scale: string }[];
  /** Share of the entries of the samples by row that lie outside the range of the images, where they have one. */
  readonly outside: readonly (Place & { readonly share: number })[];
  /** Cost of one sample by row, padding left out. */
  readonly cost: readonly (Place & {
    readonly forwards: number;
    readonly vjps: number;
    /** forwards + 2 vjps */
    readonly equivalents: number;
    readonly operatorCalls: number;
    readonly secondsPerSample: number;
  })[];
  /** Measures of the samples of an image as a set, where there are several; distances to a known posterior. */
  readonly distances: readonly DistanceJson[];
  /** Problems whose posterior is known, none of whose rows is marked, and why. */
  readonly unmarked: readonly UnmarkedJson[];
  /** Problems whose posterior is known, and how many modes it has that count. */
  readonly modes: readonly ModesJson[];
  readonly failures: readonly Failure[];
  /** `failed` where every sample that was drawn failed: there is nothing to compare. */
  readonly outcome: 'done' | 'some failed' | 'failed';
  /** Free energies from umbrella windows, where the recipe asks for them. */
  readonly freeEnergy?: readonly FreeEnergyTable[];
  /** Path of the HTML report. */
  readonly report: string;
};

const bounds = (mean: number, half: number | null): readonly [low: number, high: number] | null =>
  half === null ? null : [mean - half, mean + half];

const toBest = ({ mean, ci95, pHolm, winRate }: NonNullable<MetricSummary['difference']>) => ({
  mean,
  ci95: bounds(mean, ci95),
  ...(pHolm === undefined ? {} : { pHolm }),
  winRate,
});

/** The run of a folder with what came of it. */
export const comparisonJson = (
  folder: string,
  report: string,
  index: RunIndex,
  rows: readonly RowSummary[],
  freeEnergy: readonly FreeEnergyTable[],
): ComparisonJson => ({
  run: folder,
  rows: rows.flatMap((row) =>
    [...row.metrics].map(([metric, { n, mean, ci95, best, difference, spread, rate }]) => ({
      ...placeOf(row),
      metric,
      n,
      mean,
      ci95: rate ? ([rate.low, rate.high] as const) : bounds(mean, ci95),
      best,
      ...(difference ? { toBest: toBest(difference) } : {}),
      ...(spread ? { spread } : {}),
      ...(rate ? { rate: { hits: rate.hits, of: rate.of } } : {}),
    })),
  ),
  misfit: rows.flatMap((row) => (row.misfit ? [{ ...placeOf(row), mean: row.misfit.mean }] : [])),
  unmeasured: rows.flatMap((row) => (row.unmeasured ? [{ ...placeOf(row), ...row.unmeasured }] : [])),
  scales: index.metrics.flatMap(({ id: metric, scale }) => (scale === undefined ? [] : [{ metric, scale }])),
  outside: rows.flatMap((row) => (row.outside === undefined ? [] : [{ ...placeOf(row), share: row.outside }])),
  cost: rows.flatMap((row) => {
    if (!row.cost) return [];
    return [{ ...placeOf(row), ...row.cost }];
  }),
  distances: distancesJson(rows),
  unmarked: unmarkedJson(rows),
  modes: modesJson(rows),
  failures: failuresOf(index, rows),
  outcome: nothingSound(rows) ? 'failed' : rows.some(({ failed }) => failed.length > 0) ? 'some failed' : 'done',
  ...(freeEnergy.length > 0 ? { freeEnergy } : {}),
  report,
});
