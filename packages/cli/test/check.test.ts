/** `tweedie check`, on the plugin of docs/write-a-plugin.md in a folder where nothing is installed. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sheet } from '@tweedie/experiments';
import { afterAll, describe, expect, it } from 'vitest';
import { findPlugin } from '../src/check-plugin/find.ts';
import { folded } from '../src/check-plugin/outcome.ts';
import { tweedie } from './start.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-check-')));
afterAll(() => rmSync(folder, { recursive: true }));

const page = readFileSync(join(root, 'docs/write-a-plugin.md'), 'utf8');
const save = (name: string, content: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
};
for (const [, name, content] of page.matchAll(/^`(pull\/[\w./-]+)`[^\n]*\n\n```\w+\n([\s\S]*?)```/gm))
  save(name!, content!);
save('registry.json', '{ "plugins": { "guidance/pull": "./pull" } }');
const told = `Note: plugins may come from ${join(folder, 'registry.json')}, read unasked: --no-local-registry refuses it.\n`;

/** The plugin again, apart from the registry that names it, with its source or its tests changed. */
const changed = (name: string, change: (source: string) => string, test?: string): string => {
  cpSync(join(folder, 'pull'), join(folder, 'apart', name), { recursive: true });
  save(`apart/${name}/src/index.ts`, change(readFileSync(join(folder, 'pull/src/index.ts'), 'utf8')));
  if (test !== undefined) save(`apart/${name}/test/conformance.test.ts`, test);
  return `./${name}`;
};
const apart = { cwd: join(folder, 'apart') };
const check = (plugin: string, options: Parameters<typeof tweedie>[1] = {}) =>
  tweedie(['check', plugin], { cwd: folder, ...options });

describe('a plugin beside an experiment', () => {
  it('is found by its folder, by a file in it, and by the registry of the working folder', async () => {
    for (const name of ['pull', 'pull/src/index.ts'])
      expect(findPlugin(join(folder, name), {}).folder).toBe(join(folder, 'pull'));
    expect(findPlugin('guidance/pull', { registries: [join(folder, 'registry.json')] }).folder).toBe(
      join(folder, 'pull'),
    );
  });

  it('without tests passes types and kit', async () => {
    expect(await check('guidance/pull')).toEqual({
      code: 0,
      out: `guidance/pull in ${join(folder, 'pull')}\n\nok      types: 1 file\nok      kit, defaults: 16 of 16 checks passed\n`,
      err: told,
    });
  });

  it('with a type error and a fault of its mathematics fails, each fault told once, with its place', async () => {
    const place = changed('wrong', (source) =>
      source.replace('.div(2), []], x0hat', ".div('2'), []], x0hat").concat("export const two: number = '2';"),
    );
    const { code, out, err } = await check(place, apart);
    expect([code, err]).toEqual([1, '']);
    const [, , ...lines] = out.trimEnd().split('\n');
    expect(lines[0]).toBe("failed  types: src/index.ts:21:14 Type 'string' is not assignable to type 'number'.");
    expect(lines[1]).toMatch(
      /^failed  kit, defaults, every step gives finite numbers .* \(and \d+ more\): .*index\.ts:\d+\)$/,
    );
    expect(lines.at(-1)).toBe('failed  kit, defaults: 0 of 16 checks passed');
    expect(lines.length).toBeLessThan(6);
  });

  it('with tests runs them', async () => {
    const kit = `import { describeGuidance } from '@tweedie/testing';
      import { expect, it } from 'vitest';
      import { pull } from '../src/index.ts';
      describeGuidance(import.meta.url, { priorAt: ['A = 0'] });
      it('is a function', () => expect(typeof pull).toBe('function'));`;
    expect(
      (
        await check(
          changed('tested', (source) => source, kit),
          apart,
        )
      ).out,
    ).toContain('ok      types: 2 files\nok      tests: 19 of 19 passed, in 1 file\n');
    const wrong = kit.replace("toBe('function')", "toBe('number')").replace('(pull)', '(pull satisfies number)');
    const { code, out } = await check(
      changed('untrue', (source) => source, wrong),
      apart,
    );
    expect(code).toBe(1);
    expect(out).toMatch(/^failed  test\/conformance\.test\.ts, is a function: expected 'function' to be 'number'.*$/m);
    expect(out).toContain('failed  tests: 18 of 19 passed, in 1 file\n');
  });
});

it('checks a plugin of the repository from anywhere, and prints JSON', async () => {
  const { code, out } = await tweedie(['check', 'guidance/none', '--json'], { cwd: folder });
  const [types, tests] = JSON.parse(out) as { name: string; state: string; says: string }[];
  expect([code, types?.name, tests]).toEqual([0, 'types', { name: 'tests', state: 'ok', says: expect.any(String) }]);
});

it.each([
  ['./nowhere', `[./nowhere] there is no ${join(folder, 'nowhere')}. Give the folder of a plugin, or its kind and id.`],
  [
    'registry.json',
    '[registry.json] is in no plugin: neither it nor any folder above holds a plugin.json. Give the folder of a plugin, or its kind and id.',
  ],
  ['metric/psnrr', '[metric/psnrr] there is no such plugin. Did you mean "metric/psnr" or "metric/ssim"?'],
])('refuses %s', async (name, message) => {
  expect(await check(name)).toEqual({ code: 2, out: '', err: `Error: ${message}\n` });
});

it('checks a method that is one file, as docs/write-a-plugin.md writes it', async () => {
  const [, content = ''] = /^`my-method\.ts`[^\n]*\n\n```ts\n([\s\S]*?)```/m.exec(page)!;
  const file = join(folder, 'apart/my-method.ts');
  save('apart/my-method.ts', content);
  expect(await check('./my-method.ts', apart)).toEqual({
    code: 1,
    out: expect.stringMatching(/^guidance\/my-method in .*my-method\.ts\n\nok {6}types: 1 file\nfailed/),
    err: '',
  });
  save('apart/my-method.ts', content.replace(/title: '[^']*'/, 'title: 1'));
  expect((await check('./my-method.ts', apart)).err).toContain(
    `[${file} plugin.manifest /title] must be string, got 1.`,
  );
});

/** Node's arguments under which a library is not installed. */
const without = (library: string): readonly string[] => {
  const hook = `export const resolve = (name, context, next) => {
    if (name !== '${library}' && !name.startsWith('${library}/')) return next(name, context);
    throw Object.assign(new Error("Cannot find package '${library}' imported from here"), { code: 'ERR_MODULE_NOT_FOUND' });
  };`;
  const url = `data:text/javascript,${encodeURIComponent(hook)}`;
  save('missing.mjs', `import { register } from 'node:module'; register(${JSON.stringify(url)});`);
  return ['--import', join(folder, 'missing.mjs')];
};
const missing = (library: string): string =>
  `Error: [tweedie check] needs ${library}, which is not installed beside tweedie. Run npm install --save-dev typescript vitest @types/node @tweedie/testing there; in a clone of the repository, npm ci.\n`;

it('says what is missing where it is: TypeScript for types, vitest for tests alone', async () => {
  expect(await check('./pull', { node: without('typescript') })).toMatchObject({
    code: 2,
    err: told + missing('typescript'),
  });
  expect(await check('./pull', { node: without('vitest') })).toMatchObject({ code: 0, err: told });
  const tested = changed('untested', (source) => source, "import { it } from 'vitest'; it('is', () => {});");
  expect(await check(tested, { ...apart, node: without('vitest') })).toMatchObject({ code: 2, err: missing('vitest') });
});

it('gives a sheet of all that a method holds and of its distance to known posteriors, and a page', async () => {
  const { code, out } = await tweedie(['check', './pull', '--out', 'sheet.html', '--json'], { cwd: folder });
  const { plugin, blocks, measured } = JSON.parse(out) as Sheet;
  expect([code, plugin.id, blocks.map(({ checks }) => checks.length)]).toEqual([0, 'pull', [1, 16]]);
  const distanceOf = (label: string) =>
    measured?.filter((row) => row.label === label).map(({ distance }) => distance?.mean ?? NaN);
  const [iid] = measured?.flatMap(({ distance }) => distance?.iid ?? []) ?? [];
  // Draws of the posterior score as draws do; the method of the page is far from it.
  for (const distance of distanceOf('the posterior') ?? []) {
    expect(distance).toBeGreaterThan((iid?.low ?? NaN) - 0.1);
    expect(distance).toBeLessThan((iid?.high ?? NaN) + 0.1);
  }
  for (const distance of distanceOf('this method') ?? []) expect(distance).toBeGreaterThan(1.3);
  const written = readFileSync(join(folder, 'sheet.html'), 'utf8');
  expect(written).toContain('17 of 17 checks hold');
});

it('tells a failure that many checks share once', () => {
  const failures = [
    { name: 'a', says: 'no such thing' },
    { name: 'b', says: 'on a VE process no such thing at all' },
    { name: 'c', says: 'something else' },
  ];
  expect(folded(failures)).toEqual([
    { name: 'a (and 1 more)', state: 'failed', says: 'no such thing' },
    { name: 'c', state: 'failed', says: 'something else' },
  ]);
});
