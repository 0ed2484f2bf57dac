import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import {
  ConfigError,
  loadRegistries,
  manifestOfPlace,
  messageOf,
  openRegistry,
  readJson,
  suggest,
  type Manifest,
} from '@tweedie/core/registry';

type Content = { readonly $schema?: string; readonly plugins: Readonly<Record<string, string>> };

/** The registry of a folder: the file that is read unasked where one works in it. */
export const registryIn = (folder: string): string => join(folder, 'registry.json');

const contentOf = (file: string): Content => (existsSync(file) ? (readJson(file) as Content) : { plugins: {} });

const write = async (
  file: string,
  content: Content,
  plugins: readonly (readonly [string, string])[],
): Promise<void> => {
  const { writeWhole } = await import('@tweedie/files');
  const sorted = Object.fromEntries([...plugins].sort(([a], [b]) => (a < b ? -1 : 1)));
  writeWhole(file, `${JSON.stringify({ ...content, plugins: sorted }, undefined, 2)}\n`, 'Make it writable.');
};

const isInstalled = (name: string, folder: string): boolean =>
  (createRequire(join(folder, 'any.js')).resolve.paths(name) ?? []).some((modules) =>
    existsSync(join(modules, name, 'package.json')),
  );

/** What a registry in `folder` calls a plugin: a folder relative to it, or a package, installed if it is not. */
const placeOf = async (target: string, folder: string, tell: (line: string) => void): Promise<string> => {
  const path = isAbsolute(target) ? target : join(folder, target);
  if (target.startsWith('.') || isAbsolute(target) || existsSync(join(path, 'plugin.json'))) {
    if (!existsSync(path)) throw new ConfigError(target, `there is no ${path}.`, 'Give the folder of a plugin.');
    const inside = relative(realpathSync(folder), realpathSync(path)).split(sep).join('/');
    return inside.startsWith('..') ? inside : `./${inside}`;
  }
  const [, name] = /^((?:@[\w.-]+\/)?[\w.-]+)(?:@[^/]+)?$/.exec(target) ?? [];
  if (name === undefined)
    throw new ConfigError(
      target,
      'is neither a package nor a folder.',
      'Of a git repository, add the folder of your checkout.',
    );
  if (isInstalled(name, folder)) return name;
  tell(`Installing ${target} in ${folder}, without install scripts.`);
  try {
    await promisify(execFile)('npm', ['install', '--ignore-scripts', target], { cwd: folder });
  } catch (error) {
    const { stderr = messageOf(error) } = error as { readonly stderr?: string };
    const why = stderr.split('\n').find((line) => /^npm error (?!code)/.test(line)) ?? stderr.trim();
    throw new ConfigError(
      target,
      `cannot be installed: ${why.replace(/^npm error /, '')}.`,
      'Install it with npm, then add it again.',
      { cause: error },
    );
  }
  return name;
};

/**
 * Names a plugin in the registry of `folder`: of a package, a folder or a git checkout. Its code is imported once, to
 * see that it can be. Gives its manifest. Throws ConfigError, and writes nothing, where the plugin cannot be used or
 * its id is taken.
 */
export const addPlugin = async (target: string, folder: string, tell: (line: string) => void): Promise<Manifest> => {
  const file = registryIn(folder);
  const content = contentOf(file);
  const place = await placeOf(target, folder, tell);
  const manifest = manifestOfPlace(place, file, target);
  const name = `${manifest.kind}/${manifest.id}`;
  const shipped = openRegistry({ localRegistries: false, quiet: true }).manifests.find(
    ({ kind, id }) => `${kind}/${id}` === name,
  );
  if (shipped !== undefined && shipped.folder !== manifest.folder)
    throw new ConfigError(target, `${name} is the name of ${shipped.package}.`, 'Give your plugin another id.');
  const there = content.plugins[name];
  if (there !== undefined && there !== place)
    throw new ConfigError(target, `${name} is ${there} in ${file}.`, `Run tweedie plugins remove ${name} first.`);
  const { importFactory } = await import('@tweedie/core');
  await importFactory(manifest);
  await write(file, content, [...Object.entries(content.plugins).filter(([key]) => key !== name), [name, place]]);
  return manifest;
};

/** Takes a plugin out of the registry of `folder`, by kind and id, by id, or by package or folder. Gives its name. */
export const removePlugin = async (target: string, folder: string): Promise<string> => {
  const file = registryIn(folder);
  const content = contentOf(file);
  const entries = Object.entries(content.plugins);
  const places = [target, `./${target}`].map((place) => place.replace(/\/+$/, ''));
  const meant = entries.filter(
    ([name, place]) => name === target || name.endsWith(`/${target}`) || places.includes(place),
  );
  const [first, second] = meant;
  if (first === undefined)
    throw new ConfigError(
      target,
      `is not in ${file}.`,
      entries.length === 0
        ? 'It names no plugin.'
        : suggest(
            target,
            entries.map(([name]) => name),
          ),
    );
  if (second !== undefined)
    throw new ConfigError(target, 'is several plugins.', `Choose: ${meant.map(([name]) => name).join(', ')}.`);
  await write(
    file,
    content,
    entries.filter((entry) => entry !== first),
  );
  return first[0];
};

/** The plugins that the registry of `folder` names: name, place, and title or what is wrong. Runs no code of them. */
export const listPlugins = (folder: string): readonly (readonly [name: string, place: string, state: string])[] => {
  const file = registryIn(folder);
  if (!existsSync(file)) return [];
  const { manifests, broken } = loadRegistries([file]);
  return Object.entries(contentOf(file).plugins).map(([name, place]) => {
    const manifest = manifests.find(({ kind, id }) => `${kind}/${id}` === name);
    return [name, place, manifest?.title ?? messageOf(broken.get(name))];
  });
};
