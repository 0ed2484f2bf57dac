import { ConfigError } from '@tweedie/core';
import type { DuckDBConnection } from '@duckdb/node-api';
import { OTHER_RUN } from '@tweedie/files';

/** The format of the tables and of the files that they name. In format 1 each sample had a file of its own. */
const VERSION = 2;
/** Columns of the tables that are written many rows at a time, with their types. */
export const CELLS = {
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
  file: 'VARCHAR',
} as const;
export const SCORES = { cell: 'VARCHAR', metric: 'VARCHAR', value: 'DOUBLE' } as const;
export type RowOf<C> = { readonly [K in keyof C]: string | number | null };

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

/** The format of a database; undefined where it is empty. */
const versionOf = async (connection: DuckDBConnection): Promise<number | undefined> => {
  const tables = await connection.runAndReadAll(
    "SELECT table_name FROM information_schema.tables WHERE table_name = 'meta'",
  );
  if (tables.currentRowCount === 0) return undefined;
  const rows = await connection.runAndReadAll("SELECT value FROM meta WHERE name = 'version'");
  const [value] = rows.getRowsJS()[0] ?? [];
  return value === undefined ? undefined : Number(value);
};

/** Makes the tables that are not there, and older ones as they are now. Throws ConfigError where they are newer. */
export const makeTables = async (connection: DuckDBConnection, path: string): Promise<void> => {
  const version = await versionOf(connection);
  if (version === VERSION) return;
  if (version !== undefined && version > VERSION)
    throw new ConfigError(
      path,
      `was written by a newer version of Tweedie (format ${version}; this one reads up to ${VERSION}).`,
      `Update Tweedie, or ${OTHER_RUN}.`,
    );
  for (const table of TABLES) await connection.run(table);
  await connection.run('ALTER TABLE cells ADD COLUMN IF NOT EXISTS file VARCHAR');
  await connection.run("INSERT OR REPLACE INTO meta VALUES ('version', $1)", [String(VERSION)]);
};
