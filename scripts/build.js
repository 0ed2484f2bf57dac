// npm run build [-- <folder> ...] Builds what npm gets of every package: `<package>/.publish`, whole and ready for
// `npm publish`, with compiled sources in its `dist`. Nothing in the repository reads it: here everything runs from
// TypeScript. `--no-onnxruntime` leaves out what is made of onnxruntime-node.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { stageRuntimes, runtimeDependencies } from './onnxruntime.js';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');
const stage = '.publish';
/** Source that serves this repository's tests alone: it reads their fixtures. */
const ownSource = /^packages\/testing\/src\/fixtures\//;
/** What of a package's folder is not for its users. */
const left = new Set(['src', 'test', 'measure', 'node_modules', 'dist', stage, 'package.json', 'tsconfig.json']);

const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const write = (path, text) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};
const slashes = (path) => path.split(sep).join('/');

/** The folders of the packages that are published, relative to the repository. */
const published = ['packages', 'plugins'].flatMap((group) =>
  readdirSync(join(root, group))
    .map((name) => `${group}/${name}`)
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .filter((folder) => readJson(join(root, folder, 'package.json')).private !== true),
);

/** The exports as users of the package see them: built files alone; what has none is not exported. */
const builtExports = (exports) =>
  Object.fromEntries(
    Object.entries(exports).flatMap(([name, target]) => {
      if (typeof target === 'string') return [[name, target]];
      const { '@tweedie/source': _, ...rest } = target;
      return Object.keys(rest).length === 0 ? [] : [[name, rest]];
    }),
  );

/** Peers among our packages are of the same version. lerna does not raise it there, so that the repository says *. */
const ownPeers = ({ version, peerDependencies }) =>
  Object.fromEntries(
    Object.entries(peerDependencies).map(([name, range]) => [name, name.startsWith('@tweedie/') ? version : range]),
  );

/** The package tweedie brings every plugin that the registry names: adding one changes the registry alone. */
const withPlugins = ({ version, dependencies }) => {
  const names = Object.values(readJson(join(root, 'registry.json')).plugins);
  return { ...dependencies, ...Object.fromEntries(names.map((name) => [name, version])) };
};

/** The package.json that is published. */
const builtPackage = ({ devDependencies: _, private: __, exports, ...own }, files) => {
  const compiled = JSON.parse(JSON.stringify(own).replaceAll(/"\.\/src\/([^"]+)\.ts"/g, '"./dist/$1.js"'));
  return {
    ...compiled,
    ...(own.name === 'tweedie' && { dependencies: withPlugins(own) }),
    ...(own.peerDependencies && { peerDependencies: ownPeers(own) }),
    ...(exports && { exports: builtExports(exports) }),
    files,
    publishConfig: { access: 'public' },
    ...('onnxruntime-node' in (own.dependencies ?? {}) && runtimeDependencies(own)),
  };
};

/** Places of schemas as they are where packages lie side by side under node_modules/@tweedie. */
const sideBySide = (text) => text.replaceAll('../../packages/', '../');

/** Compiles all sources in one program, which takes as long as checking them, and puts each file where it belongs. */
const compile = (folders) => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const sources = folders.flatMap((folder) =>
    ts.sys
      .readDirectory(join(root, folder, 'src'), ['.ts'])
      .filter((file) => !ownSource.test(slashes(relative(root, file)))),
  );
  const program = ts.createProgram(sources, {
    ...options,
    noEmit: false,
    noEmitOnError: true,
    declaration: true,
    sourceMap: true,
    inlineSources: true,
    rewriteRelativeImportExtensions: true,
    rootDir: root,
    outDir: join(root, stage),
  });
  const { diagnostics } = program.emit(undefined, (path, text) => {
    const [group, name, , ...rest] = slashes(relative(join(root, stage), path)).split('/');
    if (!folders.includes(`${group}/${name}`) || ownSource.test(`${group}/${name}/src/${rest.join('/')}`)) return;
    write(join(root, group, name, stage, 'dist', ...rest), shown(path, text, rest));
  });
  const faults = [...ts.getPreEmitDiagnostics(program), ...diagnostics];
  if (faults.length === 0) return;
  const host = { getCurrentDirectory: () => root, getCanonicalFileName: (name) => name, getNewLine: () => '\n' };
  console.error(ts.formatDiagnostics(faults, host));
  process.exit(1);
};

/** A compiled file as it is published: maps name sources as they lie in the repository, types import built files. */
const shown = (path, text, rest) => {
  if (path.endsWith('.d.ts')) return text.replaceAll(/((?:from |import\(|import )['"]\.[^'"]*)\.ts(?=['"])/g, '$1.js');
  if (!path.endsWith('.map')) return text;
  const source = `src/${rest.join('/').replace(/\.js\.map$/, '.ts')}`;
  return JSON.stringify({ ...JSON.parse(text), sources: [`${'../'.repeat(rest.length)}${source}`] });
};

/** What a package brings beside compiled code. */
const copyFiles = (folder) => {
  const from = join(root, folder);
  const to = join(from, stage);
  for (const name of readdirSync(from))
    if (!left.has(name)) cpSync(join(from, name), join(to, name), { recursive: true });
  if (existsSync(join(from, 'src')))
    cpSync(join(from, 'src'), join(to, 'dist'), {
      recursive: true,
      filter: (path) => !path.endsWith('.ts') && !path.endsWith('fixtures'),
    });
  cpSync(join(root, 'LICENSE'), join(to, 'LICENSE'));
  if (existsSync(join(to, 'plugin.json')))
    write(join(to, 'plugin.json'), sideBySide(readFileSync(join(from, 'plugin.json'), 'utf8')));
};

/** What lies at the top of the repository and is published in a package. */
const copyShared = () => {
  const command = join(root, 'packages/cli', stage);
  cpSync(join(root, 'templates'), join(command, 'templates'), { recursive: true });
  cpSync(join(root, 'tsconfig.json'), join(command, 'tsconfig.json'));
  const meta = join(root, 'packages/tweedie', stage);
  const registry = readFileSync(join(root, 'registry.json'), 'utf8');
  write(join(meta, 'registry.json'), registry.replace('"packages/', '"../@tweedie/'));
  cpSync(join(root, 'recipes'), join(meta, 'recipes'), { recursive: true });
  for (const name of readdirSync(join(meta, 'recipes')).filter((file) => file.endsWith('.yaml'))) {
    const path = join(meta, 'recipes', name);
    write(path, readFileSync(path, 'utf8').replaceAll('$schema=../packages/', '$schema=../../@tweedie/'));
  }
};

const asked = process.argv.slice(2);
for (const folder of published) rmSync(join(root, folder, stage), { recursive: true, force: true });
compile(published);
for (const folder of published) copyFiles(folder);
copyShared();
for (const folder of published) {
  const to = join(root, folder, stage);
  const own = builtPackage(readJson(join(root, folder, 'package.json')), readdirSync(to));
  write(join(to, 'package.json'), `${JSON.stringify(own, undefined, 2)}\n`);
}
if (!asked.includes('--no-onnxruntime')) stageRuntimes(join(root, stage));
console.log(`${published.length} packages are in their folders ${stage}.`);
