import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CancelledError, ConfigError } from '@tweedie/core';
import { makeFolders, OTHER_FILE, partialOf, writeError } from './write.ts';

/** Writes a file of any size part by part: it is there whole or not at all. */
export async function writeParts(path: string, parts: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
  const partial = partialOf(path);
  try {
    makeFolders(dirname(path));
    await pipeline(parts, createWriteStream(partial), { ...(signal && { signal }) });
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    if (signal?.aborted) throw new CancelledError('Stopped. Nothing was written.', { cause: error });
    throw error instanceof ConfigError ? error : writeError(path, error, OTHER_FILE);
  }
}
