/** Registries that nobody named: the commands tell of them, and refuse them where that is asked for. */
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encodePng } from '@tweedie/files';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { tweedie } from './start.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-local-')));
afterAll(() => rmSync(folder, { recursive: true }));
const save = (name: string, content: string | object): string => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

// A plugin that leaves a mark where its code runs, beside a recipe that someone else wrote.
const options = { type: 'object', additionalProperties: false, properties: {} };
const mark = join(folder, 'has-run');
save('theirs/spy/plugin.json', { kind: 'operator', id: 'spy', export: 'spy', title: 'Spy', options });
save('theirs/spy/package.json', { name: 'spy', type: 'module', exports: './index.ts' });
save(
  'theirs/spy/index.ts',
  `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(mark)}, '');
export const spy = () => { throw new Error('enough'); };`,
);
const registry = save('theirs/registry.json', { plugins: { 'operator/spy': './spy' } });
const recipe = save('theirs/recipe.json', {
  model: { id: 'gmm', options: { shape: [4, 4, 3], smooth: { length: 2, std: 0.5 } } },
  images: { from: 'prior', count: 1 },
  operators: ['spy'],
  sigmaY: 0.1,
  methods: ['dps'],
});
const picture = join(folder, 'grey.png');
writeFileSync(picture, await encodePng(new Float32Array(32 * 32 * 3), [32, 32, 3]));
mkdirSync(join(folder, 'mine'));
const cwd = join(folder, 'mine');
const told = `Note: plugins may come from ${registry}, read unasked: --no-local-registry refuses it.\n`;
const refused = ` It may be in ${registry}, refused as a local registry; --registry reads it all the same.\n`;

it('tells of the registry beside a recipe once, and runs nothing of it where that is refused', async () => {
  const unasked = await tweedie(['plan', recipe], { cwd });
  expect(unasked.err.split(told)).toHaveLength(2);
  expect([unasked.code, existsSync(mark)]).toEqual([1, true]);
  rmSync(mark);
  const { code, err } = await tweedie(['plan', recipe, '--no-local-registry'], { cwd });
  expect(err).toMatch(/^Error: \[\S+recipe\.json:1 \/operators\/0\] there is no operator "spy"\. Valid: /);
  expect([code, err.endsWith(refused), existsSync(mark)]).toEqual([2, true, false]);
  const named = await tweedie(['plan', recipe, '--no-local-registry', '--registry', registry], { cwd });
  expect(named.err).toContain(`Note: plugins may come from ${registry}, as asked.\n`);
  expect(existsSync(mark)).toBe(true);
});

describe('--no-local-registry', () => {
  save('theirs/script.ts', "import { openRegistry } from '@tweedie/core';\nopenRegistry().find('operator', 'spy');");
  const theirs = { cwd: join(folder, 'theirs') };

  it('is a flag of every command that opens a registry', () => {
    const without = Object.entries(commands).filter(
      ([, { flags }]) => !JSON.stringify(flags ?? {}).includes('local-registry'),
    );
    // `new` reads what ships alone, `export`, `merge` and `report` run folders, `cancel` and `status` a queue, and
    // `plugins` keeps the registry of the working folder.
    const others = ['cancel', 'export', 'merge', 'new', 'plugins', 'report', 'status'];
    expect(without.map(([name]) => name)).toEqual(others);
  });

  it.each([
    ['info', 'spy'],
    ['check', 'operator/spy'],
    ['fetch', 'spy'],
    ['compare', recipe],
    ['explain', recipe],
    ['tune', recipe],
    ['restore', picture, '--operator', 'spy'],
    ['picture', 'spy', '--image', picture, '--out', 'x.png'],
    ['bench', 'overhead', '--methods', 'spy'],
  ])('holds for %s', async (...argv) => {
    rmSync(mark, { force: true });
    const { code, err } = await tweedie([...argv, '--no-local-registry'], theirs);
    expect(err.slice(-refused.length)).toBe(refused);
    expect([code, existsSync(mark)]).toEqual([2, false]);
  });

  it('holds for a script and for the tests of a plugin', async () => {
    const script = await tweedie(['run', '--no-local-registry', 'script.ts'], theirs);
    expect(script.err.slice(-refused.length)).toBe(refused);
    expect((await tweedie(['run', 'script.ts'], theirs)).err).toBe(told);
    save(
      'theirs/spy/spy.test.ts',
      `import { openRegistry } from '@tweedie/core';
import { expect, it } from 'vitest';
it('is found', () => expect(openRegistry({ folders: [${JSON.stringify(theirs.cwd)}], quiet: true }).files).toHaveLength(2));`,
    );
    const found = await tweedie(['check', './spy'], theirs);
    expect([found.err, found.out]).toEqual([told, expect.stringContaining('1 of 1 passed')]);
    const { err, out } = await tweedie(['check', './spy', '--no-local-registry'], theirs);
    expect([err, out]).toEqual(['', expect.stringContaining('0 of 1 passed')]);
  });

  it('holds for what is listed and tried', async () => {
    save('broken/registry.json', 'no JSON');
    const broken = { cwd: join(folder, 'broken') };
    expect(await tweedie(['list', '--no-local-registry'], broken)).toMatchObject({ code: 0, err: '' });
    expect((await tweedie(['list'], broken)).code).toBe(2);
    expect((await tweedie(['doctor', '--no-local-registry'], broken)).out).toContain('ok      plugins: ');
  });
});
