import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { checkSafetensors, ConfigError, isLeftover, messageOf } from '@tweedie/core';

/** The remedy of the two commands that have a run folder. */
export const OTHER_RUN = 'choose another folder with --out (of tweedie tune: --run)';
/** The remedy of commands that write one file. */
export const OTHER_FILE = 'Choose another file with --out.';

/**
 * The error of a failed write. `elsewhere` is its remedy; without one the place is in a run folder, where nothing is
 * lost.
 */
export const writeError = (path: string, cause: unknown, elsewhere?: string): ConfigError => {
  if (cause instanceof ConfigError) return cause;
  const full = /ENOSPC|EDQUOT|EFBIG|No space left|File too large|disk full|out of disk/i.test(messageOf(cause));
  const inRun = `${full ? 'Free some space' : `Make it writable or ${OTHER_RUN}`}, and run the same command again: what had finished is kept.`;
  const remedy =
    elsewhere !== undefined && full ? 'Free some space and run the same command again.' : (elsewhere ?? inRun);
  return new ConfigError(path, `cannot be written: ${messageOf(cause).replace(/\.$/, '')}.`, remedy, { cause });
};

/**
 * Creates a folder and those above it, level by level: Node's own recursion never returns where the system refuses
 * folders with "not found", as in /proc.
 */
export const makeFolders = (path: string): void => {
  const isFolder = (): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isFolder()) return;
  if (!existsSync(path)) makeFolders(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been faster.
    if (!isFolder()) throw error;
  }
};

/** Creates a folder of a run and those above it. */
export const makeFolder = (path: string): void => {
  try {
    makeFolders(path);
  } catch (error) {
    throw writeError(path, error);
  }
};

/** The name of a file while this process writes it. */
export const partialOf = (path: string): string => `${path}.${process.pid}.partial`;

/** Removes what killed processes had begun to write in a folder. */
export const sweepPartials = (folder: string): void => {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const [, pid] = /\.(\d+)\.partial(\.wal)?$/.exec(name) ?? [];
    const path = join(folder, name);
    if (pid !== undefined && isLeftover(path, Number(pid))) rmSync(path, { force: true });
  }
};

/** Refuses a place where `writeWhole` would fail, before the work whose result it is to take. Makes its folder. */
export const checkPlace = (path: string, elsewhere: string): void => {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error('it is a folder, a file is wanted');
    makeFolders(dirname(path));
    writeFileSync(partialOf(path), '');
    rmSync(partialOf(path));
  } catch (error) {
    throw writeError(path, error, elsewhere);
  }
};

/** Has a file written beside its place and renames it, so that it is whole or not there. The error is the system's. */
export const replaceBy = (path: string, write: (partial: string) => void): void => {
  const partial = partialOf(path);
  try {
    makeFolders(dirname(path));
    write(partial);
    renameSync(partial, path);
  } catch (error) {
    try {
      rmSync(partial, { force: true });
    } catch {
      // The first error is the one to tell.
    }
    throw error;
  }
};

/** The same with what is to be in it. */
export const replaceFile = (path: string, content: Uint8Array | string): void =>
  replaceBy(path, (partial) => writeFileSync(partial, content));

/** Writes a file of a user whole, or not at all. `elsewhere`: see `writeError`. */
export const writeWhole = (path: string, content: Uint8Array | string, elsewhere?: string): void => {
  try {
    replaceFile(path, content);
  } catch (error) {
    throw writeError(path, error, elsewhere);
  }
};

/** Bytes that are read of a file: more than the header of any sample or trace takes. */
const HEAD = 4096;

/**
 * Whether a safetensors file is there and as long as its header says: a power cut may leave it empty or cut. Its
 * numbers are not read.
 */
export const isWhole = (path: string): boolean => {
  if (!existsSync(path)) return false;
  const file = openSync(path, 'r');
  try {
    const head = new Uint8Array(HEAD);
    checkSafetensors(head.subarray(0, readSync(file, head)), fstatSync(file).size, path);
    return true;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
};
