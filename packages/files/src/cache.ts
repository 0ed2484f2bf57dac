/** The folder for what was fetched or computed once and may be deleted at any time. */
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ConfigError, messageOf } from '@tweedie/core';

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

/** Writes beside the file and renames, so that it is there whole or not at all, also where two processes write it. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const beside = `${path}.${randomBytes(4).toString('hex')}.part`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(beside, bytes);
    await rename(beside, path);
  } catch (cause) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw new ConfigError(
      path,
      `cannot be written (${messageOf(cause)}).`,
      'Make room, or name another folder in the environment variable TWEEDIE_CACHE.',
      { cause },
    );
  }
}
