import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { ConfigError, loadRegistries, openRegistry, type Manifest, type RegistryOptions } from '@tweedie/core/registry';
import { find } from '../commands/info.ts';

/** The plugin that `name` means, a file that is one (`./my-method.ts`) too, whose code then runs. */
export const findAny = async (name: string, registries: RegistryOptions): Promise<Manifest> => {
  const file = resolve(name);
  const isAlone = /\.m?[jt]s$/.test(name) && existsSync(file) && folderWithManifest(dirname(file)) === undefined;
  if (!isAlone) return findPlugin(name, registries);
  const { readPluginFile } = await import('@tweedie/core');
  return readPluginFile(file);
};

/**
 * The plugin that `name` means: a folder, or a file in it; else a kind and id, or an id, of the registry. A plugin that
 * is named by its folder need not be in any registry. Which registries are read is for the caller to tell.
 */
export const findPlugin = (name: string, registries: RegistryOptions): Manifest => {
  const path = resolve(name);
  const isPath = name.startsWith('.') || isAbsolute(name) || existsSync(join(path, 'plugin.json'));
  if (!isPath) {
    const registry = openRegistry({ ...registries, quiet: true });
    const known = registry.manifests.some(({ kind, id }) => id === name || `${kind}/${id}` === name);
    if (known || !existsSync(path)) return find(registry, name);
  }
  if (!existsSync(path))
    throw new ConfigError(name, `there is no ${path}.`, 'Give the folder of a plugin, or its kind and id.');
  const folder = folderWithManifest(realpathSync(path));
  const manifest = folder === undefined ? undefined : loadRegistries([], [folder]).manifests[0];
  if (manifest !== undefined) return manifest;
  throw new ConfigError(
    name,
    'is in no plugin: neither it nor any folder above holds a plugin.json.',
    'Give the folder of a plugin, or its kind and id.',
  );
};

const folderWithManifest = (folder: string): string | undefined => {
  if (existsSync(join(folder, 'plugin.json'))) return folder;
  return dirname(folder) === folder ? undefined : folderWithManifest(dirname(folder));
};
