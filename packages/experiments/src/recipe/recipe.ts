import { readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { ConfigError, messageOf, readJson, validate, type JsonSchema, refuseIrregular } from '@tweedie/core';
import { isMap, LineCounter, parseDocument, visit, type Document } from 'yaml';
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
    readonly measurements?: readonly (readonly number[])[];
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
  /**
   * Runs `check`. A ConfigError that names a place of the file as `[file /pointer]` leaves with the line:
   * `[file:12 /pointer]`.
   */
  locating<T>(check: () => T): T;
};

const schema = readJson(join(import.meta.dirname, '../../schemas/experiment.schema.json')) as JsonSchema;

/** The line of the nearest thing that exists at or above a JSON pointer. */
const lineOf = (document: Document, lines: LineCounter, pointer: string): number => {
  const path = pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  for (let length = path.length; length > 0; length--) {
    const keys = path.slice(0, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    const node = document.getIn(keys, true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range))
      return lines.linePos(Number(node.range[0])).line;
  }
  return 1;
};

/** A ConfigError's message with lines in place of bare pointers. */
const withLines = (error: unknown, file: string, lineAt: (pointer: string) => number): unknown => {
  if (!(error instanceof ConfigError)) return error;
  error.message = error.message
    .replaceAll(`[${file} /`, `[${file} \0/`)
    .replace(/ \0(\/[^\]]*)\]/g, (_, pointer: string) => `:${lineAt(pointer)} ${pointer}]`);
  return error;
};

/** Bytes of the largest experiment file that is read: parsing takes forty times as much memory. */
const LARGEST = 16 * 2 ** 20;

/** Refuses a value that holds itself, as an alias within its own anchor does. */
const refuseCircle = (value: unknown, where: string, at = '', above: readonly unknown[] = []): void => {
  if (typeof value !== 'object' || value === null) return;
  if (above.includes(value))
    throw new ConfigError(
      at === '' ? where : `${where} ${at}`,
      'holds itself, without end.',
      'An alias (*name) cannot stand within its own anchor (&name): write out what is meant.',
    );
  for (const [key, inner] of Object.entries(value))
    refuseCircle(inner, where, `${at}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, [...above, value]);
};

/**
 * The content of a YAML document. Its aliases are followed here, not while parsing: one without an anchor, or so many
 * that memory would not do, shows only now.
 */
const contentOf = (document: Document, file: string, lines: LineCounter): unknown => {
  try {
    const content: unknown = document.toJS();
    refuseCircle(content, file);
    return content;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    let line = '';
    visit(document, {
      Alias(_, alias) {
        if (alias.resolve(document) !== undefined) return undefined;
        line = `:${lines.linePos(alias.range?.[0] ?? 0).line}`;
        return visit.BREAK;
      },
    });
    throw new ConfigError(
      `${file}${line}`,
      `is not valid YAML: ${messageOf(error)}.`,
      'Correct its aliases (*name); each needs its anchor (&name) above it.',
      { cause: error },
    );
  }
};

const parse = (file: string, text: string): Recipe => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  const [broken] = document.errors;
  if (broken) {
    const [what = ''] = broken.message.split('\n');
    const given = text.split('\n').slice(0, broken.linePos?.[0].line ?? 0);
    const line = given.pop()?.trim() ?? '';
    // What is never closed is missed at the end of the file, below its last line.
    const above = given
      .reverse()
      .find((other) => other.trim() !== '')
      ?.trim();
    const shown = line !== '' ? `, in «${line}»` : above === undefined ? '' : `, below «${above}»`;
    throw new ConfigError(
      file,
      `is not valid YAML: ${what.replace(/;.*\(\)| *:$/g, '')}${shown}.`,
      'Correct the file.',
    );
  }
  if (!isMap(document.contents))
    throw new ConfigError(
      file,
      'is not an experiment: it holds no keys such as "model" and "methods".',
      'Start from recipes/quickstart.yaml.',
    );
  const locating: Recipe['locating'] = (check) => {
    try {
      return check();
    } catch (error) {
      throw withLines(error, file, (pointer) => lineOf(document, lines, pointer));
    }
  };
  const input = locating(() => validate<CheckedExperiment>(schema, contentOf(document, file, lines), file));
  return {
    input,
    name: basename(file, extname(file)),
    folder: resolve(dirname(file), input.folder ?? '.'),
    where: file,
    locating,
  };
};

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
  let text: string;
  try {
    const stats = statSync(recipe);
    refuseIrregular(recipe, stats);
    if (stats.size > LARGEST)
      throw new ConfigError(
        recipe,
        `has ${Math.round(stats.size / 2 ** 20)} MB; experiment files of at most ${LARGEST / 2 ** 20} MB are read.`,
        'Keep numbers in files that it names (a mask or means in safetensors, pictures in a folder).',
      );
    text = readFileSync(recipe, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(recipe, `the experiment file cannot be read: ${messageOf(error)}.`, 'Correct the path.', {
      cause: error,
    });
  }
  return parse(recipe, text);
};
