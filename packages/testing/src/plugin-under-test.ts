import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Container,
  createContainer,
  type Kind,
  type Manifest,
  openRegistry,
  readManifest,
  resolveOptions,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';
import type { Check } from './check.ts';

export type Options = Readonly<Record<string, unknown>>;

/** What every kit may be told. */
export type KitOptions = {
  /** Option sets, a block of tests each; `{ preset: name }` is one too. Default: the manifest's defaults alone. */
  readonly options?: readonly Options[];
  /** Where relative paths in options start; default: the plugin's folder. */
  readonly folder?: string;
};

/** A plugin as its test finds it. */
export type PluginUnderTest = {
  readonly manifest: Manifest;
  /** The kind and the id: `guidance/dps`. */
  readonly name: string;
  /** Makes the plugin, and every other one that a registry knows. */
  readonly container: Container;
};

/**
 * The plugin of a manifest; or that whose folder, or one of its parents, holds the file at `place` (a test's
 * `import.meta.url`): the nearest `plugin.json` above it. No registry needs to name it. The other plugins are those of
 * Tweedie, of the working folder's `registry.json` and of the plugin's own.
 */
export function pluginAt(place: string | Manifest, kind: Kind, filesFolder?: string): PluginUnderTest {
  const manifest = typeof place === 'string' ? manifestAbove(fileURLToPath(place)) : place;
  const { folder } = manifest;
  const name = `${manifest.kind}/${manifest.id}`;
  if (manifest.kind !== kind)
    throw new Error(
      `the kit is for plugins of kind ${kind}, and ${join(folder, 'plugin.json')} is the manifest of ${name}.`,
    );
  const registry = openRegistry({ folders: [process.cwd(), folder], given: [manifest], quiet: true });
  return {
    manifest,
    name,
    container: createContainer({ registry, files: createFiles(filesFolder ?? folder), warn: () => undefined }),
  };
}

const manifestAbove = (file: string): Manifest => {
  const folder = folderWithManifest(dirname(file));
  if (folder !== undefined) return readManifest(folder);
  throw new Error(`there is no plugin.json above ${file}: call the kit from a test inside the plugin's folder.`);
};

const folderWithManifest = (folder: string): string | undefined => {
  if (existsSync(join(folder, 'plugin.json'))) return folder;
  return dirname(folder) === folder ? undefined : folderWithManifest(dirname(folder));
};

/** The title of an option set: `defaults`, `preset enhanced`, `scale 0.3, clamp false`. */
export const titleOf = (options: Options): string =>
  Object.entries(options)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ') || 'defaults';

/** One block of checks: what its title says beside the options, and what the checks get. */
type Block<S> = { readonly title: string; readonly make: () => S | Promise<S> };

/** What is asked of the plugins of a kind: the blocks that an option set makes, and the checks of each. */
export type Kit<S> = {
  readonly kind: Kind;
  readonly blocksOf: (plugin: PluginUnderTest, options: Options) => readonly Block<S>[];
  readonly checks: readonly Check<S>[];
};

type ManifestSubject = PluginUnderTest & { readonly options: readonly Options[] };

export const manifestChecks: readonly Check<ManifestSubject>[] = [
  {
    name: 'the options are what its schema accepts',
    run: ({ manifest, options }) => {
      for (const set of options) resolveOptions(manifest, set);
    },
  },
];
