import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { manifestsOfCards } from './cards.ts';
import { deviceHint } from './devices.ts';
import { ConfigError } from './errors.ts';
import { manifestOfEntry, readManifest, type Manifest } from './manifest.ts';
import { suggest } from './nearest.ts';
import { readJson } from './read-json.ts';
import { validate, type JsonSchema } from './schema.ts';
import type { Kind } from './plugin.ts';
import { whyUnavailable } from './unavailable.ts';

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
  /** Published checkpoints, each a model of its own id, by id: those that plugins have cards of. */
  readonly cards: readonly Manifest[];
  /** The files it was read from. */
  readonly files: readonly string[];
  /** Local registries that are there and were not read, because `localRegistries` was false. */
  readonly refused: readonly string[];
  /**
   * Entries (`kind/id`) whose manifest cannot be read, or that two plugins claim, and why: who does not use them is not
   * stopped.
   */
  readonly broken: ReadonlyMap<string, ConfigError>;
  /**
   * Throws a ConfigError with what is wrong with a broken entry, or with the nearest ids. `where` (file and JSON
   * pointer) replaces `kind` in its message.
   */
  find(kind: Kind, id: string, where?: string): Manifest;
}

const schema = readJson(join(import.meta.dirname, '../schemas/registry.schema.json')) as JsonSchema;

/**
 * Registry files as one, plugins by their folders, and plugins whose manifests are given. The same plugin may be named
 * twice; where two plugins have one name it names neither.
 */
export const loadRegistries = (
  files: readonly string[],
  folders: readonly string[] = [],
  refused: readonly string[] = [],
  given: readonly Manifest[] = [],
): Registry => {
  const found = new Map<string, { readonly manifest: Manifest; readonly file: string }>();
  const broken = new Map<string, ConfigError>();
  const add = (manifest: Manifest, file: string): void => {
    const name = `${manifest.kind}/${manifest.id}`;
    const other = found.get(name);
    if (other && placeOf(other.manifest) !== placeOf(manifest)) {
      const error = new ConfigError(
        file,
        `${name} is ${manifest.package} here and ${other.manifest.package} in ${other.file}.`,
        'Remove one of the two entries, or give your plugin another id.',
      );
      broken.set(name, error);
    } else found.set(name, { manifest, file });
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
  for (const manifest of given) add(manifest, placeOf(manifest));
  for (const name of broken.keys()) found.delete(name);
  const manifests = [...found.values()]
    .map(({ manifest }) => manifest)
    .sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || (a.id < b.id ? -1 : 1));
  const cards = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const own = orError(() => manifestsOfCards(manifest));
    if (own instanceof ConfigError) broken.set(`${manifest.kind}/${manifest.id} cards`, own);
    else for (const card of own) cards.set(`${card.kind}/${card.id}`, card);
  }
  return {
    manifests,
    cards: [...cards.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    files: unique,
    refused,
    broken,
    find(kind, id, where = kind) {
      const name = `${kind}/${id}`;
      const manifest = found.get(name)?.manifest ?? broken.get(name) ?? cards.get(name);
      if (manifest instanceof ConfigError) throw manifest;
      if (manifest) return manifest;
      const known = [...manifests, ...cards.values()].filter((other) => other.kind === kind);
      const ids = known.map((other) => other.id);
      const hint =
        (kind === 'engine' ? deviceHint(id, known) : undefined) ?? whyUnavailable(kind, id) ?? suggest(id, ids);
      throw new ConfigError(where, `there is no ${kind} ${JSON.stringify(id)}.`, `${hint}${mayHave(refused)}`);
    },
  };
};

const placeOf = ({ file, folder }: Manifest): string => file ?? folder;

/** What to add where a plugin is not known, and registries that may have it were refused; empty where none was. */
export const mayHave = (refused: readonly string[]): string =>
  refused.length === 0
    ? ''
    : ` It may be in ${refused.join(' or ')}, refused as a local registry; --registry reads it all the same.`;

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

/**
 * The registry that comes with Tweedie: in the repository the file at its top, else that of the package `tweedie`,
 * which holds the shipped plugins, as core or the working folder finds it; undefined where that is not installed.
 */
const findOwnRegistry = (): string | undefined => {
  const inRepository = join(import.meta.dirname, '../../../registry.json');
  if (import.meta.url.endsWith('.ts')) return realpathSync(inRepository);
  for (const from of [import.meta.filename, join(process.cwd(), 'any.js')]) {
    try {
      return realpathSync(createRequire(from).resolve('tweedie/registry.json'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
};
let ownRegistry: { readonly file: string | undefined } | undefined;
const ownFile = (): string | undefined => (ownRegistry ??= { file: findOwnRegistry() }).file;

/** Registries beside Tweedie's own: a plugin that one of them names runs with all that its user may do. */
export type RegistryOptions = {
  /** Registry files that are read in any case. */
  readonly registries?: readonly string[] | undefined;
  /**
   * Whether a `registry.json` is read that nobody named, because it lies in the working folder or beside the recipe.
   * Default: yes, unless `refuseLocalRegistries` was called or the environment has TWEEDIE_NO_LOCAL_REGISTRY=1.
   */
  readonly localRegistries?: boolean | undefined;
};

type InFolders = RegistryOptions & {
  /** Folders whose `registry.json` is read where there is one; by default the working folder. */
  readonly folders?: readonly string[];
};

const REFUSING = 'TWEEDIE_NO_LOCAL_REGISTRY';

/** Refuses local registries by default from now on: in this process, and in those that it starts. */
export const refuseLocalRegistries = (): void => {
  process.env[REFUSING] = '1';
};

const allowsLocal = (localRegistries: boolean | undefined): boolean => localRegistries ?? process.env[REFUSING] !== '1';

/** Finds the registries; nothing of them is read. */
const choose = ({ folders = [process.cwd()], registries = [], localRegistries }: InFolders) => {
  const named = registries.map((file) => realPath(resolve(file)));
  const local = folders
    .map((folder) => join(resolve(folder), 'registry.json'))
    .filter((file) => existsSync(file))
    .map(realPath)
    .filter((file) => ![ownFile(), ...named].includes(file));
  const unique = [...new Set(local)];
  return allowsLocal(localRegistries) ? { named, local: unique, refused: [] } : { named, local: [], refused: unique };
};

const told = new Set<string>();
const tell = (file: string, why: string): void => {
  if (told.has(file) || file === ownFile()) return;
  told.add(file);
  process.stderr.write(`Note: plugins may come from ${file}, ${why}.\n`);
};

/**
 * Tells of a plugin that a recipe names by its file, before its code runs. Throws ConfigError where what nobody named
 * on the command line is refused; `where` is the place in the recipe.
 */
export const tellPluginFile = (file: string, localRegistries: boolean | undefined, where: string): void => {
  if (!allowsLocal(localRegistries))
    throw new ConfigError(
      where,
      `names ${file}, whose code would run, and local registries are refused.`,
      'Allow them, or name it in a registry that --registry reads.',
    );
  tell(file, 'named by the recipe: --no-local-registry refuses it');
};

/**
 * Tells on standard error, once in a process, from which registries beside Tweedie's own code may run. `openRegistry`
 * does so unless it is `quiet`.
 */
export const tellRegistries = (options: InFolders): void => {
  const { named, local } = choose(options);
  for (const file of named) tell(file, 'as asked');
  for (const file of local) tell(file, 'read unasked: --no-local-registry refuses it');
};

/**
 * Tweedie's own registry, the `registry.json` of each folder (of the experiment, say) where there is one and it is not
 * refused, further registries, and the plugins in folders, or of given manifests, that no registry need name.
 */
export const openRegistry = ({
  plugins = [],
  given = [],
  quiet = false,
  ...options
}: InFolders & {
  readonly plugins?: readonly string[];
  readonly given?: readonly Manifest[];
  readonly quiet?: boolean;
} = {}): Registry => {
  const { named, local, refused } = choose(options);
  const own = ownFile();
  const registry = loadRegistries([...(own === undefined ? [] : [own]), ...local, ...named], plugins, refused, given);
  if (!quiet) tellRegistries(options);
  return registry;
};
