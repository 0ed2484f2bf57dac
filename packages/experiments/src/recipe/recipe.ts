import { basename, dirname, extname, join, resolve } from 'node:path';
import { ConfigError, readJson, validate, type JsonSchema } from '@tweedie/core';
import { readDocument, refuseCircle } from '@tweedie/files';
import type { FreeEnergyOptions } from '../statistics/free-energy.ts';
import type { SigmaInput } from './noise.ts';

/** The name of a plugin in a file or a program: an id, or an id with options. */
export type ReferenceInput = string | { readonly id: string; readonly options?: Readonly<Record<string, unknown>> };
export type LabelledInput =
  string | { readonly id: string; readonly label?: string; readonly options?: Readonly<Record<string, unknown>> };
/** A search for options: on what it was made, and what it saw. */
export type Found = {
  readonly metric: string;
  readonly value: number;
  readonly better: 'higher' | 'lower';
  readonly images: string;
  readonly budget: number;
  readonly spent: number;
  readonly seed: number;
  /** Ranges that were widened, because the best value was at their edge, as they are then. */
  readonly widened?: Readonly<Record<string, readonly number[]>>;
  /** The default was the best, was kept because the best is not resolved from it, or was beaten; absent: not known. */
  readonly default?: 'best' | 'kept' | 'beaten';
  /**
   * Columns with an entry per candidate: `score` is its mean over the first `images`, `toChosen` the mean difference
   * to the chosen one on the same images; null where a sample failed. `toDefault` is the 95 % interval of the
   * difference to the default, null also for the default itself.
   */
  readonly tried: {
    readonly options: Readonly<Record<string, readonly number[]>>;
    readonly images: readonly number[];
    readonly score: readonly (number | null)[];
    readonly toChosen: readonly (number | null)[];
    readonly toDefault?: readonly (readonly number[] | null)[];
  };
};
export type ProblemOptionsInput = {
  readonly operator: string;
  readonly sigmaY?: SigmaInput;
  readonly options: Readonly<Record<string, unknown>>;
  readonly found?: Found;
};
export type MethodInput =
  | string
  | (Exclude<LabelledInput, string> & {
      readonly steps?: number;
      readonly scheduler?: ReferenceInput;
      readonly perProblem?: readonly ProblemOptionsInput[];
    });

type ImageSource = { readonly from?: 'prior'; readonly dataset?: ReferenceInput };
export type TuneInput = {
  readonly images: ImageSource & { readonly count: number; readonly offset?: number };
  readonly budget: number;
  readonly metric?: string;
  readonly samples?: number;
  readonly seed?: number;
};

/** The content of an experiment file; `schemas/experiment.schema.json` describes every key. */
export type ExperimentInput = {
  readonly $schema?: string;
  readonly folder?: string;
  readonly title?: string;
  readonly notes?: string;
  readonly seed?: number;
  readonly model: ReferenceInput;
  readonly images: ImageSource & {
    readonly measurements?: readonly (readonly number[])[] | { readonly dataset: ReferenceInput };
    readonly count: number;
    readonly offset?: number;
  };
  readonly operators: readonly LabelledInput[];
  readonly sigmaY: SigmaInput | readonly SigmaInput[] | { readonly poisson: number };
  readonly methods: readonly MethodInput[];
  readonly scheduler?: ReferenceInput;
  readonly engine?: ReferenceInput;
  readonly metrics?: readonly LabelledInput[];
  readonly samples?: number;
  readonly budget?: number;
  readonly floor?: boolean;
  readonly freeEnergy?: Partial<FreeEnergyOptions> & Pick<FreeEnergyOptions, 'from' | 'to' | 'bins'>;
  readonly impossible?: 'error' | 'skip';
  readonly trace?: number;
  readonly traceImages?: number;
  readonly tune?: TuneInput;
  readonly chunk?: number;
};

type Defaulted = 'seed' | 'scheduler' | 'engine' | 'metrics' | 'samples' | 'impossible';
/** An experiment file that was checked against the schema, with its defaults. */
type CheckedExperiment = Omit<ExperimentInput, Defaulted> & Required<Pick<ExperimentInput, Defaulted>>;

/** An experiment as it was given, and how to speak of places in it. */
export type Recipe = {
  readonly input: CheckedExperiment;
  /** Name of the file without ending, or `experiment`. */
  readonly name: string;
  /** The folder in which relative paths start. */
  readonly folder: string;
  /** The file, as messages name it. */
  readonly where: string;
  /** How it names the plugins that it names by their files: path by id. */
  readonly paths?: ReadonlyMap<string, string>;
  /**
   * Runs `check`. A ConfigError that names a place of the file as `[file /pointer]` leaves with the line:
   * `[file:12 /pointer]`.
   */
  locating<T>(check: () => T): T;
};

const schema = readJson(join(import.meta.dirname, '../../schemas/experiment.schema.json')) as JsonSchema;

/** Reads an experiment from a YAML or JSON file, or takes it as an object. */
export const readRecipe = (recipe: string | ExperimentInput | undefined): Recipe => {
  if (typeof recipe !== 'string') {
    // In JavaScript, and where types are not checked, the content is often given without the key.
    if (recipe === undefined)
      throw new ConfigError(
        'experiment',
        'the key `recipe` is missing.',
        "Give a path, compare({ recipe: 'my.yaml' }), or the content, compare({ recipe: { model, images, ... } }); options such as `out` stand beside it.",
      );
    refuseCircle(recipe, 'experiment');
    const input = validate<CheckedExperiment>(schema, recipe, 'experiment');
    return {
      input,
      name: 'experiment',
      folder: resolve(input.folder ?? '.'),
      where: 'experiment',
      locating: (check) => check(),
    };
  }
  const { content, locating } = readDocument(recipe, {
    noun: 'experiment',
    keys: '"model" and "methods"',
    start: 'Start from recipes/quickstart.yaml.',
  });
  const input = locating(() => validate<CheckedExperiment>(schema, content(), recipe));
  return {
    input,
    name: basename(recipe, extname(recipe)),
    folder: resolve(dirname(recipe), input.folder ?? '.'),
    where: recipe,
    locating,
  };
};
