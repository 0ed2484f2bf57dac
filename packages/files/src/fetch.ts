/** Files that a plugin needs and that do not ship, brought into the cache folder and checked. */
import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  CancelledError,
  ConfigError,
  type JsonSchema,
  messageOf,
  readJson,
  refuseIrregular,
  temporaryFolder,
  validate,
} from '@tweedie/core';
import { cacheFolder, writeCached } from './cache.ts';
import { aptDownloads, unpackDebian } from './debian.ts';
import { createFiles } from './files.ts';

/** What `fetch` in a plugin's manifest names. */
type FetchList = {
  /** Debian packages, each with the version that the list was made from. */
  readonly packages: Readonly<Record<string, string>>;
  readonly files: readonly Wanted[];
};
type Wanted = {
  /** Its name in the plugin's folder of the cache. */
  readonly file: string;
  readonly package: string;
  /** Where it is in the package. */
  readonly path: string;
  readonly sha256: string;
};

export type FetchSettings = {
  /** Files and folders that the user has; by default apt is asked. */
  readonly from?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number; readonly label: string }) => void;
};

export type Fetched = {
  /** The plugin's folder of the cache. */
  readonly folder: string;
  /** All files of the list, which are there now. */
  readonly files: readonly string[];
  /** Those among them that were not there before. */
  readonly fetched: readonly string[];
};

const schema = readJson(join(import.meta.dirname, '../schemas/fetch.schema.json')) as JsonSchema;

/** SHA-256 of a file's content; undefined where none can be read. */
async function contentOf(path: string): Promise<{ readonly bytes: Buffer; readonly sha256: string } | undefined> {
  const stats = await stat(path).catch(() => undefined);
  const bytes = stats?.isFile() ? await readFile(path).catch(() => undefined) : undefined;
  return bytes && { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * Brings the files of a plugin's list into its folder of the cache: out of what the user gives (`from`: .deb files,
 * folders with some, folders into which some were unpacked, or `/` where they are installed), else out of packages that
 * apt downloads. What is there already and sound is left alone, every file is checked by its SHA-256, and each is there
 * whole or not at all. Throws ConfigError where some are missing at the end; the others are kept.
 */
export async function fetchFiles(
  plugin: { readonly kind: string; readonly id: string; readonly folder: string; readonly fetch: string },
  { from = [], signal, onProgress = () => undefined }: FetchSettings = {},
): Promise<Fetched> {
  const where = `${plugin.kind}/${plugin.id}`;
  const source = join(plugin.folder, plugin.fetch);
  const { packages, files } = validate<FetchList>(schema, readJson(source), source);
  const own = `${plugin.kind}-${plugin.id}`;
  const folder = join(cacheFolder(), own);
  const missing = new Set<Wanted>();
  for (const wanted of files)
    if ((await contentOf(join(folder, wanted.file)))?.sha256 !== wanted.sha256) missing.add(wanted);
  const fetched: string[] = [];
  /** Where another file lies in place of one that is missing, and what apt says of a package. */
  const others = new Map<Wanted, string>();
  const troubles = new Map<string, string>();

  /** Takes the missing files that lie where a package puts them, below `root`. */
  const takeFrom = async (root: string, name: string): Promise<void> => {
    for (const wanted of missing) {
      const content = await contentOf(join(root, wanted.path));
      if (content === undefined) continue;
      if (content.sha256 === wanted.sha256) {
        writeCached(join(own, wanted.file), content.bytes);
        missing.delete(wanted);
        others.delete(wanted);
        fetched.push(wanted.file);
      } else others.set(wanted, name);
    }
  };
  const temporary = temporaryFolder('fetch');
  let unpacked = 0;
  const takeFromDebian = async (file: string): Promise<void> => {
    const root = join(temporary, `unpacked-${unpacked++}`);
    await unpackDebian(file, root, signal);
    await takeFrom(root, basename(file));
    await rm(root, { recursive: true, force: true });
  };
  const needed = (): readonly string[] => [...new Set([...missing].map((wanted) => wanted.package))];
  const tell = (label: string): void => onProgress({ done: files.length - missing.size, total: files.length, label });

  try {
    for (const given of from.map((path) => resolve(path))) {
      checkSignal(signal);
      tell(given);
      const stats = await stat(given).catch(() => undefined);
      if (stats === undefined) throw new ConfigError(given, 'does not exist.', 'Correct the path given with --from.');
      refuseIrregular(given, stats);
      if (!stats.isDirectory()) {
        await takeFromDebian(given);
        continue;
      }
      await takeFrom(given, given);
      const inside = (await createFiles('.').list(given)).filter((name) => name.endsWith('.deb'));
      for (const name of inside)
        if (needed().some((wanted) => name.startsWith(`${wanted}_`))) await takeFromDebian(join(given, name));
    }
    const download = aptDownloads(temporary);
    for (const name of from.length > 0 ? [] : needed()) {
      checkSignal(signal);
      tell(name);
      try {
        const file = await download(name, packages[name] ?? '', signal);
        await takeFromDebian(file);
        troubles.set(name, `not in ${basename(file)}, which apt has`);
        await rm(dirname(file), { recursive: true, force: true });
      } catch (error) {
        if (error instanceof CancelledError || error instanceof ConfigError) throw error;
        troubles.set(name, messageOf(error));
      }
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  if (missing.size === 0) return { folder, files: files.map(({ file }) => file), fetched };

  const lines = needed().map((name) => {
    const those = [...missing].filter((wanted) => wanted.package === name);
    const places = new Set(those.flatMap((wanted) => others.get(wanted) ?? []));
    const why =
      places.size > 0
        ? `other files, by their SHA-256, in ${[...places].join(', ')}`
        : (troubles.get(name) ?? 'not found');
    const names = those.slice(0, 3).map(({ file }) => file);
    return `  ${name} ${packages[name] ?? ''}: ${[...names, ...(those.length > 3 ? ['...'] : [])].join(', ')}: ${why}\n`;
  });
  throw new ConfigError(
    where,
    `${missing.size} of ${files.length} files are missing in ${folder}:\n${lines.join('')}`,
    'Name .deb files of these packages and versions with --from, or folders that hold them.',
  );
}

const checkSignal = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted) throw new CancelledError('Stopped. What had been fetched is kept.');
};
