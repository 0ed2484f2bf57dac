import { toStandardError } from '@tweedie/core';
import type { Cell, Score } from './cells.ts';
import { readDatabase, type Database } from './database.ts';
import { sampleFiles, type SampleFiles } from './samples.ts';

/** What is stored of a run. */
export interface Results {
  readonly folder: string;
  /** Cells whose sample is there (or that failed), by key. One whose sample is damaged is not, which is said once. */
  cells(): Promise<Map<string, Cell>>;
  /** Scores by one metric, by the key of the cell. */
  scores(metric: string): Promise<Map<string, number>>;
  /** Scores by all metrics, of cells and of sets of them. */
  allScores(): Promise<readonly Score[]>;
  /** The numbers of a sample. Throws ConfigError where they are no longer those that were stored. */
  readSample(key: string): Promise<Float32Array>;
  close(): void;
}

const toCell = (row: Readonly<Record<string, unknown>>): Cell => ({
  key: String(row['key']),
  problem: String(row['problem']),
  image: String(row['image']),
  operator: String(row['operator']),
  sigmaY: Number(row['sigma_y']),
  label: String(row['label']),
  method: String(row['method']),
  sample: Number(row['sample']),
  started: row['started'] as Date,
  finished: row['finished'] as Date,
  seconds: Number(row['seconds']),
  compileSeconds: Number(row['compile_seconds']),
  cost: { forwards: Number(row['forwards']), vjps: Number(row['vjps']), operatorCalls: Number(row['operator_calls']) },
  chunk: Number(row['chunk']),
  peakMemory: Number(row['peak_memory']),
  ...(row['sample_hash'] === null ? {} : { sampleHash: String(row['sample_hash']) }),
  ...(typeof row['file'] === 'string' ? { file: row['file'] } : {}),
  ...(row['failure'] === null ? {} : { failure: { step: Number(row['failed_step']), reason: String(row['failure']) } }),
});

/** The results in a database and files of samples. */
export const resultsIn = (folder: string, { read, close }: Database, samples: SampleFiles): Results => {
  const cells = async (): Promise<Map<string, Cell>> => {
    const rows = (await read('SELECT * FROM cells ORDER BY file, image, sample')).map(toCell);
    const whole = new Set(samples.whole(rows.filter(({ failure }) => failure === undefined)));
    return new Map(rows.filter((cell) => cell.failure || whole.has(cell)).map((cell) => [cell.key, cell]));
  };
  return {
    folder,
    cells,
    async scores(metric) {
      const rows = await read('SELECT cell, value FROM scores WHERE metric = $1', [metric]);
      return new Map(rows.map((row) => [String(row['cell']), Number(row['value'])]));
    },
    async allScores() {
      const rows = await read('SELECT cell, metric, value FROM scores ORDER BY cell, metric');
      return rows.map(({ cell, metric, value }) => ({
        cell: String(cell),
        metric: String(metric),
        value: Number(value),
      }));
    },
    async readSample(key) {
      if (!samples.knows(key)) await cells();
      return samples.read(key);
    },
    close,
  };
};

/**
 * Opens the results of a run folder to be read, also while a comparison is at work there, as of now. Writes nothing in
 * the folder.
 */
export const openResults = async (
  folder: string,
  warn: (message: string) => void = toStandardError,
): Promise<Results> => resultsIn(folder, await readDatabase(folder), sampleFiles(folder, warn));
