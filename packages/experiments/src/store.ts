import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, decodeSafetensors, encodeSafetensors, messageOf, sha256, type Cost, type ImageShape } from '@tweedie/core';
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api';
import { makeFolder, writeError, writeWhole } from './write.ts';

/** One finished unit of work: a sample of a problem by a method. */
export type Cell = {
  /** Hash of everything that the sample depends on. */
  readonly key: string;
  readonly problem: string;
  readonly image: string;
  readonly operator: string;
  readonly sigmaY: number;
  readonly label: string;
  readonly method: string;
  readonly sample: number;
  readonly started: Date;
  readonly finished: Date;
  /** Wall clock of sampling, compilation left out: the chunk's time over the chunk's size. */
  readonly seconds: number;
  readonly cost: Cost;
  /** Compilation while the chunk ran; 0 for most chunks. */
  readonly compileSeconds: number;
  readonly chunk: number;
  /** Largest resident memory seen while the chunk ran, bytes. */
  readonly peakMemory: number;
  /** SHA-256 of the float32 sample; absent where it failed. */
  readonly sampleHash?: string;
  readonly failure?: { readonly step: number; readonly reason: string };
};
export type NewCell = Omit<Cell, 'sampleHash'> & { readonly x?: Float32Array };
/** A score of a cell by the metric whose identity hashes to `metric`. */
export type Score = { readonly cell: string; readonly metric: string; readonly value: number };

/** Results of one run folder. Whoever opens it first keeps it until `close`. */
export interface Store {
  readonly folder: string;
  /** Cells whose sample is there (or that failed), by key. */
  cells(): Promise<Map<string, Cell>>;
  /** cell key -> value, of one metric. */
  scores(metric: string): Promise<Map<string, number>>;
  /** Samples first, then one transaction: a cell in the table has its sample on disk. */
  save(cells: readonly NewCell[], scores: readonly Score[], imageShape: ImageShape): Promise<void>;
  readSample(key: string): Promise<Float32Array>;
  /** Notes a start of the command with what it ran on. */
  begin(provenance: Readonly<Record<string, unknown>>): Promise<void>;
  close(): void;
}

const FILE = 'results.duckdb';
const VERSION = 1;
const TABLES = [
  'CREATE TABLE IF NOT EXISTS meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)',
  'CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, started TIMESTAMP NOT NULL, provenance JSON NOT NULL)',
  `CREATE TABLE IF NOT EXISTS cells (
    key VARCHAR PRIMARY KEY, run INTEGER NOT NULL, problem VARCHAR NOT NULL, image VARCHAR NOT NULL, operator VARCHAR NOT NULL, sigma_y DOUBLE NOT NULL,
    label VARCHAR NOT NULL, method VARCHAR NOT NULL, sample INTEGER NOT NULL, status VARCHAR NOT NULL, started TIMESTAMP NOT NULL, finished TIMESTAMP NOT NULL,
    seconds DOUBLE NOT NULL, compile_seconds DOUBLE NOT NULL, sample_hash VARCHAR, failure VARCHAR, failed_step INTEGER, forwards DOUBLE NOT NULL, vjps DOUBLE NOT NULL,
    operator_calls DOUBLE NOT NULL, chunk INTEGER NOT NULL, peak_memory DOUBLE NOT NULL)`,
  'CREATE TABLE IF NOT EXISTS scores (cell VARCHAR NOT NULL, metric VARCHAR NOT NULL, value DOUBLE NOT NULL, PRIMARY KEY (cell, metric))',
];

const openFile = async (folder: string): Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> => {
  const path = join(folder, FILE);
  const { DuckDBInstance } = await import('@duckdb/node-api');
  try {
    const instance = await DuckDBInstance.create(path);
    return { instance, connection: await instance.connect() };
  } catch (error) {
    const message = messageOf(error);
    const holder = /\(PID (\d+)\)/.exec(message)?.[1];
    if (/lock/i.test(message)) {
      throw new ConfigError(folder, `another process${holder === undefined ? '' : ` (PID ${holder})`} is using this run folder.`, 'Wait for it to end, or choose another folder with --out.', { cause: error });
    }
    if (/not a valid DuckDB|newer|version/i.test(message)) {
      throw new ConfigError(path, `cannot be read as results: ${message.replace(/^IO Error: /, '')}`, 'It may come from a newer version of Tweedie. Update, or choose another folder with --out.', { cause: error });
    }
    throw writeError(path, error);
  }
};

const checkVersion = async (connection: DuckDBConnection, path: string): Promise<void> => {
  const tables = await connection.runAndReadAll("SELECT table_name FROM information_schema.tables WHERE table_name = 'meta'");
  if (tables.currentRowCount === 0) return;
  const rows = await connection.runAndReadAll("SELECT value FROM meta WHERE name = 'version'");
  const version = Number(rows.getRowsJS()[0]?.[0] ?? VERSION);
  if (version <= VERSION) return;
  throw new ConfigError(path, `was written by a newer version of Tweedie (format ${version}; this one reads up to ${VERSION}).`, 'Update Tweedie, or choose another folder with --out.');
};

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
  ...(row['failure'] === null ? {} : { failure: { step: Number(row['failed_step']), reason: String(row['failure']) } }),
});

const sqlTime = (time: Date): string => time.toISOString().replace('T', ' ').replace('Z', '');

/** Opens the results of a run folder, creating both where they are not there. */
export const openStore = async (folder: string): Promise<Store> => {
  makeFolder(folder);
  const path = join(folder, FILE);
  const { instance, connection } = await openFile(folder);
  const close = (): void => {
    connection.closeSync();
    instance.closeSync();
  };
  const write = async (sql: string, values: DuckDBValue[] = []): Promise<void> => {
    try {
      await connection.run(sql, values);
    } catch (error) {
      throw writeError(path, error);
    }
  };
  const read = async (sql: string, values: DuckDBValue[] = []) => (await connection.runAndReadAll(sql, values)).getRowObjectsJS();
  try {
    await checkVersion(connection, path);
    for (const table of TABLES) await write(table);
    await write("INSERT OR IGNORE INTO meta VALUES ('version', $1)", [String(VERSION)]);
  } catch (error) {
    close();
    throw error;
  }
  const [last] = await read('SELECT coalesce(max(run), 0) AS run FROM runs');
  let run = Number(last?.['run'] ?? 0);
  const samplePath = (key: string): string => join(folder, 'samples', `${key}.safetensors`);

  /** One statement for all rows: a round trip for each would cost more than small samples do. */
  const insert = async (table: string, rows: readonly DuckDBValue[][]): Promise<void> => {
    const [first] = rows;
    if (first === undefined) return;
    const places = rows.map((_, i) => `(${first.map((__, j) => `$${i * first.length + j + 1}`).join(',')})`);
    await write(`INSERT OR REPLACE INTO ${table} VALUES ${places.join(',')}`, rows.flat());
  };
  const toRow = ({ x, failure, cost, ...cell }: NewCell): DuckDBValue[] => [
    cell.key, run, cell.problem, cell.image, cell.operator, cell.sigmaY, cell.label, cell.method, cell.sample, failure ? 'failed' : 'done',
    sqlTime(cell.started), sqlTime(cell.finished), cell.seconds, cell.compileSeconds, x ? sha256(new Uint8Array(x.buffer, x.byteOffset, x.byteLength)) : null,
    failure?.reason ?? null, failure?.step ?? null, cost.forwards, cost.vjps, cost.operatorCalls, cell.chunk, cell.peakMemory,
  ];

  return {
    folder,
    async cells() {
      const rows = (await read('SELECT * FROM cells')).map(toCell);
      return new Map(rows.filter((cell) => cell.failure !== undefined || existsSync(samplePath(cell.key))).map((cell) => [cell.key, cell]));
    },
    async scores(metric) {
      const rows = await read('SELECT cell, value FROM scores WHERE metric = $1', [metric]);
      return new Map(rows.map((row) => [String(row['cell']), Number(row['value'])]));
    },
    async save(cells, scores, imageShape) {
      for (const { key, x } of cells) {
        if (x) writeWhole(samplePath(key), encodeSafetensors(new Map([['x', { dtype: 'F32', shape: [...imageShape], data: x }]])));
      }
      await write('BEGIN');
      try {
        await insert('cells', cells.map(toRow));
        await insert('scores', scores.map(({ cell, metric, value }) => [cell, metric, value]));
        await write('COMMIT');
      } catch (error) {
        await connection.run('ROLLBACK').catch(() => undefined);
        throw error;
      }
    },
    async readSample(key) {
      const file = samplePath(key);
      const entry = decodeSafetensors(await readFile(file), file).get('x');
      if (entry?.dtype === 'F32') return entry.data;
      throw new ConfigError(file, 'holds no float32 tensor "x".', 'Delete the file and run the same command again.');
    },
    async begin(provenance) {
      run += 1;
      await write('INSERT INTO runs VALUES ($1, $2::TIMESTAMP, $3)', [run, sqlTime(new Date()), JSON.stringify(provenance)]);
    },
    close,
  };
};
