import { open, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, type Files, messageOf, refuseIrregular } from '@tweedie/core';
import { cacheFolder, writeCached } from './cache.ts';
import { decodeImage, decodeStored, imageShapeOf } from './images.ts';

/** The files of this machine; relative paths start at `baseFolder`. */
export function createFiles(baseFolder: string): Files {
  const locate = (path: string): string => {
    if (path.startsWith('file:')) return fileURLToPath(path);
    if (path.startsWith('cache:')) return join(cacheFolder(), path.slice('cache:'.length));
    return isAbsolute(path) ? path : resolve(baseFolder, path);
  };
  const readBytes = async (path: string): Promise<Uint8Array> => {
    const absolute = locate(path);
    await sizeOf(absolute);
    return readFile(absolute).catch((cause: unknown) => {
      throw fileError(absolute, cause);
    });
  };
  return {
    resolve: locate,
    realPath: async (path) => {
      const absolute = locate(path);
      return realpath(absolute).catch((cause: unknown) => {
        throw fileError(absolute, cause);
      });
    },
    readBytes,
    size: (path) => sizeOf(locate(path)),
    readRange: (path, begin, end) => readRange(locate(path), begin, end),
    readText: async (path) => new TextDecoder().decode(await readBytes(path)),
    list: async (folder) => {
      const absolute = locate(folder);
      try {
        const entries = await readdir(absolute, { withFileTypes: true });
        const names = entries.map(async (entry) => {
          const isFolder = entry.isSymbolicLink()
            ? await leadsToFolder(join(absolute, entry.name))
            : entry.isDirectory();
          return isFolder ? `${entry.name}/` : entry.name;
        });
        return (await Promise.all(names)).sort();
      } catch (cause) {
        throw fileError(absolute, cause);
      }
    },
    readImage: async (path, options) => decodeImage(await readBytes(path), locate(path), options),
    readStored: async (path) => decodeStored(await readBytes(path), locate(path)),
    imageShape: async (path) => imageShapeOf(await readBytes(path), locate(path)),
    cached: (name) => join(cacheFolder(), name),
    writeCached: async (name, bytes) => writeCached(name, bytes),
  };
}

/** The bytes of a file, which is refused where it is a pipe or a device: opening one may already never end. */
async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path).catch((cause: unknown) => {
    throw fileError(path, cause);
  });
  refuseIrregular(path, stats);
  return stats.size;
}

async function readRange(path: string, begin: number, end: number): Promise<Uint8Array> {
  await sizeOf(path);
  const handle = await open(path).catch((cause: unknown) => {
    throw fileError(path, cause);
  });
  try {
    const bytes = new Uint8Array(end - begin);
    // One read gives at most 2 GiB.
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await handle.read(bytes, done, Math.min(bytes.length - done, largestRead), begin + done);
      if (bytesRead === 0) throw new Error(`it ends at byte ${begin + done}, ${end} were expected`);
      done += bytesRead;
    }
    return bytes;
  } catch (cause) {
    throw fileError(path, cause);
  } finally {
    await handle.close();
  }
}
const largestRead = 2 ** 30;

const leadsToFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (target) => target.isDirectory(),
    () => false,
  );

const reasons: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  ENOENT: ['does not exist.', 'Check the path; relative paths start at the folder of the experiment.'],
  EISDIR: ['is a folder, a file is wanted.', 'Name a file in it.'],
  ENOTDIR: ['is not a folder.', 'Name the folder, not a file.'],
  EACCES: ['may not be read.', 'Change its permissions.'],
  EPERM: ['may not be read.', 'Change its permissions.'],
};

function fileError(path: string, cause: unknown): ConfigError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const [what, remedy] = reasons[code] ?? [`cannot be read (${messageOf(cause)}).`, ''];
  return new ConfigError(path, what, remedy, { cause });
}
