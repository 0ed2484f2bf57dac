/** The folder for what was fetched or computed once and may be deleted at any time. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ConfigError, messageOf } from '@tweedie/core';
import { replaceFile } from './write.ts';

/**
 * `TWEEDIE_CACHE`, or `tweedie` in the user's folder for such things: `XDG_CACHE_HOME`, on Windows `LOCALAPPDATA`, else
 * `~/.cache`.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['TWEEDIE_CACHE'] ?? '';
  if (own !== '') return resolve(own);
  const ofUser = [env['XDG_CACHE_HOME'], process.platform === 'win32' ? env['LOCALAPPDATA'] : undefined];
  return join(ofUser.find((folder) => folder !== undefined && folder !== '') ?? join(homedir(), '.cache'), 'tweedie');
}

/** Writes a file of the cache whole, or not at all. */
export function writeCached(name: string, bytes: Uint8Array): void {
  const path = join(cacheFolder(), name);
  try {
    replaceFile(path, bytes);
  } catch (cause) {
    throw new ConfigError(
      path,
      `cannot be written (${messageOf(cause)}).`,
      'Make room, or name another folder in the environment variable TWEEDIE_CACHE.',
      { cause },
    );
  }
}
