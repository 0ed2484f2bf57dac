/**
 * What a report shows, as plain data. The runner fills it from the results store; `renderReport` turns it into HTML.
 * Numbers are finite; a score that does not exist is `null` or left out. Pictures are PNG data URIs, at their own
 * resolution (the page enlarges them without smoothing).
 */

import type { FreeEnergyTable } from '../results/free-energy.ts';

/** A picture inside the page: `data:image/png;base64,...`. */
export type PngDataUri = `data:image/png;base64,${string}`;

export type ReportData = {
  readonly title: string;
  /** When the report was made, ISO 8601. */
  readonly created: string;
  /** The command that makes this report again, as typed in a shell. */
  readonly command: string;
  /** What the author of the recipe wants to say; plain text, blank lines separate paragraphs. */
  readonly notes?: string;
  /** What the numbers depend on: commit, plugin versions, hash of weights, engine, threads, machine, in this order of display. */
  readonly provenance: readonly ReportFact[];
  readonly imageShape: readonly [height: number, width: number, channels: number];
  /** Every image of the comparison, in the order of `ReportRow.perImage`. */
  readonly imageNames: readonly string[];
  /** True where measurements were given and nothing is known of their images. */
  readonly truthUnknown?: boolean;
  readonly metrics: readonly ReportMetric[];
  /** One per operator, sigmaY and method. Rows of one (operator, sigmaY) make one table; the order is kept. */
  readonly rows: readonly ReportRow[];
  /** Pictures of some or all images; empty where the samples are not pictures (vectors). */
  readonly images: readonly ReportImage[];
  /** Where samples are signals (images of height 1 with one channel): numbers, drawn as lines. */
  readonly signals?: readonly ReportSignal[];
  readonly failures: readonly ReportFailure[];
  /** Free energies from umbrella windows, where the recipe asks for them. */
  readonly freeEnergy?: readonly FreeEnergyTable[];
  /** Samples that are there, of those that the command asked for; absent where the run has finished. */
  readonly unfinished?: { readonly finished: number; readonly expected: number };
};

export type ReportFact = { readonly name: string; readonly value: string };

export type ReportMetric = {
  /** Key in `ReportRow.metrics` and `ReportRow.perImage`. */
  readonly id: string;
  readonly title: string;
  readonly better: 'higher' | 'lower';
  /** Of the score, for example `dB`. */
  readonly unit?: string;
};

export type ReportRow = {
  /** Label of the operator with its options, unique among the operators of the report. */
  readonly operator: string;
  /** Standard deviation of the measurement noise, in the units of the operator's output. */
  readonly sigmaY: number;
  /** Name of the row, unique within one (operator, sigmaY). */
  readonly label: string;
  /** `guidance/id` or `id` of the method. */
  readonly method: string;
  /** Options that were given, as shown to a reader: `scale 0.3, norm squared`. Empty: all defaults. */
  readonly options: string;
  /** Noise levels visited. */
  readonly steps: number;
  readonly status: 'done' | 'skipped';
  /** Why a row was skipped. */
  readonly reason?: string;
  /** Key: id of the metric. A metric without a single finite score is left out. */
  readonly metrics: Readonly<Record<string, ReportScore>>;
  /** Key: id of the metric. Score of each image of `ReportData.imageNames` (mean over its samples); `null`: no score. */
  readonly perImage: Readonly<Record<string, readonly (number | null)[]>>;
  /** || y - A(x) || in units of the measurement noise; 1 is the noise level. Left out where nothing ran, or without noise. */
  readonly misfit?: ReportEstimate;
  /** Of a row of a sweep: the label without the swept values, and these. */
  readonly sweep?: { readonly label: string; readonly values: Readonly<Record<string, unknown>> };
  /** How tuned options were found. */
  readonly found?: ReportFound;
  /** Left out where nothing ran. */
  readonly cost?: ReportCost;
  /** Samples that failed. */
  readonly failures: number;
};

/** A search for options: what was tried, a column per option and an entry per candidate. */
export type ReportFound = {
  readonly metric: string;
  readonly better: 'higher' | 'lower';
  /** The validation images. */
  readonly images: string;
  /** Network forwards, a vjp counting as two. */
  readonly spent: number;
  readonly tried: {
    readonly options: Readonly<Record<string, readonly number[]>>;
    /** Images that a candidate was scored on. */
    readonly images: readonly number[];
    /** Mean difference to the chosen candidate on the same images; null: a sample failed. */
    readonly toChosen: readonly (number | null)[];
  };
};

/** Mean and half width of its 95 % confidence interval; `null` where one score gives no interval. */
export type ReportEstimate = { readonly mean: number; readonly ci95: number | null };

export type ReportScore = ReportEstimate & {
  /** Images that the mean is over. */
  readonly n: number;
  /** Score of the mean of the samples of each image, where there are several samples per image. */
  readonly ofMean?: ReportEstimate;
  /** Mean over images of this row minus the row `to`, paired by image. Left out for the best row itself. */
  readonly difference?: ReportDifference;
  /** The winner: best mean, and no interval of a difference to it crosses zero. */
  readonly best: boolean;
};

export type ReportDifference = ReportEstimate & {
  /** Label of the row with the best mean. */
  readonly to: string;
  /** Two-sided p-value, corrected by Holm over the rows of the table. */
  readonly pHolm?: number;
  /** Share of images on which this row scores better than `to`, ties counted half; 0 to 1. */
  readonly winRate?: number;
};

/** Per sample, means over the samples of the row. */
export type ReportCost = {
  /** Forward passes of the network: the papers' NFE. */
  readonly forwards: number;
  /** Vector-Jacobian products of the network: about two forwards each. */
  readonly vjps: number;
  /** Calls of the measurement operator. */
  readonly operatorCalls: number;
  /** Wall clock of sampling, compilation left out. */
  readonly secondsPerSample: number;
};

export type ReportImage = {
  /** One of `ReportData.imageNames`. */
  readonly name: string;
  /** Left out where only the measurement is known. */
  readonly truth?: PngDataUri;
  readonly problems: readonly ReportProblem[];
};

export type ReportProblem = {
  readonly operator: string;
  readonly sigmaY: number;
  /** `null` where the measurement is not a picture. */
  readonly measurement: PngDataUri | null;
  /** The standard deviation that is white in the `std` pictures of all results here; black is 0. Images are in [-1, 1]. */
  readonly stdWhite?: number;
  readonly results: readonly ReportResult[];
};

export type ReportResult = {
  /** `ReportRow.label`. */
  readonly label: string;
  readonly sample: PngDataUri;
  /** Mean of the samples, where there are several. */
  readonly mean?: PngDataUri;
  /** Standard deviation of the samples, a grey picture. */
  readonly std?: PngDataUri;
  readonly trace?: ReportTrace;
  /** Scores of this sample by metric id, shown at the picture. Left out: those of the image in `ReportRow.perImage`. */
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
  /** Left out where only the measurement is known. */
  readonly truth?: readonly number[];
  readonly problems: readonly {
    readonly operator: string;
    readonly sigmaY: number;
    /** Left out where it is no signal. */
    readonly measurement?: readonly number[];
    readonly results: readonly { readonly label: string; readonly samples: readonly (readonly number[])[] }[];
  }[];
};

export type ReportFailure = {
  readonly operator: string;
  readonly sigmaY: number;
  readonly label: string;
  /** Name of the image. */
  readonly image: string;
  /** Which sample of the image, from 0. */
  readonly sample: number;
  /** Step at which it was seen, from 0. */
  readonly step: number;
  readonly reason: string;
};
