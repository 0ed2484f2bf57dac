/**
 * What a report shows: the results of a run, and what belongs to the page alone. `reportData` collects it and
 * `renderReport` turns it into HTML. Pictures are PNG data URIs, at their own resolution (the page enlarges them
 * without smoothing).
 */

import type { FreeEnergyTable } from '../results/free-energy.ts';
import type { Failure, RowSummary } from '../results/summary.ts';
import type { RunIndex } from '../run/run-index.ts';

/** A picture inside the page: `data:image/png;base64,...`. */
export type PngDataUri = `data:image/png;base64,${string}`;

export type ReportData = Pick<
  RunIndex,
  | 'title'
  | 'notes'
  | 'command'
  | 'provenance'
  | 'imageShape'
  | 'shapes'
  | 'metrics'
  | 'truthUnknown'
  | 'range'
  | 'references'
> & {
  /** When the report was made, ISO 8601. */
  readonly created: string;
  /** Name of every image of the comparison, in the order of the scores `perImage` of a row. */
  readonly imageNames: readonly string[];
  /** One row per operator, noise level and method. */
  readonly rows: readonly RowSummary[];
  /** Pictures of some or all images; empty where the samples are not pictures (vectors). */
  readonly images: readonly ReportImage[];
  /** Signals, drawn as lines, where samples are images of height 1 with one channel. */
  readonly signals?: readonly ReportSignal[];
  readonly failures: readonly Failure[];
  /** Free energies from umbrella windows, where the recipe asks for them. */
  readonly freeEnergy?: readonly FreeEnergyTable[];
  /** Samples that are there, of those that the command asked for; absent where the run has finished. */
  readonly unfinished?: { readonly finished: number; readonly expected: number };
};

export type ReportImage = {
  /** Name of the image, one of `ReportData.imageNames`. */
  readonly name: string;
  /** The clean image; left out where only the measurement is known. */
  readonly truth?: PngDataUri;
  readonly problems: readonly ReportProblem[];
};

export type ReportProblem = {
  readonly operator: string;
  readonly sigmaY: number;
  /** The measurement; null where it is not a picture. */
  readonly measurement: PngDataUri | null;
  /**
   * The standard deviation that is white in the `std` pictures of all results here; black is 0.
   */
  readonly stdWhite?: number;
  readonly results: readonly ReportResult[];
};

export type ReportResult = {
  /** Label of the row. */
  readonly label: string;
  readonly sample: PngDataUri;
  /** Mean of the samples, where there are several. */
  readonly mean?: PngDataUri;
  /** Standard deviation of the samples, a grey picture. */
  readonly std?: PngDataUri;
  readonly trace?: ReportTrace;
  /**
   * Scores of this sample by metric id, shown at the picture. Where left out, those of the image in `perImage` of the
   * row are.
   */
  readonly scores?: Readonly<Record<string, number>>;
};

/** E[x0 | xt] on the way from noise to the sample; both arrays have one length. */
export type ReportTrace = {
  /** Noise level sigma of each frame, largest first. */
  readonly levels: readonly number[];
  readonly frames: readonly PngDataUri[];
};

/** A signal of `imageShape[1]` numbers with what was made of it. */
export type ReportSignal = {
  readonly name: string;
  /** The clean signal; left out where only the measurement is known. */
  readonly truth?: readonly number[];
  readonly problems: readonly {
    readonly operator: string;
    readonly sigmaY: number;
    /** The measurement; left out where it is no signal. */
    readonly measurement?: readonly number[];
    readonly results: readonly { readonly label: string; readonly samples: readonly (readonly number[])[] }[];
  }[];
};
