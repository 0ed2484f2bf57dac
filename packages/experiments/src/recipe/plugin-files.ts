import { resolve } from 'node:path';
import { type Manifest, readPluginFile, tellPluginFile } from '@tweedie/core';
import type { Recipe } from './recipe.ts';

/** A reference that is a path to a file of code: it begins with a dot or a slash. */
const isCode = (text: string): boolean => /^(\.{0,2}[\\/]|[A-Za-z]:[\\/]).*\.m?[jt]s$/.test(text);

/** Calls `visit` with each text in a value that is such a path, and with its JSON pointer; gives the value changed. */
const replaceCode = (value: unknown, at: string, visit: (path: string, at: string) => string): unknown => {
  if (typeof value === 'string') return isCode(value) ? visit(value, at) : value;
  if (Array.isArray(value)) return value.map((entry, i) => replaceCode(entry, `${at}/${i}`, visit));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, replaceCode(entry, `${at}/${key}`, visit)]),
  );
};

/**
 * Imports the plugins that a recipe names by their files (`./my-method.ts`, relative to its folder), telling of each
 * before its code runs. Gives their manifests, and the recipe with ids in the place of paths. Throws ConfigError where
 * one is refused, missing or no plugin.
 */
export const loadPluginFiles = async (
  recipe: Recipe,
  localRegistries: boolean | undefined,
): Promise<{ readonly recipe: Recipe; readonly given: readonly Manifest[] }> => {
  const found = new Map<string, string>();
  replaceCode(recipe.input, '', (path, at) => {
    found.set(path, found.get(path) ?? at);
    return path;
  });
  if (found.size === 0) return { recipe, given: [] };
  const manifests = new Map<string, Manifest>();
  for (const [path, at] of found) {
    const file = resolve(recipe.folder, path);
    recipe.locating(() => tellPluginFile(file, localRegistries, `${recipe.where} ${at}`));
    manifests.set(path, await readPluginFile(file));
  }
  const input = replaceCode(recipe.input, '', (path) => manifests.get(path)?.id ?? path) as Recipe['input'];
  const paths = new Map([...manifests].map(([path, { id }]) => [id, path]));
  return { recipe: { ...recipe, input, paths }, given: [...manifests.values()] };
};
