import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeError } from '@tweedie/files';
import type { Objects } from './result-store.ts';

/** Ends the name of a file that is being written. It may be written on another machine, so that no process id tells. */
const PART = '.part';
/** Milliseconds after which a file that is being written belongs to nobody any more. */
const ABANDONED = 24 * 3600 * 1000;

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** Writes a file and waits until it is on disk. */
const writeThrough = async (path: string, bytes: Uint8Array): Promise<void> => {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
};

const filesIn = async (folder: string, below = ''): Promise<readonly string[]> => {
  const entries = await readdir(join(folder, below), { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const nested = await Promise.all(
    entries.map(async (entry) => {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      return entry.isDirectory() ? filesIn(folder, name) : [name];
    }),
  );
  return nested.flat();
};

/** Removes what writers had begun a day ago or earlier. */
const sweep = async (folder: string): Promise<void> => {
  for (const name of await filesIn(folder)) {
    if (!name.endsWith(PART)) continue;
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > ABANDONED) await rm(join(folder, name), { force: true });
  }
};

/** Objects as files of a folder, which machines may share. */
export const folderObjects = async (folder: string): Promise<Objects> => {
  const pathOf = (key: string): string => join(folder, key);
  try {
    await sweep(folder);
  } catch (error) {
    throw writeError(folder, error, 'Name another folder with --store.');
  }
  return {
    place: folder,
    async get(key) {
      try {
        return new Uint8Array(await readFile(pathOf(key)));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async put(key, bytes, replace) {
      const path = pathOf(key);
      const part = `${path}.${randomUUID()}${PART}`;
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeThrough(part, bytes);
        if (replace) {
          await rename(part, path);
          return true;
        }
        // A link takes its place only where nothing is there.
        await link(part, path);
        return true;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') return false;
        // Some network file systems know no links: what is there would be the same bytes.
        if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw writeError(path, error);
        await rename(part, path);
        return true;
      } finally {
        await rm(part, { force: true });
      }
    },
    async list(prefix) {
      const below = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
      return (await filesIn(folder, below)).filter((name) => name.startsWith(prefix) && !name.endsWith(PART));
    },
  };
};
