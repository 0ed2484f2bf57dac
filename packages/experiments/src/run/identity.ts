import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { canonicalJson, type Manifest, readJson, sha256 } from '@tweedie/core';

/** Hash of a value by its JSON; the order of keys does not matter. */
export const identify = (value: unknown): string => sha256(canonicalJson(value));

const filesOf = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.(ts|js|json|wgsl)$/.test(name))
        .sort()
        .map((name) => join(folder, name))
    : [];

/** The folder of a package as another sees it; a package that is not installed there stands for itself by name. */
const folderOf = (name: string, importer: string): string => {
  try {
    return dirname(createRequire(importer).resolve(`${name}/package.json`));
  } catch {
    return name;
  }
};

/** A file of code and those that it imports by path, and so on, each once. */
const withImports = (file: string, known: readonly string[] = []): readonly string[] => {
  if (known.includes(file) || !existsSync(file)) return known;
  const imported = readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g);
  const paths = Array.from(imported, ([, path = '']) => join(dirname(file), path));
  return paths.reduce<readonly string[]>((all, path) => withImports(path, all), [...known, file]);
};

/** Hash of the code of a plugin: of its package, or of its one file with what it imports by path, and of core. */
export const pluginHash = ({ file, folder }: Manifest, known: Map<string, string>): string => {
  if (file === undefined) return codeHash(folder, known);
  const content = withImports(file).map((path) => [relative(folder, path), sha256(readFileSync(path))]);
  return identify([content, [['@tweedie/core', codeHash(folderOf('@tweedie/core', import.meta.filename), known)]]]);
};

/**
 * Hash of the code that a package runs: its manifest files and sources (`src`, or `dist` where it is built only), and
 * the same of every `@tweedie/` package that it depends on. A result whose code has changed is computed anew.
 */
const codeHash = (folder: string, known = new Map<string, string>()): string => {
  const before = known.get(folder);
  if (before !== undefined) return before;
  known.set(folder, '');
  const packagePath = join(folder, 'package.json');
  const { dependencies = {}, peerDependencies = {} } = (existsSync(packagePath) ? readJson(packagePath) : {}) as Record<
    string,
    Record<string, string>
  >;
  const sources = filesOf(join(folder, 'src'));
  const content = [
    ...['plugin.json', 'package.json', 'index.js'].map((name) => join(folder, name)),
    ...(sources.length > 0 ? sources : filesOf(join(folder, 'dist'))),
  ]
    .filter((path) => existsSync(path))
    .map((path) => [path.slice(folder.length), sha256(readFileSync(path))]);
  const used = Object.keys({ ...dependencies, ...peerDependencies })
    .filter((name) => name.startsWith('@tweedie/'))
    .map((name) => [name, codeHash(folderOf(name, packagePath), known)]);
  const hash = identify([content, used]);
  known.set(folder, hash);
  return hash;
};
