/** The files of a published checkpoint, brought into the cache folder. */
import { copyFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { CancelledError, type Card, cardFolder, ConfigError, howToGet, refuseIrregular } from '@tweedie/core';
import { cacheFolder } from './cache.ts';
import { checkFile, download, type DownloadSettings, sha256OfFile } from './download.ts';
import { replaceBy, writeError } from './write.ts';

export type GetSettings = Omit<DownloadSettings, 'onProgress'> & {
  /** Files, or folders with files, that the user has: nothing is fetched then. */
  readonly from?: readonly string[];
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly label: string }) => void;
};

export type Gotten = {
  readonly folder: string;
  readonly files: readonly {
    readonly name: string;
    readonly sha256: string;
    /** The SHA-256 is the one that the card tells. */
    readonly checked: boolean;
    /** It was there before. */
    readonly kept: boolean;
  }[];
};

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** The file of a card among those that the user gives: one of its name, or the only one for the only one wanted. */
function given(name: string, card: Card, from: readonly string[]): string | undefined {
  for (const path of from.map((each) => resolve(each))) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) throw new ConfigError(path, 'does not exist.', 'Correct the path given with --from.');
    refuseIrregular(path, stats);
    const inside = stats.isDirectory() ? join(path, name) : path;
    if (basename(inside) === name && isFile(inside)) return inside;
    if (!stats.isDirectory() && from.length === 1 && card.files.length === 1) return path;
  }
  return undefined;
}

async function copy(source: string, target: string, wanted: Card['files'][number]): Promise<string> {
  const sha256 = await checkFile(source, wanted, source);
  try {
    replaceBy(target, (partial) => copyFileSync(source, partial));
  } catch (error) {
    throw writeError(target, error, 'Make room, or name another folder in the environment variable TWEEDIE_CACHE.');
  }
  return sha256;
}

/**
 * Brings the files of a card into its folder of the cache: from what the user gives, else from where they are
 * published. What is there already is left alone where its size and hash are those of the card. Throws ConfigError
 * where a file cannot be fetched or is another one; what came is kept, and goes on at the next call.
 */
export async function getPublished(
  card: Card,
  { from, signal, onProgress = () => undefined }: GetSettings = {},
): Promise<Gotten> {
  const folder = join(cacheFolder(), cardFolder(card.id));
  const files: Gotten['files'][number][] = [];
  for (const wanted of card.files) {
    if (signal?.aborted) throw new CancelledError('Stopped. What had come is kept.');
    const { name, url, bytes, sha256 } = wanted;
    const path = join(folder, name);
    const tell = (done: number, total: number): void => onProgress({ done, total, label: name });
    const there = isFile(path) && (bytes === undefined || statSync(path).size === bytes);
    const found = there ? await sha256OfFile(path, signal) : undefined;
    if (found !== undefined && from === undefined && (sha256 ?? found) === found) {
      files.push({ name, sha256: found, checked: sha256 !== undefined, kept: true });
      continue;
    }
    if (from === undefined && url === undefined)
      throw new ConfigError(card.id, `${name} is offered by a page, to a person with a browser.`, howToGet(card));
    const source = from === undefined ? undefined : given(name, card, from);
    if (from !== undefined && source === undefined)
      throw new ConfigError(card.id, `none of what is given is called ${name}.`, `Name ${name} with --from.`);
    const got =
      source === undefined
        ? await download(url ?? '', path, wanted, {
            ...(signal && { signal }),
            onProgress: ({ done, total }) => tell(done, total),
          })
        : await copy(source, path, wanted);
    files.push({ name, sha256: got, checked: sha256 !== undefined, kept: false });
  }
  return { folder, files };
}
