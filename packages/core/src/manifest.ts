import { existsSync, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import type { Capability } from './capabilities.ts';
import type { Card } from './card.ts';
import { ConfigError } from './errors.ts';
import { readJson } from './read-json.ts';
import { validate, type JsonSchema } from './schema.ts';
import { satisfies } from './version-range.ts';
import type { Kind } from './plugin.ts';

/** What a plugin says about itself in `plugin.json`; no plugin code is needed to read it. */
export type Manifest = {
  readonly kind: Kind;
  readonly id: string;
  /** Name of the factory among the package's exports. */
  readonly export: string;
  readonly title: string;
  readonly source?: {
    readonly arxiv?: string;
    readonly doi?: string;
    readonly url?: string;
    readonly where?: string;
    readonly bibtex?: string;
  };
  readonly needs: readonly Capability[];
  readonly provides: readonly Capability[];
  /** Rows through the network for one sample and step, with default options. */
  readonly costPerStep?: { readonly forwards: number; readonly vjps: number };
  /** What a sample costs where no network is called: a few words that tables show for `0`. */
  readonly work?: string;
  /** JSON Schema (draft 7) of the options. */
  readonly options: JsonSchema;
  readonly presets?: {
    readonly [name: string]: { readonly title: string; readonly options: Readonly<Record<string, unknown>> };
  };
  /** Numeric options worth searching, and the range to search. */
  readonly tunable?: {
    readonly [option: string]: { readonly from: number; readonly to: number; readonly scale: 'log' | 'linear' };
  };
  /** The list, in the plugin's folder, of files that it needs and that do not ship: `tweedie fetch` brings them. */
  readonly fetch?: string;
  /** Options that name files which do not ship, and how to get each: they are looked for before anything runs. */
  readonly given?: { readonly [option: string]: string };
  /** The folder, in the plugin's, of cards of published checkpoints that it reads: each is a model of its own id. */
  readonly cards?: string;
  /** The card that it was made from, where it is a published checkpoint. */
  readonly card?: Card;
  /** The npm package that holds it, its version, and the folder it is in. */
  readonly package: string;
  readonly version: string;
  readonly folder: string;
  /** The one file that it is, where it has no package and no `plugin.json`. */
  readonly file?: string;
};

type InFile = Omit<Manifest, 'package' | 'version' | 'folder' | 'file' | 'card'>;

const manifestSchema = readJson(join(import.meta.dirname, '../schemas/plugin.schema.json')) as JsonSchema;

/**
 * The folder of a plugin: `place` is a folder that starts with a dot or the name of a package that is installed where
 * `registry` is.
 */
const folderOf = (place: string, registry: string, where: string): string => {
  if (place.startsWith('.')) {
    const folder = resolve(dirname(registry), place);
    if (existsSync(join(folder, 'plugin.json'))) return realpathSync(folder);
    throw new ConfigError(
      where,
      `the folder ${folder} has no plugin.json.`,
      'Correct the path (it is relative to the registry file).',
    );
  }
  const { resolve: find } = createRequire(registry);
  try {
    return dirname(find(`${place}/plugin.json`));
  } catch (error) {
    const link = find
      .paths(place)
      ?.map((modules) => join(modules, place))
      .find((path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink());
    // npm links a workspace; a link that leads nowhere is what remains when its folder is deleted, and the registry of
    // npm does not have it.
    if (link && !existsSync(link)) {
      const folder = resolve(dirname(link), readlinkSync(link));
      throw new ConfigError(
        where,
        `the folder of the package ${place}, ${folder}, is gone.`,
        'Remove the entry and run npm install, or bring the folder back.',
        { cause: error },
      );
    }
    const hidden = (error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
    throw hidden
      ? new ConfigError(
          where,
          `the package ${place} does not export "./plugin.json".`,
          'Add it to "exports" in its package.json.',
          { cause: error },
        )
      : new ConfigError(
          where,
          `the package ${place} is not installed.`,
          `Run npm install ${place}, or remove the entry.`,
          { cause: error },
        );
  }
};

/** The manifest of the plugin in a folder, checked. `place` is its name where it has no package.json. */
export const readManifest = (folder: string, place: string = folder): Manifest => {
  const path = join(folder, 'plugin.json');
  const manifest = checkManifest(readJson(path), path);
  const packagePath = join(folder, 'package.json');
  const own = existsSync(packagePath) ? (readJson(packagePath) as Package) : {};
  refuseOtherCore(own, packagePath);
  return { ...manifest, package: String(own.name ?? place), version: String(own.version ?? '0.0.0'), folder };
};

/** The content of a manifest, checked; `where` names it in messages. */
export const checkManifest = (content: unknown, where: string): InFile => {
  const { $schema, ...manifest } = validate<InFile & { $schema?: string }>(manifestSchema, content, where);
  return manifest;
};

type Package = {
  readonly name?: unknown;
  readonly version?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
};

const core = readJson(join(import.meta.dirname, '../package.json')) as { readonly version: string };

/** Refuses a plugin that was written for another version of core than this one. */
const refuseOtherCore = ({ dependencies, peerDependencies }: Package, packagePath: string): void => {
  const range = peerDependencies?.['@tweedie/core'] ?? dependencies?.['@tweedie/core'];
  if (range === undefined || satisfies(core.version, range)) return;
  throw new ConfigError(
    packagePath,
    `needs @tweedie/core ${range}, and this is ${core.version}.`,
    'Install a version of the plugin for it, or another version of Tweedie.',
  );
};

/** The manifest of the plugin at a place that `registry` may name, checked. `where` names it in messages. */
export const manifestOfPlace = (place: string, registry: string, where: string): Manifest =>
  readManifest(folderOf(place, registry, where), place);

/** The manifest of one registry entry, checked. `where` names the entry in messages. */
export const manifestOfEntry = (name: string, place: string, registry: string, where: string): Manifest => {
  const manifest = manifestOfPlace(place, registry, where);
  if (`${manifest.kind}/${manifest.id}` === name) return manifest;
  throw new ConfigError(
    where,
    `names ${name}, but ${join(manifest.folder, 'plugin.json')} is the manifest of ${manifest.kind}/${manifest.id}.`,
    'Make the two agree.',
  );
};

/**
 * Options of a plugin, checked against its manifest, with defaults. `preset: <name>` puts that preset's options beneath
 * those given. `where` and `at` (file and JSON pointer of the options) are for messages; by default `kind/id`.
 */
export const resolveOptions = (
  { kind, id, options: schema, presets = {}, folder }: Manifest,
  given: Readonly<Record<string, unknown>> = {},
  where: string = `${kind}/${id}`,
  at: string = '',
): Readonly<Record<string, unknown>> => {
  const { preset, ...own } = given;
  const check = (options: object): Readonly<Record<string, unknown>> =>
    validate(schema, options, where, at, `${join(folder, 'plugin.json')} /options`);
  if (preset === undefined) return check(own);
  const names = Object.keys(presets);
  const choices: JsonSchema = { type: 'object', properties: { preset: { type: 'string', enum: names } } };
  if (names.length === 0)
    throw new ConfigError(`${where} ${at}/preset`, `${kind}/${id} has no presets.`, 'Remove the key.');
  validate(choices, { preset }, where, at);
  return check({ ...presets[String(preset)]?.options, ...own });
};
