import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CancelledError, ConfigError, messageOf, openRegistry, readJson, type Manifest } from '@tweedie/core/registry';
import { home } from './home.ts';
import { refuseKnown, renderTemplate, type ScaffoldKind, takeBack } from './scaffold.ts';
import { checkId } from './spellings.ts';

type Task = {
  readonly parent: string;
  readonly kind: ScaffoldKind;
  readonly id: string;
  readonly signal?: AbortSignal;
};

/**
 * Makes an npm package of its own in `parent`, from the template of the kind: the plugin, its test, what `npm publish`
 * and a continuous integration need, and a registry that names it, so that recipes in its folder run it. Gives the
 * folder, relative to `parent`. All or nothing: when something fails, or `signal` aborts, nothing is left. Throws
 * ConfigError for an id that cannot be, one that is taken, and a folder that is there or cannot be written;
 * CancelledError.
 */
export const scaffoldPackage = async ({ parent, kind, id, signal }: Task): Promise<string> => {
  const name = `${kind}/${id}`;
  const place = `${kind}-${id}`;
  const folder = join(parent, place);
  checkId(kind, id);
  refuseKnown(kind, id, openRegistry({ localRegistries: false, quiet: true }));
  if (existsSync(folder))
    throw new ConfigError(name, `the folder ${folder} exists already.`, 'Remove it or choose another id.');
  const files = new Map([...renderTemplate(join(home, 'templates', kind), name, id), ...filesAround(kind, id)]);
  try {
    for (const [path, text] of files) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), withInstalledSchemas(text));
    }
  } catch (error) {
    const state = takeBack([() => existsSync(folder) && rmSync(folder, { recursive: true })]);
    if (signal?.aborted) throw new CancelledError(`Stopped. ${state}`);
    throw new ConfigError(name, `could not be made: ${messageOf(error).replace(/\.$/, '')}.`, state, { cause: error });
  }
  return place;
};

/** The name on npm of a plugin that is a package of its own. */
const packageNameOf = (kind: string, id: string): string => `tweedie-${kind}-${id}`;

const withInstalledSchemas = (text: string): string => text.replaceAll('../../packages/', 'node_modules/@tweedie/');

const filesAround = (kind: ScaffoldKind, id: string): readonly (readonly [path: string, text: string])[] => {
  const name = packageNameOf(kind, id);
  const json = (content: object): string => `${JSON.stringify(content, undefined, 2)}\n`;
  return [
    ['package.json', json(packageOf(name, `${kind}/${id}`))],
    ['registry.json', json({ plugins: { [`${kind}/${id}`]: './' } })],
    ['tsconfig.json', json({ compilerOptions: compilerOptions(), include: ['src', 'test'] })],
    ['tsconfig.build.json', json(buildConfig)],
    ['vitest.config.ts', vitestConfig],
    ['.github/workflows/test.yml', workflow],
    ['.gitignore', 'node_modules/\ndist/\nruns/\n*.tgz\n'],
    ['LICENSE', licence(name)],
    ['README.md', readme(kind, id, name)],
  ];
};

type Own = Pick<Manifest, 'version'> & {
  readonly engines: object;
  readonly peerDependencies: Readonly<Record<string, string>>;
};

const packageOf = (name: string, plugin: string): object => {
  const { version, engines, peerDependencies } = readJson(join(import.meta.dirname, '../package.json')) as Own;
  return {
    name,
    version: '0.1.0',
    description: `${plugin} for Tweedie`,
    keywords: ['tweedie-plugin'],
    license: 'MIT',
    type: 'module',
    engines,
    exports: {
      '.': { '@tweedie/source': './src/index.ts', types: './dist/index.d.ts', default: './dist/index.js' },
      './plugin.json': './plugin.json',
      './package.json': './package.json',
    },
    files: ['dist', 'plugin.json'],
    scripts: {
      test: 'tsc && vitest run',
      check: 'tweedie check .',
      build: 'tsc -p tsconfig.build.json',
      prepack: 'npm run build',
    },
    peerDependencies: { '@tweedie/core': `^${version}` },
    devDependencies: { '@tweedie/core': version, ...peerDependencies, '@tweedie/testing': version, tweedie: version },
  };
};

/** The options by which Tweedie checks itself, without what tells where its own sources are. */
const compilerOptions = (): object => {
  const { compilerOptions: own } = JSON.parse(readFileSync(join(home, 'tsconfig.json'), 'utf8')) as {
    readonly compilerOptions: Readonly<Record<string, unknown>>;
  };
  return Object.fromEntries(Object.entries(own).filter(([name]) => name !== 'customConditions'));
};

const buildConfig = {
  extends: './tsconfig.json',
  compilerOptions: {
    noEmit: false,
    rewriteRelativeImportExtensions: true,
    declaration: true,
    sourceMap: true,
    inlineSources: true,
    rootDir: 'src',
    outDir: 'dist',
  },
  include: ['src'],
};

const vitestConfig = `import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // ONNX Runtime sessions are safe in processes, not in worker threads.
    pool: 'forks',
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // The kit imports the plugin: the test runner's own loader must see both, for it reads TypeScript.
    server: { deps: { inline: [/[\\\\/]@tweedie[\\\\/]/] } },
  },
});
`;

const workflow = `name: test
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        node: [20, 22, 24]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: \${{ matrix.node }}
      - run: npm install
        env:
          # Tweedie's packages need no install scripts.
          npm_config_ignore_scripts: 'true'
      - run: npm test
`;

const licence = (name: string): string =>
  readFileSync(join(home, 'LICENSE'), 'utf8').replace(
    /^Copyright .*$/m,
    `Copyright (c) ${new Date().getFullYear()} The authors of ${name}`,
  );

const readme = (kind: ScaffoldKind, id: string, name: string): string => {
  const template = renderTemplate(join(home, 'templates', kind), `${kind}/${id}`, id).get('README.md') ?? '';
  return `${template.trimEnd()}

## Work on it

\`\`\`
npm install
npm test                          # types, then the kit of its kind
npx tweedie check .               # the same as one list
npx tweedie compare ${id}.yaml
\`\`\`

\`src/index.ts\` has three comments, "Edit 1 of 3" to "Edit 3 of 3": the options, what it is, the mathematics. Remove them as
you go. \`plugin.json\` says what it is, needs and costs, and describes its options; say there where it comes from.

## Use it

\`npm publish\` builds it. Who wants it:

\`\`\`
npm install ${name}
npx tweedie plugins add ${name}
\`\`\`

MIT.
`;
};
