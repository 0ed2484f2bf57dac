import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ConfigError, nearest, readJson, type ImageShape } from '@tweedie/core';
import type { FreeEnergyIndex } from '../plan/free-energy.ts';
import type { Sweep } from '../recipe/experiment.ts';
import type { Found } from '../recipe/recipe.ts';
import { writeWhole } from '@tweedie/files';
import { identify } from './identity.ts';
import type { Fact } from './provenance.ts';

/** A row of the comparison, one method on one operator and noise level, and where its results are. */
export type IndexRow = {
  /** Label of the operator, unique among the operators of the run. */
  readonly operator: string;
  /** Standard deviation of the measurement noise, in the units of the operator's output. */
  readonly sigmaY: number;
  /** Name of the row, unique within one operator and noise level. */
  readonly label: string;
  /** Id of the method. */
  readonly method: string;
  /** Options that were given, as shown to a reader: `scale 0.3, norm squared`. Empty where all are defaults. */
  readonly options: string;
  /** Noise levels visited. */
  readonly steps: number;
  /** The sweep that the row is one of: the label that its rows share, and the swept values of this one. */
  readonly sweep?: Sweep;
  /** The search that found the options; absent where they were given. */
  readonly found?: Found;
  /** The posterior is known in closed form, so that distance to it marks rows. */
  readonly posteriorKnown?: true;
  /** The row is the posterior in closed form: independent draws, or the mean; other rows are measured by it. */
  readonly truth?: 'draws' | 'mean';
  /** The row is the exact score at the recipe's steps: what the steps alone leave, compared with no other. */
  readonly floor?: true;
  /** What a sample costs where it calls no network. */
  readonly work?: string;
  /** Reason why the row was skipped; it has no cells then. */
  readonly skipped?: string;
  /** Hash of the problem of each image. */
  readonly problems: readonly string[];
  /** Key of the cell of each image and sample. */
  readonly cells: readonly (readonly string[])[];
};

export type IndexMetric = {
  /** Label of the metric in the recipe, unique among the metrics of the run. */
  readonly id: string;
  readonly title: string;
  readonly better: 'higher' | 'lower';
  /** Unit of the score, for example `dB`. */
  readonly unit?: string;
  /** What it took as full scale and whether it clips, as the metric says it. */
  readonly scale?: string;
  /** Name that scores of this metric are stored under. */
  readonly key: string;
};

/**
 * The content of `run.json` in a run folder: what the last command compared there. With the results it is all that
 * tables and reports are made of.
 */
export type RunIndex = {
  readonly title: string;
  readonly notes?: string;
  readonly command: string;
  readonly imageShape: ImageShape;
  /** The shape of each image, where they differ; `imageShape` is then that of the first. */
  readonly shapes?: readonly ImageShape[];
  /** The range of the images, where they have one. */
  readonly range?: readonly [low: number, high: number];
  /** Without a range: the smallest and the largest entry of the clean images, where they are known. */
  readonly references?: readonly [low: number, high: number];
  readonly images: readonly string[];
  readonly samples: number;
  readonly metrics: readonly IndexMetric[];
  readonly rows: readonly IndexRow[];
  /** True where only measurements were given: nothing is known of the images. */
  readonly truthUnknown?: true;
  readonly freeEnergy?: FreeEnergyIndex;
  /** Number of images whose x0hat is kept on its way, the first ones. */
  readonly traced: number;
  readonly provenance: readonly Fact[];
};

const FILE = 'run.json';

export const writeIndex = (folder: string, index: RunIndex): void =>
  writeWhole(join(folder, FILE), JSON.stringify(index));

/** The lists that everything is made of; a file of another version may lack one. */
const isIndex = (value: unknown): value is RunIndex =>
  typeof value === 'object' &&
  value !== null &&
  (['images', 'metrics', 'rows', 'provenance', 'imageShape'] as const).every((name) =>
    Array.isArray((value as Partial<RunIndex>)[name]),
  );

export const readIndex = (folder: string): RunIndex => {
  const path = join(folder, FILE);
  if (existsSync(path)) {
    const index = readJson(
      path,
      'Run the same tweedie compare again, which makes this file anew and keeps what had finished.',
    );
    if (isIndex(index)) return index;
    throw new ConfigError(
      path,
      'is not the index of a run as this version writes it.',
      'Run the same tweedie compare again, which keeps what had finished; or update Tweedie, if a newer version wrote it.',
    );
  }
  throw new ConfigError(
    folder,
    'is not the folder of a run: it has no run.json.',
    'Give the folder that tweedie compare wrote, for example runs/quickstart-1a2b3c4d.',
  );
};

/** The error for a run folder that is not there: names the runs beside it, or under `runs`, that may be meant. */
export const missingRun = (folder: string): ConfigError => {
  const runsIn = (place: string): readonly string[] =>
    existsSync(place) && statSync(place).isDirectory()
      ? readdirSync(place)
          .map((name) => join(place, name))
          .filter((path) => existsSync(join(path, FILE)))
      : [];
  const runs = [...new Set([dirname(folder), 'runs'].flatMap(runsIn))];
  const wanted = basename(folder);
  const near = nearest(
    wanted,
    runs.map((run) => basename(run)),
  );
  const meant = runs.filter((run) => near.includes(basename(run)));
  return new ConfigError(
    folder,
    'does not exist.',
    meant.length > 0
      ? `Did you mean ${meant.map((run) => JSON.stringify(run)).join(' or ')}?`
      : 'Give the folder that tweedie compare wrote.',
  );
};

/** The title of the run that the folder holds, where it holds one that can be read. */
export const titleIn = (folder: string): string | undefined => {
  try {
    return readIndex(folder).title;
  } catch {
    return undefined;
  }
};

/** The key under which the score of the mean of several samples is stored. */
export const meanCell = (cells: readonly string[]): string => `mean of ${identify([...cells].sort())}`;

/** The shape of the image at a position. */
export const shapeAt = (
  { imageShape, shapes }: Pick<RunIndex, 'imageShape' | 'shapes'>,
  position: number,
): ImageShape => shapes?.[position] ?? imageShape;

export const rowTitle = ({ operator, sigmaY, label }: Pick<IndexRow, 'operator' | 'sigmaY' | 'label'>): string =>
  `${operator}, sigmaY ${sigmaY}, ${label}`;
