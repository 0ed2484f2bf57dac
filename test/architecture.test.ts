/** The rules of the tree: who may import whom, and what no file does. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What each room's source may import of Tweedie. `engine`, `model` ... are plugins by kind. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  jit: ['core'],
  networks: ['core', 'jit'],
  files: ['core'],
  training: ['core', 'jit', 'networks', 'files'],
  experiments: ['core', 'files'],
  queue: ['core', 'files', 'experiments'],
  testing: ['core', 'files'],
  cli: ['core', 'jit', 'networks', 'files', 'training', 'experiments', 'queue', 'testing'],
  engine: ['core', 'jit'],
  model: ['core', 'networks'],
  metric: ['core', 'networks'],
  operator: ['core'],
  guidance: ['core'],
  scheduler: ['core'],
  dataset: ['core'],
};

/**
 * The rooms of packages that have some, from the ground up: a file may import from its own room and from those of
 * lines above. `top` are the files beside the rooms.
 */
const roomsOfExperiments: readonly (readonly string[])[] = [
  ['machine', 'statistics'],
  ['recipe'],
  ['plan'],
  ['run'],
  ['results'],
  ['report'],
  ['explain', 'export', 'restore', 'tune'],
  ['top'],
];
const roomsOfJit: readonly (readonly string[])[] = [['graph'], ['lowering', 'passes'], ['tracing', 'session'], ['top']];

/** Libraries that one room, or one file, keeps to itself. */
const homes: readonly (readonly [library: RegExp, home: RegExp])[] = [
  [/^ajv/, /^packages\/core\/src\/schema\.ts$/],
  [/^inversify/, /^packages\/core\/src\/container\.ts$/],
  [/^@tensorflow\/tfjs-(core|backend-cpu|layers)/, /^packages\/core\//],
  [/^@tensorflow\/tfjs-node/, /^plugins\/engine-tensorflow\//],
  [/^(onnxruntime-node|onnx-proto)/, /^packages\/jit\//],
  [/^sharp/, /^packages\/files\//],
  [/^yaml/, /^packages\/(files|experiments)\//],
  [/^@duckdb\//, /^packages\/experiments\//],
  [/^(pdfkit|fontkit|@fontsource\/)/, /^packages\/experiments\/(src\/export|test)\//],
  [/^(@observablehq\/plot|linkedom)/, /^packages\/(experiments|training)\//],
  [/^(bullmq|ioredis|pg|aws4fetch|s3rver)(\/|$)/, /^packages\/queue\//],
  [/^(@oclif\/|cli-progress)/, /^packages\/cli\//],
  [/^playwright-core/, /test\//],
  [/^fast-check/, /(^|\/)test\//],
  [/^vitest/, /(^|\/)test\/|^packages\/testing\/src\/|^packages\/cli\/src\/check-plugin\//],
  [/^typescript$/, /^test\/|^packages\/cli\/src\/check-plugin\//],
];

type Source = {
  /** Relative to the repository, with forward slashes. */
  readonly file: string;
  /** The package it belongs to: `packages/core`; '' for the tests at the top. */
  readonly home: string;
  readonly isSource: boolean;
  readonly text: string;
  readonly imports: readonly string[];
};

const foldersIn = (folder: string): readonly string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((name) => existsSync(join(root, folder, name, 'package.json')))
        .map((name) => `${folder}/${name}`)
    : [];
const homesOfCode = [...foldersIn('packages'), ...foldersIn('plugins'), ...foldersIn('templates')];

const sourcesIn = (home: string, folder: string): readonly Source[] => {
  const path = join(root, home, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
    .map((name) => {
      const text = readFileSync(join(path, name), 'utf8');
      const imports = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
      return {
        file: relative(root, join(path, name)).replaceAll('\\', '/'),
        home,
        isSource: folder === 'src',
        text,
        imports,
      };
    });
};
const sources = [
  ...homesOfCode.flatMap((home) => ['src', 'test'].flatMap((folder) => sourcesIn(home, folder))),
  ...sourcesIn('', 'test'),
];

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
/** `core` for packages/core, the kind for plugins and templates. */
const roomOf = (home: string): string => {
  const [folder, name = ''] = home.split('/');
  return folder === 'packages' ? name : (name.split('-')[0] ?? '');
};
type Dependencies = Readonly<Record<string, string>>;
type Package = {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly private?: boolean;
  readonly dependencies?: Dependencies;
  readonly peerDependencies?: Dependencies;
  readonly optionalDependencies?: Dependencies;
  readonly devDependencies?: Dependencies;
};
const readPackage = (folder: string): Package =>
  JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Package;

const indexOf = new Map(homesOfCode.map((home) => [readPackage(home).name, `${home}/src/index.ts`]));
/** The files of the tree that a file imports, types or not, by path and by the name of a package. */
const filesImportedBy = ({ file, imports }: Source): readonly string[] =>
  imports.flatMap((name) => (name.startsWith('.') ? posix.join(posix.dirname(file), name) : (indexOf.get(name) ?? [])));

/** Every circle that a walk along the edges runs into, as its files in order. */
const circlesIn = (edges: ReadonlyMap<string, readonly string[]>): readonly string[] => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' -> '));
    if (done.has(file) || way.includes(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...way, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return circles;
};

/** One line per offence, so that a failure reads as a list. */
const offences = (check: (source: Source) => readonly string[], among = sources): readonly string[] =>
  among.flatMap((source) => check(source).map((what) => `${source.file}: ${what}`));

/** Whether a package is this repository's own: git tracks it. Where there is no git, all are. */
const isOwn = ((): ((home: string) => boolean) => {
  try {
    const tracked = execFileSync('git', ['ls-files', '--', 'plugins'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const homes = new Set(tracked.split('\n').map((file) => file.split('/').slice(0, 2).join('/')));
    return (home) => !home.startsWith('plugins/') || tracked === '' || homes.has(home);
  } catch {
    return () => true;
  }
})();
/** Offences against style, which binds the repository's own code; plugins of others are held by their kits alone. */
const styleOffences = (check: (source: Source) => readonly string[]): readonly string[] =>
  offences(
    check,
    sources.filter(({ home }) => isOwn(home)),
  );

describe('imports', () => {
  it('finds the code', () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(sources.find(({ file }) => file === 'packages/core/src/container.ts')?.imports).toContain('inversify');
  });

  it('stay within the table of who may import whom', () => {
    const check = ({ home, isSource, imports }: Source): readonly string[] => {
      if (home === '') return [];
      const own = readPackage(home).name;
      const allowed = [
        own,
        ...[...(mayImport[roomOf(home)] ?? []), ...(isSource ? [] : ['testing'])].map((name) => `@tweedie/${name}`),
      ];
      return imports
        .filter((name) => name.startsWith('@tweedie/') && !allowed.includes(packageOf(name)))
        .map((name) => `may not import ${name}`);
    };
    expect(offences(check)).toEqual([]);
  });

  it('of libraries stay in the room that owns them', () => {
    const check = ({ file, imports }: Source): readonly string[] =>
      imports
        .filter((name) => homes.some(([library, home]) => library.test(name) && !home.test(file)))
        .map((name) => `may not import ${name}`);
    expect(offences(check)).toEqual([]);
  });

  it('of plugins leave files to the context', () => {
    const check = ({ home, isSource, imports }: Source): readonly string[] =>
      /^(plugins|templates)\//.test(home) && isSource
        ? imports
            .filter((name) => /^(node:)?(fs|child_process|net|http|https)(\/|$)/.test(name))
            .map((name) => `may not import ${name}`)
        : [];
    expect(offences(check)).toEqual([]);
  });

  it('are declared in the package that makes them', () => {
    const declared = (home: string, isSource: boolean): readonly string[] => {
      const { name, dependencies, peerDependencies, optionalDependencies, devDependencies } = readPackage(home);
      // What is published has no devDependencies. Types of a library that has none of its own are no import.
      const shared = isSource ? {} : { ...readPackage('').devDependencies, ...devDependencies, '@tweedie/testing': '' };
      return [name, ...Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies, ...shared })];
    };
    const check = ({ home, isSource, imports }: Source): readonly string[] => {
      if (home === '') return [];
      const known = declared(home, isSource);
      return imports
        .filter((name) => !name.startsWith('.') && !isBuiltin(name) && !known.includes(packageOf(name)))
        .map((name) => `${packageOf(name)} is not in its package.json`);
    };
    expect(offences(check)).toEqual([]);
  });

  it('make no circle', () => {
    expect(
      circlesIn(
        new Map([
          ['a', ['b']],
          ['b', ['c']],
          ['c', ['b']],
          ['d', ['d', 'a']],
        ]),
      ),
    ).toEqual(['b -> c -> b', 'd -> d']);
    expect(circlesIn(new Map(sources.map((source) => [source.file, filesImportedBy(source)])))).toEqual([]);
  });

  it.each([
    ['experiments', roomsOfExperiments],
    ['jit', roomsOfJit],
  ] as const)('of %s go down the order of its rooms', (home, order) => {
    const top = `packages/${home}/src`;
    const roomIn = (file: string): string => /^([^/]+)\//.exec(posix.relative(top, file))?.[1] ?? 'top';
    const floorOf = (room: string): number => order.findIndex((rooms) => rooms.includes(room));
    const check = (source: Source): readonly string[] => {
      if (!source.file.startsWith(`${top}/`)) return [];
      const room = roomIn(source.file);
      if (floorOf(room) < 0) return [`the room ${room} is not in the table`];
      const inside = filesImportedBy(source).filter((file) => file.startsWith(`${top}/`));
      const wrong = inside.filter((file) => roomIn(file) !== room && !(floorOf(roomIn(file)) < floorOf(room)));
      return wrong.map((file) => `may not import ${posix.relative(top, file)}`);
    };
    expect(offences(check)).toEqual([]);
  });

  it('by path stay inside the package', () => {
    const check = ({ file, home, imports }: Source): readonly string[] =>
      home === ''
        ? []
        : imports
            .filter((name) => name.startsWith('.') && !join(dirname(file), name).startsWith(`${home}/`))
            .map((name) => `reaches into another package by ${name}`);
    expect(offences(check)).toEqual([]);
  });
});

describe('source', () => {
  const parse = ({ file, text }: Source): ts.SourceFile =>
    ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const nodesOf = (node: ts.Node): readonly ts.Node[] => [node, ...node.getChildren().flatMap(nodesOf)];

  it('has a package index that is the public list and nothing else', () => {
    const check = (source: Source): readonly string[] =>
      /^packages\/\w+\/src\/index\.ts$/.test(source.file)
        ? parse(source)
            .statements.filter((statement) => !ts.isExportDeclaration(statement))
            .map((statement) => `holds more than exports: ${statement.getText().slice(0, 60)}`)
        : [];
    expect(styleOffences(check)).toEqual([]);
  });

  it('has files of at most 300 lines', () => {
    expect(
      styleOffences(({ isSource, text }) =>
        isSource && text.trimEnd().split('\n').length > 300
          ? [`${text.trimEnd().split('\n').length} lines: one idea a file, at most 300 (docs/style.md)`]
          : [],
      ),
    ).toEqual([]);
  });

  it('has lines of at most 120 columns, strings left out', () => {
    const isText = (node: ts.Node): boolean =>
      ts.isStringLiteralLike(node) || ts.isTemplateExpression(node) || ts.isRegularExpressionLiteral(node);
    const textsOf = (node: ts.Node): readonly ts.Node[] =>
      isText(node) ? [node] : node.getChildren().flatMap(textsOf);
    const check = (source: Source): readonly string[] => {
      if (!source.text.split('\n').some((line) => line.length > 120)) return [];
      const rest = textsOf(parse(source)).reduceRight(
        (text, node) => text.slice(0, node.getStart()) + node.getText().replace(/[^\n]/g, '') + text.slice(node.end),
        source.text,
      );
      return rest
        .split('\n')
        .flatMap((line, i) => (line.length > 120 ? [`line ${i + 1} has ${line.length} columns without strings`] : []));
    };
    expect(styleOffences(check)).toEqual([]);
  });

  it('hides nothing from the compiler, and exports by name', () => {
    const fault = (node: ts.Node): string | undefined => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) return 'any: say the type, or unknown,';
      if (ts.isNonNullExpression(node))
        return '! after an expression: check for undefined instead, types tell the truth,';
      if (
        ts.isAsExpression(node) &&
        ts.isAsExpression(node.expression) &&
        node.expression.type.kind === ts.SyntaxKind.UnknownKeyword
      )
        return 'as unknown as: types tell the truth,';
      if (
        ts.isExportAssignment(node) ||
        (node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent))
      )
        return 'default export: exports have names,';
      if (ts.isExportDeclaration(node) && (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause)))
        return 'export *: list what is public,';
      if (ts.isDecorator(node)) return 'decorator: a plugin is a plain function,';
      return undefined;
    };
    const check = (source: Source): readonly string[] => {
      if (!source.isSource) return [];
      const file = parse(source);
      return nodesOf(file).flatMap((node) => {
        const what = fault(node);
        return what === undefined
          ? []
          : [`${what} line ${file.getLineAndCharacterOfPosition(node.getStart()).line + 1} (docs/style.md)`];
      });
    };
    expect(styleOffences(check)).toEqual([]);
  });

  it('has no file of odds and ends, and nothing left to do', () => {
    expect(
      styleOffences(({ file, text }) => [
        ...(/\/(utils?|helpers?|common|misc)\.ts$/.test(file)
          ? ['the name of the file says no subject (docs/style.md, one idea a file)']
          : []),
        ...(/\b(TO\DO|FIX\ME)\b/.test(text) ? ['something is left to do: do it, or file an issue'] : []),
      ]),
    ).toEqual([]);
  });
});

describe('packages', () => {
  const locals = homesOfCode.map((home) => ({ home, ...readPackage(home) }));

  it('have one version, and ask for exactly that of each other', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'lerna.json'), 'utf8')) as { version: string };
    const wrong = locals.flatMap(({ home, version: own, dependencies, peerDependencies, devDependencies }) => [
      ...(own === version ? [] : [`${home}: version ${own}`]),
      ...Object.entries({ ...dependencies, ...devDependencies })
        .filter(([name, range]) => name.startsWith('@tweedie/') && range !== version)
        .map(([name, range]) => `${home}: ${name} ${range}`),
      // lerna raises no version among peers: what is built says it.
      ...Object.entries(peerDependencies ?? {})
        .filter(([name, range]) => name.startsWith('@tweedie/') && range !== '*')
        .map(([name, range]) => `${home}: peer ${name} ${range}`),
    ]);
    expect(wrong).toEqual([]);
  });

  it('ask for exact versions of everything', () => {
    const wrong = locals.flatMap(({ home, dependencies, devDependencies }) =>
      Object.entries({ ...dependencies, ...devDependencies })
        .filter(([, range]) => !/^\d/.test(range))
        .map(([name, range]) => `${home}: ${name} ${range}`),
    );
    expect(wrong).toEqual([]);
  });

  it('are named after their folders', () => {
    const nameOf = (home: string) => (home === 'packages/tweedie' ? 'tweedie' : `@tweedie/${home.split('/')[1]}`);
    const wrong = locals
      .filter(({ home, name }) => !home.startsWith('templates/') && name !== nameOf(home))
      .map(({ home, name }) => `${home}: ${name}`);
    expect(wrong).toEqual([]);
  });

  it('have a README and a licence, and templates are not published', () => {
    const wrong = locals.flatMap(({ home, license, private: hidden = false }) => [
      ...(existsSync(join(root, home, 'README.md')) ? [] : [`${home}: no README.md`]),
      ...(license?.startsWith('MIT') ? [] : [`${home}: license ${license}`]),
      ...(hidden === home.startsWith('templates/') ? [] : [`${home}: private ${hidden}`]),
    ]);
    expect(wrong).toEqual([]);
  });

  it('share one copy of TensorFlow.js on disk', () => {
    // npm's record of what it put under node_modules.
    const installed = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')) as {
      packages: Record<string, { version?: string }>;
    };
    const copies = Object.entries(installed.packages).filter(([path]) =>
      path.endsWith('node_modules/@tensorflow/tfjs-core'),
    );
    expect(copies.map(([path, { version }]) => `${path} ${version}`)).toEqual([
      'node_modules/@tensorflow/tfjs-core 4.22.0',
    ]);
  });
});
