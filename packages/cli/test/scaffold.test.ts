import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CancelledError } from '@tweedie/core/registry';
import { plan } from '@tweedie/experiments';
import { afterAll, describe, expect, it } from 'vitest';
import { repositoryOf, scaffold, scaffoldKinds } from '../src/scaffold.ts';
import { rename, spellingsOf } from '../src/spellings.ts';
import { tweedie } from './start.ts';

const original = fileURLToPath(new URL('../../..', import.meta.url));
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'tweedie-new-')));
afterAll(() => rmSync(folder, { recursive: true }));

/** What of the repository `tweedie new` touches, copied; its packages and libraries are those of the original. */
function copyOfRepository(): string {
  const root = mkdtempSync(join(folder, 'repository-'));
  for (const name of ['package.json', 'package-lock.json', 'registry.json', 'tsconfig.json', 'test/vitest.config.ts'])
    cpSync(join(original, name), join(root, name), { recursive: true });
  for (const kind of scaffoldKinds)
    cpSync(join(original, 'templates', kind), join(root, 'templates', kind), { recursive: true });
  const members = ['packages', 'plugins'].flatMap((group) =>
    readdirSync(join(original, group)).map((name) => `${group}/${name}`),
  );
  for (const member of members)
    if (existsSync(join(original, member, 'package.json')))
      cpSync(join(original, member, 'package.json'), join(root, member, 'package.json'), { recursive: true });
  const link = (name: string) =>
    symlinkSync(realpathSync(join(original, 'node_modules', name)), join(root, 'node_modules', name), 'junction');
  mkdirSync(join(root, 'node_modules/@tweedie'), { recursive: true });
  for (const name of readdirSync(join(original, 'node_modules')))
    if (name !== '@tweedie' && !name.startsWith('.')) link(name);
  for (const name of readdirSync(join(original, 'node_modules/@tweedie')))
    if (existsSync(join(original, 'node_modules/@tweedie', name))) link(`@tweedie/${name}`);
  return root;
}

/** All that the command may change. */
const stateOf = (root: string) => ({
  top: readdirSync(root),
  plugins: readdirSync(join(root, 'plugins')),
  links: readdirSync(join(root, 'node_modules/@tweedie')),
  registry: readFileSync(join(root, 'registry.json'), 'utf8'),
  lock: readFileSync(join(root, 'package-lock.json'), 'utf8'),
});

describe('what it makes', () => {
  const root = copyOfRepository();
  const run = (command: string, ...argv: readonly string[]) =>
    execFileSync(command, argv, {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
      env: { ...process.env, npm_config_cache: join(folder, 'empty-cache') },
    });
  const places = scaffoldKinds.map((kind) => `plugins/${kind}-my-thing`);

  it('is announced with what to do next', async () => {
    for (const kind of scaffoldKinds.filter((one) => one !== 'operator')) {
      expect(await scaffold({ root, kind, id: 'my-thing' })).toBe(`plugins/${kind}-my-thing`);
    }
    expect(await tweedie(['new', 'operator', 'my-thing'], { cwd: join(root, 'plugins') })).toEqual({
      code: 0,
      err: '',
      out: `Made operator/my-thing in plugins/operator-my-thing. It works as it is. From ${root}:

  edit      plugins/operator-my-thing/src/index.ts, at its three comments; then plugin.json and README.md
  check     npx tweedie check operator/my-thing
  compare   npx tweedie compare plugins/operator-my-thing/my-thing.yaml
`,
    });
  });

  it.each(places)(
    '%s has the files of its template under the new name, three marks, and nothing of the old one',
    (place) => {
      const files = readdirSync(join(root, place), { recursive: true, encoding: 'utf8' }).sort();
      expect(files).toEqual([
        'README.md',
        'my-thing.yaml',
        'package.json',
        'plugin.json',
        'src',
        'src/index.ts',
        'test',
        'test/conformance.test.ts',
      ]);
      const text = (file: string) => readFileSync(join(root, place, file), 'utf8');
      for (const file of files.filter((name) => name.includes('.'))) expect(text(file), file).not.toMatch(/example/i);
      expect(text('src/index.ts').match(/Edit \d of 3/g)).toEqual(['Edit 1 of 3', 'Edit 2 of 3', 'Edit 3 of 3']);
      expect(text('src/index.ts')).toMatch(
        /^export interface MyThingOptions [\s\S]*^export const myThing: \w+Factory<MyThingOptions/m,
      );
      expect(JSON.parse(text('plugin.json'))).toMatchObject({ id: 'my-thing', export: 'myThing' });
    },
  );

  it('is in the registry, sorted', () => {
    const names = Object.keys((JSON.parse(stateOf(root).registry) as { plugins: object }).plugins);
    for (const kind of scaffoldKinds) expect(names).toContain(`${kind}/my-thing`);
    expect(names).toEqual(names.toSorted());
  });

  it('is locked and linked as npm would have done it, which has nothing left to do and nothing to download', () => {
    const before = stateOf(root).lock;
    run('npm', 'install', '--package-lock-only', '--offline', '--ignore-scripts');
    expect(stateOf(root).lock).toBe(before);
    for (const place of places)
      expect(readlinkSync(join(root, 'node_modules/@tweedie', place.slice('plugins/'.length)))).toBe(`../../${place}`);
  });

  const locate = (name: string) => fileURLToPath(import.meta.resolve(name));

  it('is listed', async () => {
    const { out } = await tweedie(['list'], { cwd: root });
    expect(out.match(/^  my-thing /gm)).toHaveLength(scaffoldKinds.length);
  });

  it('compiles', () => {
    run(process.execPath, locate('typescript/lib/tsc.js'));
  });

  it('passes its kit', () => {
    const report = JSON.parse(
      run(
        process.execPath,
        join(dirname(locate('vitest/package.json')), 'vitest.mjs'),
        'run',
        '--config',
        'test/vitest.config.ts',
        '--reporter',
        'json',
        ...places,
      ),
    ) as { success: boolean; testResults: object[] };
    expect([report.success, report.testResults.length]).toEqual([true, scaffoldKinds.length]);
  });

  it.each(['ab', 'some-quite-long-name-of-a-method'])('is laid out as Prettier wants it, called %s', async (id) => {
    const fresh = copyOfRepository();
    for (const kind of scaffoldKinds) await scaffold({ root: fresh, kind, id });
    const ignored = join(original, '.prettierignore');
    const prettier = [locate('prettier/bin/prettier.cjs'), '--list-different', '--ignore-path', ignored, 'plugins'];
    expect(spawnSync(process.execPath, prettier, { cwd: fresh, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });

  it.each(scaffoldKinds)('of kind %s stands in a comparison that can be planned', async (kind) => {
    const { table } = await plan({
      recipe: join(root, `plugins/${kind}-my-thing/my-thing.yaml`),
      registries: [join(root, 'registry.json')],
      measure: false,
    });
    expect(table).toContain('my-thing');
  });
});

describe('what it refuses', () => {
  const root = copyOfRepository();
  const before = stateOf(root);
  const attempt = (id: string) => scaffold({ root, kind: 'operator', id });

  it.each([
    [
      'My_Thing',
      '[operator/My_Thing] "My_Thing" is not an id. Ids are small letters and digits, with single dashes between words: my-thing.',
    ],
    [
      '../evil',
      '[operator/../evil] "../evil" is not an id. Ids are small letters and digits, with single dashes between words: my-thing.',
    ],
    ['', '[operator/] "" is not an id. Ids are small letters and digits, with single dashes between words: my-thing.'],
    [
      '2d-blur',
      '[operator/2d-blur] the factory is named after the id, and no name begins with a digit. Begin with a letter.',
    ],
    ['example', '[operator/example] is the name of the template. Choose another id.'],
    [
      'delete',
      '[operator/delete] the factory is named after the id, and JavaScript keeps this word to itself. Choose another id.',
    ],
    ['tf', '[operator/tf] tf is the name of something in @tweedie/core that the factory uses. Choose another id.'],
    ['operator-mine', '[operator/operator-mine] repeats its kind. Say tweedie new operator mine.'],
    [
      'inpaint',
      `[operator/inpaint] exists already, in ${join(original, 'plugins/operator-inpaint')}. Choose another id.`,
    ],
  ])('the id %j', async (id, message) => {
    await expect(attempt(id)).rejects.toMatchObject({ name: 'ConfigError', message });
    expect(stateOf(root)).toEqual(before);
  });

  it('a folder that is there already, and leaves it alone', async () => {
    mkdirSync(join(root, 'plugins/operator-mine'));
    writeFileSync(join(root, 'plugins/operator-mine/work.txt'), 'precious');
    await expect(attempt('mine')).rejects.toThrow(
      `[operator/mine] the folder ${join(root, 'plugins/operator-mine')} exists already, but registry.json does not name it. Remove it or choose another id.`,
    );
    expect(readFileSync(join(root, 'plugins/operator-mine/work.txt'), 'utf8')).toBe('precious');
  });

  it('nothing outside of the repository, where it makes packages', () => {
    expect(repositoryOf(join(root, 'plugins'))).toBe(root);
    expect(repositoryOf(folder)).toBeUndefined();
  });
});

describe('when it fails half-way everything is as it was', () => {
  const injuries: Record<string, (root: string) => void> = {
    'the link cannot be made': (root) => mkdirSync(join(root, 'node_modules/@tweedie/guidance-mine')),
    'the lock cannot be written': (root) => mkdirSync(join(root, 'package-lock.json.new')),
    'the lock is no JSON': (root) => writeFileSync(join(root, 'package-lock.json'), '{'),
    'the registry cannot be written': (root) => mkdirSync(join(root, 'registry.json.new')),
    'the template has a wrong manifest': (root) =>
      writeFileSync(join(root, 'templates/guidance/plugin.json'), '{ "kind": "guidance" }'),
  };

  it.each(Object.entries(injuries))('%s', async (_, injure) => {
    const root = copyOfRepository();
    injure(root);
    const before = stateOf(root);
    await expect(scaffold({ root, kind: 'guidance', id: 'mine' })).rejects.toThrow(
      /^\[guidance\/mine\] could not be made: .*[^.]\. Everything is as it was\.$/s,
    );
    expect(stateOf(root)).toEqual(before);
  });

  it('it is stopped, wherever it is', async () => {
    const root = copyOfRepository();
    const before = stateOf(root);
    const seen = new Set<string>();
    for (let turns = 0; turns < 6; turns++) {
      const controller = new AbortController();
      const made = scaffold({ root, kind: 'guidance', id: 'mine', signal: controller.signal }).catch(
        (error: unknown) => error,
      );
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      const { top: _, ...now } = stateOf(root);
      seen.add(JSON.stringify(now));
      controller.abort();
      const outcome = await made;
      if (typeof outcome === 'string') break;
      expect(outcome).toEqual(new CancelledError('Stopped. Everything is as it was.'));
      expect(stateOf(root)).toEqual(before);
    }
    // Nothing yet, folder, link, lock, registry.
    expect(seen.size).toBe(5);
  });
});

it('tells the kebab spelling from the camel one by what stands before it', () => {
  const text = `@tweedie/operator-example "id": "example", "export": "example" { id: example } { id: 'example' } operator/example example.yaml ExampleOptions counterexample`;
  expect(rename(text, spellingsOf('my-thing'))).toBe(
    `@tweedie/operator-my-thing "id": "my-thing", "export": "myThing" { id: my-thing } { id: 'my-thing' } operator/my-thing myThing.yaml MyThingOptions counterexample`,
  );
});
