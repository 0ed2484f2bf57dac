/** `tweedie new` outside of the repository: npm packages of their own. test/published.js installs and tests one. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { CancelledError } from '@tweedie/core/registry';
import { afterAll, describe, expect, it } from 'vitest';
import { completed } from '../src/ask.ts';
import { scaffoldKinds } from '../src/scaffold.ts';
import { scaffoldPackage } from '../src/stand-alone.ts';
import { tweedie } from './start.ts';

const parent = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-alone-')));
afterAll(() => rmSync(parent, { recursive: true }));
const read = (path: string): string => readFileSync(join(parent, path), 'utf8');

describe('what it makes', () => {
  it('is announced with what to do next', async () => {
    for (const kind of scaffoldKinds.filter((one) => one !== 'guidance'))
      expect(await scaffoldPackage({ parent, kind, id: 'my-thing' })).toBe(`${kind}-my-thing`);
    expect(await tweedie(['new', 'guidance', 'my-thing'], { cwd: parent })).toEqual({
      code: 0,
      err: '',
      out: `Made guidance/my-thing in guidance-my-thing. It works as it is.

  install   cd guidance-my-thing && npm install --ignore-scripts
  edit      src/index.ts, at its three comments; then plugin.json and README.md
  check     npm test
  compare   npx tweedie compare my-thing.yaml
`,
    });
  });

  it.each(scaffoldKinds)('of kind %s is a package whole, with nothing of the template in it', (kind) => {
    const place = `${kind}-my-thing`;
    const files = readdirSync(join(parent, place), { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.\w+$|LICENSE/.test(name.replace(/^\.github$/, '')),
    );
    expect(files.toSorted()).toEqual(
      [
        '.github/workflows/test.yml',
        '.gitignore',
        'LICENSE',
        'README.md',
        'my-thing.yaml',
        'package.json',
        'plugin.json',
        'registry.json',
        'src/index.ts',
        'test/conformance.test.ts',
        'tsconfig.build.json',
        'tsconfig.json',
        'vitest.config.ts',
      ].toSorted(),
    );
    for (const file of files)
      expect(read(`${place}/${file}`), file).not.toMatch(/\bexample|\.\.\/packages|@tweedie\/source"\]/i);
    const own = JSON.parse(read(`${place}/package.json`)) as Record<string, unknown>;
    expect(own).toMatchObject({ name: `tweedie-${place}`, license: 'MIT', files: ['dist', 'plugin.json'] });
    expect(own).not.toHaveProperty('private');
  });

  // Templates and what is made of them in the repository pass their kits in tests of their own.
  it.each(['guidance', 'metric'])('of kind %s passes types and tests where nothing is installed', async (kind) => {
    const { code, out } = await tweedie(['check', '.'], { cwd: join(parent, `${kind}-my-thing`) });
    expect(out).toMatch(/^ok      types: \d files\nok      tests: (\d+) of \1 passed, in 1 file$/m);
    expect(code).toBe(0);
  });

  it('stands in a comparison that can be planned', async () => {
    const { code, out } = await tweedie(['plan', 'my-thing.yaml'], { cwd: join(parent, 'guidance-my-thing') });
    expect([code, out]).toEqual([0, expect.stringMatching(/^ +my-thing .*$/m)]);
  });
});

describe('what it refuses', () => {
  it.each([
    ['dps', /^\[guidance\/dps\] exists already, in \S+\. Choose another id/],
    ['guidance-mine', /^\[guidance\/guidance-mine\] repeats its kind\. Say tweedie new guidance mine\.$/],
    [
      'my-thing',
      /^\[guidance\/my-thing\] the folder \S+guidance-my-thing exists already\. Remove it or choose another id\.$/,
    ],
  ])('the id %s', async (id, message) => {
    const before = readdirSync(parent);
    await expect(scaffoldPackage({ parent, kind: 'guidance', id })).rejects.toThrow(message);
    expect(readdirSync(parent)).toEqual(before);
  });

  it('to guess what is not said, where there is no terminal to ask on', async () => {
    const kinds = 'operator, guidance, scheduler, model, metric, dataset, engine';
    for (const [argv, what] of [
      [[], 'what to make is not said.'],
      [['metric'], 'the id of the metric is not said.'],
    ] as const)
      expect(await tweedie(['new', ...argv], { cwd: parent })).toEqual({
        code: 2,
        out: '',
        err: `Error: [tweedie new] ${what} Say tweedie new <kind> <id>; kinds: ${kinds}.\n`,
      });
  });
});

describe('when it fails half-way nothing is left', () => {
  it('it is stopped, wherever it is', async () => {
    const seen = new Set<number>();
    for (let turns = 0; turns < 20; turns++) {
      const controller = new AbortController();
      const task = { parent, kind: 'metric', id: 'stopped', signal: controller.signal } as const;
      const made = scaffoldPackage(task).catch((error: unknown) => error);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      const folder = join(parent, 'metric-stopped');
      seen.add(existsSync(folder) ? readdirSync(folder, { recursive: true }).length : 0);
      controller.abort();
      const outcome = await made;
      if (typeof outcome === 'string') break;
      expect(outcome).toEqual(new CancelledError('Stopped. Everything is as it was.'));
      expect(existsSync(folder)).toBe(false);
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  it('a file cannot be written', async () => {
    mkdirSync(join(parent, 'blocked'));
    writeFileSync(join(parent, 'blocked/file'), '');
    const task = { parent: join(parent, 'blocked/file'), kind: 'metric', id: 'mine' } as const;
    await expect(scaffoldPackage(task)).rejects.toThrow(
      /^\[metric\/mine\] could not be made: ENOTDIR.*[^.]\. Everything is as it was\.$/,
    );
    expect(readdirSync(join(parent, 'blocked'))).toEqual(['file']);
  });
});

describe('on a terminal', () => {
  const terminal = () => ({ input: new PassThrough(), output: new PassThrough() });
  /** Answers each question once it is asked. */
  const answering = (...answers: readonly string[]) => {
    const { input, output } = terminal();
    const left = [...answers];
    let asked = '';
    output.on('data', (text) => {
      asked += String(text);
      if (String(text).endsWith(': ')) input.write(`${left.shift()}\n`);
    });
    return { input, output, asked: () => asked };
  };

  it('asks for what is missing, and for nothing else', async () => {
    const both = answering('metric', ' mine ');
    expect(await completed({}, both)).toEqual({ kind: 'metric', id: 'mine' });
    expect(both.asked()).toBe(
      'Kind (operator, guidance, scheduler, model, metric, dataset, engine): Id, its name in recipes: ',
    );
    const one = answering('mine');
    expect(await completed({ kind: 'model' }, one)).toEqual({ kind: 'model', id: 'mine' });
    expect(one.asked()).toBe('Id, its name in recipes: ');
    expect(await completed({ kind: 'model', id: 'mine' }, undefined)).toEqual({ kind: 'model', id: 'mine' });
  });

  it('refuses what is no kind, and stops where input ends', async () => {
    await expect(completed({}, answering('metrik'))).rejects.toThrow(
      '[tweedie new] there is no kind "metrik". Kinds: ',
    );
    const { input, output } = terminal();
    const asked = completed({}, { input, output });
    input.end();
    await expect(asked).rejects.toEqual(new CancelledError('Stopped. Nothing was made.'));
  });
});
