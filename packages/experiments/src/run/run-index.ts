import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, readJson, type ImageShape } from '@tweedie/core';
import type { FreeEnergyIndex } from '../results/free-energy.ts';
import { identify } from './identity.ts';
import type { Sweep } from '../recipe/experiment.ts';
import type { Found } from '../recipe/recipe.ts';
import type { ReportMetric, ReportRow } from '../report/data.ts';
import { writeWhole } from '../machine/write.ts';

/** A row of the comparison, and where its results are. */
export type IndexRow = Pick<ReportRow, 'operator' | 'sigmaY' | 'label' | 'method' | 'options' | 'steps'> & {
  /** Of a row of a sweep. */
  readonly sweep?: Sweep;
  /** How its options were found, of tuned ones. */
  readonly found?: Found;
  /** Why the row was skipped; then it has no cells. */
  readonly skipped?: string;
  /** Hash of the problem of each image. */
  readonly problems: readonly string[];
  /** Key of the cell of each image and sample. */
  readonly cells: readonly (readonly string[])[];
};

export type IndexMetric = ReportMetric & {
  /** What scores of this metric are stored under. */
  readonly key: string;
};

/** `run.json` of a run folder: what the last command compared there. With the results it is all that tables and reports are made of. */
export type RunIndex = {
  readonly title: string;
  readonly notes?: string;
  readonly command: string;
  readonly imageShape: ImageShape;
  readonly images: readonly string[];
  readonly samples: number;
  readonly metrics: readonly IndexMetric[];
  readonly rows: readonly IndexRow[];
  /** True where only measurements were given: nothing is known of the images. */
  readonly truthUnknown?: true;
  readonly freeEnergy?: FreeEnergyIndex;
  /** Images whose x0hat is kept. */
  readonly traced: number;
  readonly provenance: readonly { readonly name: string; readonly value: string }[];
};

const FILE = 'run.json';

export const writeIndex = (folder: string, index: RunIndex): void => writeWhole(join(folder, FILE), JSON.stringify(index));

/** The lists that everything is made of; a file of another version may lack one. */
const isIndex = (value: unknown): value is RunIndex =>
  typeof value === 'object' && value !== null && (['images', 'metrics', 'rows', 'provenance', 'imageShape'] as const).every((name) => Array.isArray((value as Partial<RunIndex>)[name]));

export const readIndex = (folder: string): RunIndex => {
  const path = join(folder, FILE);
  if (existsSync(path)) {
    const index = readJson(path, 'Run the same tweedie compare again, which makes this file anew and keeps what had finished.');
    if (isIndex(index)) return index;
    throw new ConfigError(path, 'is not the index of a run as this version writes it.', 'Run the same tweedie compare again, which keeps what had finished; or update Tweedie, if a newer version wrote it.');
  }
  throw new ConfigError(folder, 'is not the folder of a run: it has no run.json.', 'Give the folder that tweedie compare wrote, for example runs/quickstart-1a2b3c4d.');
};

/** The title of the run that the folder holds, where it holds one that can be read. */
export const titleIn = (folder: string): string | undefined => {
  try {
    return readIndex(folder).title;
  } catch {
    return undefined;
  }
};

/** What the score of the mean of several samples is stored under. */
export const meanCell = (cells: readonly string[]): string => `mean of ${identify([...cells].sort())}`;

export const rowTitle = ({ operator, sigmaY, label }: Pick<IndexRow, 'operator' | 'sigmaY' | 'label'>): string => `${operator}, sigmaY ${sigmaY}, ${label}`;

/** Rows of one operator and noise level together, in order. */
export const tablesOf = <T>(rows: readonly T[], place: (row: T) => Pick<IndexRow, 'operator' | 'sigmaY'>): readonly (readonly T[])[] => {
  const key = (row: T): string => `${place(row).operator}\n${place(row).sigmaY}`;
  return [...new Set(rows.map(key))].map((wanted) => rows.filter((row) => key(row) === wanted));
};
