import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ConfigError,
  decodeSafetensors,
  encodeSafetensors,
  messageOf,
  sha256,
  toStandardError,
  type ImageShape,
} from '@tweedie/core';
import type { DuckDBConnection, DuckDBInstance, DuckDBValue } from '@duckdb/node-api';
import { isWhole, makeFolder, OTHER_RUN, writeError, writeWhole } from '../machine/write.ts';
import type { Cell, NewCell, Score } from './cells.ts';

/** Results of one run folder. Whoever opens it first keeps it until `close`. */
export interface Store {
  readonly folder: string;
  /** Cells whose sample is there (or that failed), by key. One whose sample is damaged is not, which is said once. */
  cells(): Promise<Map<string, Cell>>;
  /** Scores by one metric, by the key of the cell. */
  scores(metric: string): Promise<Map<string, number>>;
  /** Stores samples first, then the rest in one transaction: a cell in the table has its sample on disk. */
  save(cells: readonly NewCell[], scores: readonly Score[], imageShape: ImageShape): Promise<void>;
  readSample(key: string): Promise<Float32Array>;
  /** Notes a start of the command with what it ran on. */
  begin(provenance: Readonly<Record<string, unknown>>): Promise<void>;
  close(): void;
}

const FILE = 'results.duckdb';
const VERSION = 1;
/** Columns of the tables that are written many rows at a time, with their types. */
const CELLS = {
  key: 'VARCHAR',
  run: 'INTEGER',
  problem: 'VARCHAR',
  image: 'VARCHAR',
  operator: 'VARCHAR',
  sigma_y: 'DOUBLE',
  label: 'VARCHAR',
  method: 'VARCHAR',
  sample: 'INTEGER',
  status: 'VARCHAR',
  started: 'TIMESTAMP',
  finished: 'TIMESTAMP',
  seconds: 'DOUBLE',
  compile_seconds: 'DOUBLE',
  sample_hash: 'VARCHAR',
  failure: 'VARCHAR',
  failed_step: 'INTEGER',
  forwards: 'DOUBLE',
  vjps: 'DOUBLE',
  operator_calls: 'DOUBLE',
  chunk: 'INTEGER',
  peak_memory: 'DOUBLE',
} as const;
const SCORES = { cell: 'VARCHAR', metric: 'VARCHAR', value: 'DOUBLE' } as const;
type RowOf<C> = { readonly [K in keyof C]: string | number | null };

const columns = (types: Readonly<Record<string, string>>): string =>
  Object.entries(types)
    .map(([name, type]) => `${name} ${type}`)
    .join(', ');
const TABLES = [
  'CREATE TABLE IF NOT EXISTS meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL)',
  'CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, started TIMESTAMP NOT NULL, provenance JSON NOT NULL)',
  `CREATE TABLE IF NOT EXISTS cells (${columns(CELLS)}, PRIMARY KEY (key))`,
  `CREATE TABLE IF NOT EXISTS scores (${columns(SCORES)}, PRIMARY KEY (cell, metric))`,
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
      throw new ConfigError(
        folder,
        `another process${holder === undefined ? '' : ` (PID ${holder})`} is using this run folder.`,
        `Wait for it to end, or ${OTHER_RUN}.`,
        { cause: error },
      );
    }
    if (/not a valid DuckDB|newer|version/i.test(message)) {
      throw new ConfigError(
        path,
        `cannot be read as results: ${message.replace(/^IO Error: /, '')}`,
        `It may come from a newer version of Tweedie. Update, or ${OTHER_RUN}.`,
        { cause: error },
      );
    }
    throw writeError(path, error);
  }
};

const checkVersion = async (connection: DuckDBConnection, path: string): Promise<void> => {
  const tables = await connection.runAndReadAll(
    "SELECT table_name FROM information_schema.tables WHERE table_name = 'meta'",
  );
  if (tables.currentRowCount === 0) return;
  const rows = await connection.runAndReadAll("SELECT value FROM meta WHERE name = 'version'");
  const version = Number(rows.getRowsJS()[0]?.[0] ?? VERSION);
  if (version <= VERSION) return;
  throw new ConfigError(
    path,
    `was written by a newer version of Tweedie (format ${version}; this one reads up to ${VERSION}).`,
    `Update Tweedie, or ${OTHER_RUN}.`,
  );
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
export const openStore = async (folder: string, warn: (message: string) => void = toStandardError): Promise<Store> => {
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
  const read = async (sql: string, values: DuckDBValue[] = []) =>
    (await connection.runAndReadAll(sql, values)).getRowObjectsJS();
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
  const whole = new Set<string>();
  const damaged = new Set<string>();
  const isThere = (key: string): boolean => {
    const path = samplePath(key);
    if (!existsSync(path)) return false;
    if (whole.has(key)) return true;
    if (isWhole(path)) whole.add(key);
    else if (!damaged.has(key)) {
      damaged.add(key);
      warn(`[${path}] is damaged and counts as not drawn: the command of the run draws this sample again.`);
    }
    return whole.has(key);
  };

  /** Inserts all rows as one value: a statement for each would cost more than small samples do. */
  const insert = async <C extends Readonly<Record<string, string>>>(
    table: string,
    types: C,
    rows: readonly RowOf<C>[],
  ): Promise<void> => {
    if (rows.length === 0) return;
    await write(
      `INSERT OR REPLACE INTO ${table} SELECT unnest(from_json($1, '${JSON.stringify([types])}'), recursive := true)`,
      [JSON.stringify(rows)],
    );
  };
  const toRow = ({ x, failure, cost, sigmaY, ...cell }: NewCell): RowOf<typeof CELLS> => ({
    key: cell.key,
    run,
    problem: cell.problem,
    image: cell.image,
    operator: cell.operator,
    sigma_y: sigmaY,
    label: cell.label,
    method: cell.method,
    sample: cell.sample,
    status: failure ? 'failed' : 'done',
    started: sqlTime(cell.started),
    finished: sqlTime(cell.finished),
    seconds: cell.seconds,
    compile_seconds: cell.compileSeconds,
    sample_hash: x ? sha256(new Uint8Array(x.buffer, x.byteOffset, x.byteLength)) : null,
    failure: failure?.reason ?? null,
    failed_step: failure?.step ?? null,
    forwards: cost.forwards,
    vjps: cost.vjps,
    operator_calls: cost.operatorCalls,
    chunk: cell.chunk,
    peak_memory: cell.peakMemory,
  });

  return {
    folder,
    async cells() {
      const rows = (await read('SELECT * FROM cells')).map(toCell);
      return new Map(
        rows.filter((cell) => cell.failure !== undefined || isThere(cell.key)).map((cell) => [cell.key, cell]),
      );
    },
    async scores(metric) {
      const rows = await read('SELECT cell, value FROM scores WHERE metric = $1', [metric]);
      return new Map(rows.map((row) => [String(row['cell']), Number(row['value'])]));
    },
    async save(cells, scores, imageShape) {
      for (const { key, x } of cells) {
        if (!x) continue;
        writeWhole(
          samplePath(key),
          encodeSafetensors(new Map([['x', { dtype: 'F32', shape: [...imageShape], data: x }]])),
        );
        whole.add(key);
      }
      await write('BEGIN');
      try {
        await insert('cells', CELLS, cells.map(toRow));
        await insert(
          'scores',
          SCORES,
          scores.filter(({ value }) => Number.isFinite(value)),
        );
        await write('COMMIT');
      } catch (error) {
        await connection.run('ROLLBACK').catch(() => undefined);
        throw error;
      }
    },
    async readSample(key) {
      const file = samplePath(key);
      // One file after the other: opened at once, some thousands are more than a process may hold.
      const entry = decodeSafetensors(readFileSync(file), file).get('x');
      if (entry?.dtype === 'F32') return entry.data;
      throw new ConfigError(file, 'holds no float32 tensor "x".', 'Delete the file and run the same command again.');
    },
    async begin(provenance) {
      run += 1;
      await write('INSERT INTO runs VALUES ($1, $2::TIMESTAMP, $3)', [
        run,
        sqlTime(new Date()),
        JSON.stringify(provenance),
      ]);
    },
    close,
  };
};
