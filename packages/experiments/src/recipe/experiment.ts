import type { NoiseLevel, PluginReference } from '@tweedie/core';
import type { FreeEnergyOptions } from '../statistics/free-energy.ts';
import type { Found, ReferenceInput } from './recipe.ts';

/** A plugin with all of its options, defaults included. */
export type Reference = Required<PluginReference>;
export type Labelled = Reference & { readonly label: string };
export type Method = Labelled & {
  /** The scheduler of this row. */
  readonly scheduler: Reference;
  /** The options that the recipe gives, as a reader is shown them. */
  readonly given: Options;
  /** Where the row is one of a sweep: what all rows of it are called, and the swept values of this one. */
  readonly sweep?: Sweep;
  /** Options that the row has on single problems in place of those above. */
  readonly perProblem: readonly ProblemOptions[];
  /** How a search found the options; absent where the recipe gives them. */
  readonly found?: Found;
  /** True of the row that shows what the steps alone leave; it is compared with no other. */
  readonly floor?: true;
};
type Options = Readonly<Record<string, unknown>>;
/** The label that the rows of a sweep share, without swept values, and the swept values of one of them. */
export type Sweep = { readonly label: string; readonly values: Options };
/** Options that a row has on one operator, at one noise level or, where none is named, at all of them. */
export type ProblemOptions = {
  readonly operator: string;
  readonly sigmaY?: number;
  readonly options: Options;
  readonly given: Options;
  readonly found?: Found;
};

/** A slice of a data set, of measurements given as values or, without either, of draws from the prior. */
export type Images = {
  readonly dataset?: Reference;
  /** True where the pictures of the data set are measurements. */
  readonly measured?: true;
  readonly measurements?: readonly (readonly number[])[];
  readonly count: number;
  readonly offset: number;
};

/** True where only measurements are given: nothing is known of the images behind them. */
export const truthUnknown = ({ measured, measurements }: Images): boolean =>
  measured === true || measurements !== undefined;

/** The settings of a search for options. */
export type Tune = {
  readonly images: Images;
  /** Network forwards for each method, operator and noise level; a vjp counts as two. */
  readonly budget: number;
  /** What decides: the label of a metric, the id of a measure of sets of samples, or `misfit`. */
  readonly metric: string;
  readonly kind: 'metric' | 'measure' | 'misfit';
  /** Samples of each image that a candidate is judged by. */
  readonly samples: number;
  readonly seed: number;
};

/** An experiment with nothing left to look up: strings are references, sweeps are rows, defaults are filled in. */
export type Experiment = {
  readonly title: string;
  readonly notes?: string;
  readonly seed: number;
  readonly model: Reference;
  readonly images: Images;
  readonly tune?: Tune;
  readonly operators: readonly Labelled[];
  readonly sigmaY: readonly number[];
  /** Rate of Poisson noise; sigmaY is then what methods are told, and operators say it in their labels. */
  readonly poisson?: number;
  readonly methods: readonly Method[];
  /** The scheduler of rows that name none of their own. */
  readonly scheduler: Reference;
  readonly engine: Reference;
  readonly metrics: readonly Labelled[];
  readonly samples: number;
  /** What a sample of every row may cost, forwards + 2 vjps; the numbers of steps follow. */
  readonly budget?: number;
  /** Whether the exact score at the recipe's steps is a row; absent where the number of samples decides. */
  readonly floor?: boolean;
  readonly freeEnergy?: FreeEnergyOptions;
  readonly impossible: 'error' | 'skip';
  readonly trace?: number;
  readonly traceImages: number;
  readonly chunk?: number;
};

/** The parts of an experiment that a command line may change. */
export type Overrides = {
  /** Number of noise levels of every method. */
  readonly steps?: number;
  readonly samples?: number;
  /** The most images that are used. */
  readonly limit?: number;
  readonly engine?: ReferenceInput;
  readonly seed?: number;
};

/** The noise of a problem of this experiment. */
export const noiseOf = ({ poisson }: Experiment, sigmaY: number): NoiseLevel =>
  poisson === undefined ? sigmaY : { poisson };
