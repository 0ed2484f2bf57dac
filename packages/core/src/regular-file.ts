import type { Stats } from 'node:fs';
import { ConfigError } from './errors.ts';

/** Refuses what is neither a file nor a folder: reading a pipe or a device may never end. */
export const refuseIrregular = (
  path: string,
  stats: Pick<Stats, 'isFile' | 'isDirectory' | 'isFIFO' | 'isSocket'>,
): void => {
  if (stats.isFile() || stats.isDirectory()) return;
  const what = stats.isFIFO() ? 'a pipe' : stats.isSocket() ? 'a socket' : 'a device';
  throw new ConfigError(path, `is ${what}, a file is wanted.`, 'Write its content to a file and name that.');
};
