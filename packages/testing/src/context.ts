import {
  type Container,
  type Context,
  createContainer,
  type ImageShape,
  type Kind,
  openRegistry,
  type OperatorContext,
  type PluginKinds,
  type PluginReference,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';

/** A plugin's factory as its test calls it: with the given options over the defaults of the manifest. */
type AnyFactory = (options: object, context: Context) => unknown;
type Manifest = {
  readonly export: string;
  readonly options: { readonly properties: Readonly<Record<string, { readonly default?: unknown }>> };
};

/**
 * What a plugin's factory gets in its test: the real files, relative to `folder`, and other plugins by the convention
 * that `<kind>/<id>` is the package `@tweedie/<kind>-<id>`. Options are not checked, only completed by the manifest's
 * defaults.
 */
export function testContext(folder = '.', warn: (message: string) => void = () => undefined): Context {
  const context: Context = {
    files: createFiles(folder),
    warn,
    plugin: async <K extends Kind>(kind: K, { id, options = {} }: PluginReference) => {
      const name = `@tweedie/${kind}-${id}`;
      const { default: manifest } = (await import(/* @vite-ignore */ `${name}/plugin.json`, {
        with: { type: 'json' },
      })) as { default: Manifest };
      const exported = (await import(/* @vite-ignore */ name)) as Readonly<Record<string, AnyFactory>>;
      const factory = exported[manifest.export];
      if (factory === undefined) throw new Error(`${name} does not export ${manifest.export}`);
      const defaults = Object.fromEntries(
        Object.entries(manifest.options.properties).flatMap(([key, schema]) =>
          'default' in schema ? [[key, schema.default]] : [],
        ),
      );
      return (await factory({ ...defaults, ...options }, context)) as PluginKinds[K];
    },
  };
  return context;
}

/** The context of an operator's factory: `testContext` with the image shape for which the operator is made. */
export const testOperatorContext = (imageShape: ImageShape, folder?: string): OperatorContext => ({
  ...testContext(folder),
  imageShape,
});

/** A container of the plugins in `folder`, made as in a run: options checked, code imported on first use. */
export const testContainer = (folder = '.'): Container =>
  createContainer({ registry: openRegistry({ folders: [folder], quiet: true }), files: createFiles(folder) });
