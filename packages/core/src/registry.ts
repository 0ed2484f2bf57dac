import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ConfigError } from './errors.ts';
import { manifestOfEntry, readJson, readManifest, type Manifest } from './manifest.ts';
import { suggest } from './nearest.ts';
import { validate, type JsonSchema } from './schema.ts';
import type { Kind } from './plugin.ts';

export const kinds = [
  'engine',
  'model',
  'operator',
  'guidance',
  'scheduler',
  'metric',
  'dataset',
] as const satisfies readonly Kind[];

/** All plugins that are known, by kind and id. */
export interface Registry {
  /** By kind, then by id. */
  readonly manifests: readonly Manifest[];
  /** The files it was read from. */
  readonly files: readonly string[];
  /** Entries (`kind/id`) whose manifest cannot be read, and why: who does not use them is not stopped. */
  readonly broken: ReadonlyMap<string, ConfigError>;
  /**
   * Throws a ConfigError with what is wrong with a broken entry, or with the nearest ids. `where` (file and JSON
   * pointer) replaces `kind` in its message.
   */
  find(kind: Kind, id: string, where?: string): Manifest;
}

const schema = readJson(join(import.meta.dirname, '../schemas/registry.schema.json')) as JsonSchema;

/**
 * Registry files as one, and plugins by their folders. The same plugin may be named twice, but not two plugins by the
 * same name.
 */
export const loadRegistries = (files: readonly string[], folders: readonly string[] = []): Registry => {
  const found = new Map<string, { readonly manifest: Manifest; readonly file: string }>();
  const broken = new Map<string, ConfigError>();
  const add = (manifest: Manifest, file: string): void => {
    const name = `${manifest.kind}/${manifest.id}`;
    const other = found.get(name);
    if (other && other.manifest.folder !== manifest.folder) {
      throw new ConfigError(
        file,
        `${name} is ${manifest.package} here and ${other.manifest.package} in ${other.file}.`,
        'Remove one of the two entries, or give your plugin another id.',
      );
    }
    found.set(name, { manifest, file });
  };
  const unique = [...new Set(files.map(realPath))];
  for (const file of unique) {
    const { plugins } = validate<{ plugins: Record<string, string> }>(schema, readJson(file), file);
    for (const [name, place] of Object.entries(plugins)) {
      const manifest = orError(() => manifestOfEntry(name, place, file, `${file} /plugins/${name.replace('/', '~1')}`));
      if (manifest instanceof ConfigError) broken.set(name, manifest);
      else add(manifest, file);
    }
  }
  for (const folder of folders.map((folder) => realpathSync(folder)))
    add(readManifest(folder), join(folder, 'plugin.json'));
  const manifests = [...found.values()]
    .map(({ manifest }) => manifest)
    .sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || (a.id < b.id ? -1 : 1));
  return {
    manifests,
    files: unique,
    broken,
    find(kind, id, where = kind) {
      const manifest = found.get(`${kind}/${id}`)?.manifest ?? broken.get(`${kind}/${id}`);
      if (manifest instanceof ConfigError) throw manifest;
      if (manifest) return manifest;
      const ids = manifests.filter((other) => other.kind === kind).map((other) => other.id);
      throw new ConfigError(where, `there is no ${kind} ${JSON.stringify(id)}.`, suggest(id, ids));
    },
  };
};

const orError = <T>(read: () => T): T | ConfigError => {
  try {
    return read();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
};

const realPath = (file: string): string => {
  if (!existsSync(file))
    throw new ConfigError(file, 'this registry file does not exist.', 'Correct the path given with --registry.');
  return realpathSync(file);
};

/** The registry that comes with Tweedie. */
const ownRegistry = join(import.meta.dirname, '../../../registry.json');

/**
 * Tweedie's own registry, the `registry.json` of each folder (of the experiment, say; by default the working folder)
 * where there is one, further files, and the plugins in folders that no registry need name.
 */
export const openRegistry = ({
  folders = [process.cwd()],
  files = [],
  plugins = [],
}: {
  readonly folders?: readonly string[];
  readonly files?: readonly string[];
  readonly plugins?: readonly string[];
} = {}): Registry =>
  loadRegistries(
    [
      ownRegistry,
      ...folders.map((folder) => join(resolve(folder), 'registry.json')).filter((file) => existsSync(file)),
      ...files.map((file) => resolve(file)),
    ],
    plugins,
  );
