import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { checkSafetensors, ConfigError, messageOf } from '@tweedie/core';

/** What every failed write comes out as; `folder` is the run folder. */
export const writeError = (path: string, cause: unknown): ConfigError => {
  if (cause instanceof ConfigError) return cause;
  const full = /ENOSPC|EDQUOT|EFBIG|No space left|disk full|out of disk/i.test(messageOf(cause));
  const remedy = full
    ? 'Free some space and run the same command again: what had finished is kept.'
    : 'Make it writable or choose another folder with --out, and run the same command again: what had finished is kept.';
  return new ConfigError(path, `cannot be written: ${messageOf(cause).replace(/\.$/, '')}.`, remedy, { cause });
};

/** One level at a time: Node's own recursion never returns where the system refuses folders with "not found", as in /proc. */
const makeFolders = (path: string): void => {
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

/** Creates the folder and those above it. */
export const makeFolder = (path: string): void => {
  try {
    makeFolders(path);
  } catch (error) {
    throw writeError(path, error);
  }
};

/** Writes beside and renames, so that a file is whole or not there. */
export const writeWhole = (path: string, content: Uint8Array | string): void => {
  const partial = `${path}.${process.pid}.partial`;
  try {
    makeFolders(dirname(path));
    writeFileSync(partial, content);
    renameSync(partial, path);
  } catch (error) {
    try {
      rmSync(partial, { force: true });
    } catch {
      // The first error is the one to tell.
    }
    throw writeError(path, error);
  }
};

/** More than the header of any sample or trace takes. */
const HEAD = 4096;

/** Whether a safetensors file is there and as long as its header says: a power cut may leave it empty or cut. Its numbers are not read. */
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
