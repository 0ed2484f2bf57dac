import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, messageOf } from './errors.ts';
import type { Manifest } from './manifest.ts';
import { readJson } from './read-json.ts';
import type { Context } from './plugin.ts';
import type { ImageShape } from './types.ts';

/** Any plugin's factory, as the container calls it: the options have been checked against the manifest. */
export type AnyFactory = (
  options: Readonly<Record<string, unknown>>,
  context: Context & { readonly imageShape?: ImageShape },
) => object | Promise<object>;

/** The conditions for reading `exports`. Source comes first: where a plugin has it, what is built may be older. */
const conditions = ['@tweedie/source', 'node', 'import', 'default'];

/** The files that an `exports` target stands for, by all conditions that apply, in its order. */
const targetsOf = (target: unknown): readonly string[] => {
  if (typeof target === 'string') return [target];
  if (typeof target !== 'object' || target === null) return [];
  return Object.entries(target).flatMap(([condition, inner]) =>
    condition === '.' || conditions.includes(condition) ? targetsOf(inner) : [],
  );
};

/**
 * A plugin is resolved from its own folder and not by name: it may be installed where only the registry that names it
 * can see it.
 */
const entryOf = (folder: string): string => {
  const path = join(folder, 'package.json');
  const { exports, main } = existsSync(path) ? (readJson(path) as { exports?: unknown; main?: string }) : {};
  const found = [...targetsOf(exports), main, 'src/index.ts', 'index.js'].find(
    (file) => file !== undefined && existsSync(join(folder, file)),
  );
  return join(folder, found ?? 'src/index.ts');
};

const isClass = (made: object): boolean => /^class\b/.test(Function.prototype.toString.call(made));

/** Imports a file of a plugin. Where it cannot be, a ConfigError says `what`, and why. */
export const importEntry = async (entry: string, where: string, what: string): Promise<Record<string, unknown>> => {
  try {
    return (await import(/* @vite-ignore */ pathToFileURL(entry).href)) as Record<string, unknown>;
  } catch (error) {
    throw new ConfigError(where, `${what}: ${messageOf(error)}.`, 'Correct it, or reinstall it.', {
      cause: error,
    });
  }
};

/** Imports a plugin's package, or its one file, and gives its factory. A ConfigError names the package. */
export const importFactory = async (manifest: Manifest): Promise<AnyFactory> => {
  const where = `${manifest.kind}/${manifest.id}`;
  const entry = manifest.file ?? entryOf(manifest.folder);
  const whole = await importEntry(entry, where, `the package ${manifest.package} cannot be imported from ${entry}`);
  const exported = manifest.file === undefined ? whole : (whole['plugin'] as Record<string, unknown>);
  const factory = exported[manifest.export];
  if (typeof factory === 'function' && !isClass(factory)) return factory as AnyFactory;
  if (typeof factory === 'function')
    throw new ConfigError(
      where,
      `${manifest.export} in the package ${manifest.package} is a class; a factory is called without new.`,
      `Export a function that makes the ${manifest.kind}: (options, context) => ({ ... }).`,
    );
  const names = Object.keys(exported).join(', ') || 'nothing';
  throw new ConfigError(
    where,
    `the package ${manifest.package} exports no function ${manifest.export}; it exports ${names}.`,
    'Correct "export" in its plugin.json.',
  );
};
