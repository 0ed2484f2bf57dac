/**
 * The file `results.duckdb` of a run folder. One process writes it at a time, and in it one comparison; others read a
 * copy.
 */
import { chmodSync, copyFileSync, existsSync, linkSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, temporaryFolder } from '@tweedie/core';
import type { DuckDBInstance, DuckDBValue } from '@duckdb/node-api';
import { OTHER_RUN, partialOf, writeError } from '@tweedie/files';
import { databaseError } from './database-error.ts';
import { makeTables } from './tables.ts';

export type Database = {
  read(sql: string, values?: DuckDBValue[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  write(sql: string, values?: DuckDBValue[]): Promise<void>;
  close(): void;
};

const FILE = 'results.duckdb';
const walOf = (path: string): string => `${path}.wal`;

const openInstance = async (path: string): Promise<DuckDBInstance> => {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  return DuckDBInstance.create(path);
};

/** Makes an empty database beside its place and puts it there whole, unless another process has been faster. */
const makeDatabase = async (path: string): Promise<void> => {
  const partial = partialOf(path);
  const remove = (): void => [partial, walOf(partial)].forEach((file) => rmSync(file, { force: true }));
  remove();
  try {
    const instance = await openInstance(partial);
    try {
      const connection = await instance.connect();
      await makeTables(connection, path);
      await connection.run('CHECKPOINT');
      connection.closeSync();
    } finally {
      instance.closeSync();
    }
    // The log of a database that was taken away belongs to nothing.
    if (!existsSync(path)) rmSync(walOf(path), { force: true });
    try {
      linkSync(partial, path);
    } catch {
      // There is one by now, or the file system knows no links.
      if (!existsSync(path)) renameSync(partial, path);
    }
  } finally {
    remove();
  }
};

/** A database that this process has open, and how many use it; one of them may write. */
type Shared = { readonly instance: Promise<DuckDBInstance>; users: number; writing: boolean };
/**
 * What this process has open, by path. The lock of the system keeps other processes out, not this one, and is lost as
 * soon as this one opens the file once more and closes it.
 */
const opened = new Map<string, Shared>();

/** Connects to a database, which the last of its users closes; `end` is called by the way. */
const connect = async (folder: string, database: Shared, end: () => void): Promise<Database> => {
  const path = join(folder, FILE);
  database.users += 1;
  let instance: DuckDBInstance | undefined;
  const leave = (): void => {
    database.users -= 1;
    if (database.users === 0) instance?.closeSync();
    end();
  };
  try {
    instance = await database.instance;
    const connection = await instance.connect();
    await makeTables(connection, path);
    return {
      async read(sql, values = []) {
        try {
          return (await connection.runAndReadAll(sql, values)).getRowObjectsJS();
        } catch (error) {
          throw databaseError(folder, path, error);
        }
      },
      async write(sql, values = []) {
        try {
          await connection.run(sql, values);
        } catch (error) {
          throw writeError(path, error);
        }
      },
      close() {
        connection.closeSync();
        leave();
      },
    };
  } catch (error) {
    leave();
    throw databaseError(folder, path, error);
  }
};

/** Opens the database of a run folder for the one who writes it, and makes it where it is not there. */
export const openDatabase = (folder: string): Promise<Database> => {
  const path = join(realpathSync(folder), FILE);
  const there = opened.get(path);
  if (there?.writing)
    throw new ConfigError(
      folder,
      'a comparison or search of this process is using this run folder.',
      `Wait for it to end, or ${OTHER_RUN}.`,
    );
  const open = async (): Promise<DuckDBInstance> => {
    if (!existsSync(path)) await makeDatabase(path);
    return openInstance(path);
  };
  const database = there ?? { instance: open(), users: 0, writing: true };
  database.writing = true;
  opened.set(path, database);
  return connect(folder, database, () => {
    database.writing = false;
    if (database.users === 0) opened.delete(path);
  });
};

/** The number of times that a file which changes meanwhile is copied again. */
const COPIES = 20;

/** Copies a file, which may be one that nobody may write, to one that we may. */
const copyFile = (from: string, to: string): void => {
  copyFileSync(from, to);
  chmodSync(to, 0o600);
};

/**
 * Copies a database with its log. As long as the file itself does not change, the two are what a crash would leave, at
 * whatever length the log is cut: that is what DuckDB can open.
 */
const copyDatabase = (path: string, copy: string): void => {
  const stamp = (): string => {
    const { size, mtimeNs, ino } = statSync(path, { bigint: true });
    return [size, mtimeNs, ino].join();
  };
  for (let left = COPIES; left > 0; left--) {
    const before = stamp();
    rmSync(walOf(copy), { force: true });
    copyFile(path, copy);
    try {
      copyFile(walOf(path), walOf(copy));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    if (stamp() === before) return;
  }
  throw new Error(`${path} changed whenever it was copied`);
};

/**
 * Opens the database of a run folder for somebody who reads. Nothing in the folder is written, and whoever writes there
 * goes on: it is a copy in the temporary folder, or what this process has open.
 */
export const readDatabase = async (folder: string): Promise<Database> => {
  if (!existsSync(join(folder, FILE)))
    throw new ConfigError(folder, `has no results: ${FILE} is not there.`, 'Run the command of the run again.');
  const path = join(realpathSync(folder), FILE);
  const there = opened.get(path);
  if (there) {
    const end = (): void => {
      if (there.users === 0) opened.delete(path);
    };
    return connect(folder, there, end);
  }
  const elsewhere = 'Make room there, or name another temporary folder in TMPDIR.';
  let temporary: string;
  try {
    temporary = temporaryFolder('results');
  } catch (error) {
    throw writeError(tmpdir(), error, elsewhere);
  }
  const remove = (): void => rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
  try {
    copyDatabase(path, join(temporary, FILE));
  } catch (error) {
    remove();
    throw writeError(temporary, error, elsewhere);
  }
  return connect(folder, { instance: openInstance(join(temporary, FILE)), users: 0, writing: false }, remove);
};
