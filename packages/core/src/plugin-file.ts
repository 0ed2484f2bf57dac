import { basename, dirname, resolve } from 'node:path';
import { ConfigError } from './errors.ts';
import { type AnyFactory, importEntry } from './import-plugin.ts';
import { checkManifest, type Manifest } from './manifest.ts';

/** What a plugin that is one file, with no package around it, exports as `plugin`. */
export type PluginFile = {
  /** What stands in `plugin.json` elsewhere, but for `export`. */
  readonly manifest: Pick<Manifest, 'kind' | 'id' | 'title' | 'options'> &
    Partial<Omit<Manifest, 'export' | 'package' | 'version' | 'folder' | 'file'>>;
  readonly factory: (options: never, context: never) => object | Promise<object>;
};

/**
 * Imports a plugin that is one file, and gives its manifest, checked. Its code runs. Throws ConfigError where the file
 * cannot be imported or does not export such a plugin.
 */
export const readPluginFile = async (file: string): Promise<Manifest> => {
  const path = resolve(file);
  const { plugin } = await importEntry(path, path, 'cannot be imported');
  const { manifest, factory } = (plugin ?? {}) as { readonly manifest?: unknown; readonly factory?: AnyFactory };
  if (typeof manifest !== 'object' || manifest === null || typeof factory !== 'function')
    throw new ConfigError(
      path,
      'exports no `plugin` that holds a manifest and a factory.',
      "Write: export const plugin = { manifest: { kind: 'guidance', id, title, options }, factory: (options) => ({ ... }) }.",
    );
  const content = { export: 'factory', ...(JSON.parse(JSON.stringify(manifest)) as object) };
  const checked = checkManifest(content, `${path} plugin.manifest`);
  return { ...checked, package: basename(path), version: '0.0.0', folder: dirname(path), file: path };
};
