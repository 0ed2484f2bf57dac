/**
 * What pages tell their reader to type works as it stands, or at least names what exists, and what the README shows of
 * a method is its code.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJson } from '@tweedie/core';
import { plan } from '@tweedie/experiments';
import { expect, it } from 'vitest';
import { commands } from '../packages/cli/src/commands.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const pages = (): readonly string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((page) => page.endsWith('.md') && !/^(templates|CHANGELOG)/.test(page) && existsSync(join(root, page)));

it('commands that pages name exist, and so do their flags', () => {
  const wrong = pages().flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/npx tweedie ([a-z]+)\b([^\n`#|]*)/g)].flatMap(
      ([line, name, rest]) => {
        // Of oclif.
        if (name === 'autocomplete') return [];
        const command = commands[name as keyof typeof commands];
        if (command === undefined) return [`${page}: ${line}`];
        const flags: Readonly<Record<string, object>> = command.flags;
        // What follows a script is its own.
        const own = name === 'run' ? rest!.replace(/^((?: --[a-z-]+)*).*/, '$1') : rest!;
        const given = [...own.matchAll(/ --([a-z][a-z-]*)/g)].map(([, flag]) => flag!);
        return given
          .filter((flag) => !(flag in flags || flag.replace(/^no-/, '') in flags || flag === 'help'))
          .map((flag) => `${page}: tweedie ${name} has no flag --${flag}`);
      },
    ),
  );
  expect(wrong).toEqual([]);
});

it('the site has every page of docs', () => {
  const { projectDocuments } = readJson(join(root, 'typedoc.json')) as { projectDocuments: string[] };
  const own = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md') && name !== 'README.md');
  expect(projectDocuments.toSorted()).toEqual(own.map((name) => `docs/${name}`).toSorted());
});

it('docs/recipes.md names every key of a recipe and every recipe that ships, and its example can run', async () => {
  const page = readFileSync(join(root, 'docs/recipes.md'), 'utf8');
  const table = /## Every key\n([\s\S]*?)\n## /.exec(page)![1]!;
  const named = [...table.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`(\w+)`/g)].map(([, key]) => key),
  );
  const { properties } = readJson(join(root, 'packages/experiments/schemas/experiment.schema.json')) as {
    properties: object;
  };
  expect(named.toSorted()).toEqual(
    Object.keys(properties)
      .filter((key) => key !== '$schema')
      .toSorted(),
  );
  const recipes = readdirSync(join(root, 'recipes')).filter((name) => name.endsWith('.yaml'));
  expect(recipes.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-docs-'));
  try {
    writeFileSync(join(folder, 'my.yaml'), /```yaml\n([\s\S]*?)```/.exec(page)![1]!);
    const { json } = await plan({ recipe: join(folder, 'my.yaml'), measure: false });
    expect(json.rows).toHaveLength(8);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const kit = `import { describeGuidance } from '@tweedie/testing';
import { expect, it } from 'vitest';
import { pull } from '../src/index.ts';
describeGuidance(import.meta.url, { priorAt: ['A = 0'] });
it('is a function', () => expect(typeof pull).toBe('function'));
`;

it('docs/write-a-plugin.md: its method and its operator have types and run beside an experiment, outside of the repository', () => {
  const page = readFileSync(join(root, 'docs/write-a-plugin.md'), 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-docs-'));
  try {
    const save = (name: string, content: string) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    };
    save('registry.json', /^ {2}registry\.json\s+(\{.*\})$/m.exec(page)![1]!);
    // A file's name in backticks, then its block.
    for (const [, name, content] of page.matchAll(/^`([\w./-]+)`[^\n]*\n\n```\w+\n([\s\S]*?)```/gm))
      save(name!, content!.replaceAll('CLONE', root.replace(/[\\/]$/, '')));
    save('pull/test/conformance.test.ts', kit);
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { stdio: 'pipe' });
    const tweedie = (...argv: readonly string[]): string =>
      execFileSync(process.execPath, [join(root, 'packages/cli/bin/tweedie.js'), ...argv], {
        cwd: folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    for (const [recipe, labels] of [
      ['mine.yaml', ['pull scale=0.5', 'pull scale=0.9', 'exact']],
      ['columns.yaml', ['dps', 'exact']],
    ] as const) {
      const printed = tweedie('compare', recipe, '--limit', '1', '--steps', '5', '--json');
      const { rows, failures } = JSON.parse(printed) as { rows: { label: string }[]; failures: unknown[] };
      expect(rows.map(({ label }) => label)).toEqual(labels);
      expect(failures).toEqual([]);
    }
    // The operator's kit: what does not hold makes the command fail.
    expect(tweedie('check', './every-column.ts')).toMatch(/ok {6}kit/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('README.md: the lines of dps stand in its source', () => {
  const [, link, shown] = /^The heart of \[`([^`]+)`\][^\n]*\n\n```ts\n([\s\S]*?)```/m.exec(
    readFileSync(join(root, 'README.md'), 'utf8'),
  )!;
  const onOneLine = (code: string) => code.replaceAll(/\s+/g, ' ').trim();
  expect(onOneLine(readFileSync(join(root, link!), 'utf8'))).toContain(onOneLine(shown!));
});

it('packages/core/README.md: its example runs as it stands', () => {
  const [, code] = /^```js\n([\s\S]*?)```/m.exec(readFileSync(join(root, 'packages/core/README.md'), 'utf8'))!;
  const node = ['--conditions=@tweedie/source', '--import', 'tsx', '--input-type=module'];
  const printed = execFileSync(process.execPath, node, { cwd: root, input: code!, encoding: 'utf8' });
  const { errors, ...cost } = JSON.parse(printed) as { errors: number[] };
  expect(cost).toEqual({ forwards: 200, vjps: 200, operatorCalls: 400 });
  expect(errors).toEqual([expect.closeTo(0.15, 1), expect.closeTo(0.15, 1)]);
});

it('packages/experiments/README.md: its example runs as it stands, by the line it gives, outside of the repository', () => {
  const page = readFileSync(join(root, 'packages/experiments/README.md'), 'utf8');
  const [, code] = /^```ts\n([\s\S]*?)```/m.exec(page)!;
  const [, line] = /^`npx tweedie (run example\.ts)`/m.exec(page)!;
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-docs-'));
  try {
    writeFileSync(join(folder, 'example.ts'), code!);
    const printed = execFileSync(process.execPath, [join(root, 'packages/cli/bin/tweedie.js'), ...line!.split(' ')], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(printed).toMatch(/^experiment: 4 images of 1x2x1[\s\S]*\bexact\b[\s\S]*Float32Array\(2\) \[[^\]]+\] 20\n$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('packages/experiments/README.md: a photograph is restored in five lines', () => {
  const page = readFileSync(join(root, 'packages/experiments/README.md'), 'utf8');
  const [, code = ''] = /in five lines:\n\n```ts\n([\s\S]*?)```/.exec(page)!;
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(5);
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-docs-'));
  try {
    writeFileSync(join(folder, 'restore.ts'), code);
    copyFileSync(join(root, 'plugins/dataset-photographs/pictures/fig.png'), join(folder, 'photo.jpg'));
    const printed = execFileSync(process.execPath, [join(root, 'packages/cli/bin/tweedie.js'), 'run', 'restore.ts'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(printed).toMatch(/photo\.restored\.png/);
    expect(printed).toMatch(/sigmaY 0\.\d+ \([\d.]+ of 255 grey levels\)/);
    expect(readFileSync(join(folder, 'photo.restored.png')).readUInt32BE(16)).toBe(64);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
