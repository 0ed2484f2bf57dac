import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands.ts';
import { binary, tweedie } from './start.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('exit codes and messages', () => {
  it('lists on standard output, from any folder', async () => {
    const { code, out, err } = await tweedie(['list', 'engine'], { cwd: folder });
    expect(err).toBe('');
    expect(out).toMatch(/^engine\n {2}eager {2,}Plain TensorFlow\.js/);
    expect(code).toBe(0);
  });

  it.each([
    ['an unknown command', ['comapre'], 'Error: [tweedie] there is no command "comapre". Did you mean "compare"?\n'],
    [
      'an unknown plugin',
      ['info', 'engine/eagre'],
      'Error: [engine/eagre] there is no such plugin. Did you mean "engine/eager"?\n',
    ],
    [
      'an unknown flag',
      ['list', '--jsno'],
      'Error: Nonexistent flag: --jsno\nDid you mean "--json"?\nSee more help with --help\n',
    ],
    [
      'unknown flags',
      ['plan', 'x.yaml', '--smaples=3', '--no-mesure'],
      'Error: Nonexistent flags: --smaples=3, --no-mesure\n--smaples: Did you mean "--samples"?\n--no-mesure: Did you mean "--no-measure"?\nSee more help with --help\n',
    ],
    ['an unknown id', ['info', 'dpss'], 'Error: [dpss] there is no such plugin. Did you mean "guidance/dps"?\n'],
    [
      'a missing argument',
      ['plan'],
      'Error: Missing 1 required arg:\nrecipe  experiment file, YAML or JSON\nSee more help with --help\n',
    ],
    [
      'a registry that is not there',
      ['list', '--registry', 'nowhere.json'],
      `Error: [${join(folder, 'nowhere.json')}] this registry file does not exist. Correct the path given with --registry.\n`,
    ],
  ])('refuses %s in one message, with code 2', async (_, argv, message) => {
    expect(await tweedie(argv, { cwd: folder })).toEqual({ code: 2, out: '', err: message });
  });
});

describe('help', () => {
  it('names every command', async () => {
    const { code, out } = await tweedie(['--help']);
    expect(code).toBe(0);
    for (const name of Object.keys(commands)) expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  it('is the table of the README', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8').replaceAll('\\|', '|');
    const rows = Object.entries(commands).map(([name, { summary }]) => `| \`${name}\` | ${summary} |`);
    expect(readme).toContain(rows.join('\n'));
  });

  it('of a command has examples', async () => {
    expect((await tweedie(['compare', '--help'])).out).toMatch(
      /EXAMPLES\n {2}\$ tweedie compare recipes\/quickstart\.yaml/,
    );
    for (const { examples = [], summary } of Object.values(commands)) {
      expect(examples.length).toBeGreaterThan(0);
      expect(summary).toBeTruthy();
    }
  });
});

describe('what is loaded', () => {
  const loadedBy = async (argv: readonly string[]): Promise<readonly string[]> => {
    const list = join(folder, 'modules.txt');
    await tweedie(argv, {
      env: { LOADED_MODULES: list },
      node: ['--import', new URL('record-modules.js', import.meta.url).href],
    });
    const heavy = /node_modules\/(@tensorflow\/[\w-]+|onnxruntime-node|sharp|@duckdb\/[\w-]+)\//;
    return [
      ...new Set(
        readFileSync(list, 'utf8')
          .split('\n')
          .flatMap((path) => heavy.exec(path)?.[1] ?? []),
      ),
    ];
  };

  it.each([[['--help']], [['list']], [['list', '--json']], [['info', 'engine/eager']], [['compare', '--help']]])(
    '%j: neither TensorFlow.js nor ONNX Runtime',
    async (argv) => {
      expect(await loadedBy(argv)).toEqual([]);
    },
  );

  it('doctor: TensorFlow.js (so this test can fail)', async () => {
    expect(await loadedBy(['doctor'])).toContain('@tensorflow/tfjs-core');
  });
});

it('lists, and warns, where a registry claims a name of another; names both where it is asked for', async () => {
  const place = join(folder, 'clash');
  mkdirSync(join(place, 'eager'), { recursive: true });
  writeFileSync(join(place, 'registry.json'), JSON.stringify({ plugins: { 'engine/eager': './eager' } }));
  writeFileSync(
    join(place, 'eager/plugin.json'),
    JSON.stringify({
      kind: 'engine',
      id: 'eager',
      export: 'eager',
      title: 'Mine',
      options: { type: 'object', additionalProperties: false, properties: {} },
    }),
  );
  const wrong = `[${join(place, 'registry.json')}] engine/eager is ./eager here and @tweedie/core in `;
  const listed = await tweedie(['list'], { cwd: place });
  expect([listed.code, listed.err]).toEqual([0, expect.stringContaining(`Warning: ${wrong}`)]);
  const asked = await tweedie(['info', 'engine/eager'], { cwd: place });
  expect([asked.code, asked.err]).toEqual([2, expect.stringContaining(`Error: ${wrong}`)]);
});

it('lists, and warns, where a registered plugin is gone; names what is wrong with it where it is asked for', async () => {
  const place = join(folder, 'gone');
  mkdirSync(place);
  writeFileSync(join(place, 'registry.json'), JSON.stringify({ plugins: { 'engine/gone': './gone' } }));
  const wrong = `[${join(place, 'registry.json')} /plugins/engine~1gone] the folder ${join(place, 'gone')} has no plugin.json. Correct the path (it is relative to the registry file).\n`;
  const note = `Note: plugins may come from ${join(place, 'registry.json')}, read unasked: --no-local-registry refuses it.\n`;
  const listed = await tweedie(['list', 'engine'], { cwd: place });
  expect(listed).toMatchObject({ code: 0, err: `${note}Warning: ${wrong}` });
  expect(listed.out).toContain('eager');
  expect(await tweedie(['info', 'gone'], { cwd: place })).toEqual({
    code: 2,
    out: '',
    err: `${note}Error: ${wrong}`,
  });
  expect((await tweedie(['doctor'], { cwd: place })).out).toContain(`broken  plugins: ${wrong.trim()}`);
});

it("runs a stranger's plugin from a folder where nothing is installed", async () => {
  const mine = join(folder, 'mine');
  mkdirSync(join(mine, 'engine-slow/src'), { recursive: true });
  writeFileSync(join(mine, 'registry.json'), JSON.stringify({ plugins: { 'engine/slow': './engine-slow' } }));
  writeFileSync(
    join(mine, 'engine-slow/plugin.json'),
    JSON.stringify({
      kind: 'engine',
      id: 'slow',
      export: 'slow',
      title: 'Slow',
      options: { type: 'object', additionalProperties: false, properties: {} },
    }),
  );
  writeFileSync(
    join(mine, 'engine-slow/package.json'),
    JSON.stringify({ name: 'engine-slow', version: '0.0.1', type: 'module' }),
  );
  writeFileSync(
    join(mine, 'engine-slow/src/index.ts'),
    `import { eagerEngine, type EngineFactory } from '@tweedie/core';
     export const slow: EngineFactory<object> = () => ({ ...eagerEngine(), facts: { speed: 'slow' } });`,
  );
  expect((await tweedie(['list', 'engine', '--json'], { cwd: mine })).out).toContain('"slow"');
  expect((await tweedie(['doctor'], { cwd: mine })).out).toContain('ok      engine slow: speed slow');
});

it('prints plugin, file and line at once where the code of a plugin fails', async () => {
  const own = join(folder, 'failing');
  mkdirSync(join(own, 'undef'), { recursive: true });
  const file = (name: string, text: string) => writeFileSync(join(own, name), text);
  file('registry.json', '{ "plugins": { "operator/undef": "./undef" } }');
  const options = { type: 'object', additionalProperties: false, properties: {} };
  const manifest = {
    kind: 'operator',
    id: 'undef',
    export: 'undef',
    title: 'u',
    options,
    provides: ['operator.gradient'],
  };
  file('undef/plugin.json', JSON.stringify(manifest));
  file('undef/package.json', '{ "name": "undef", "type": "module", "exports": "./index.ts" }');
  file(
    'undef/index.ts',
    'export const undef = () => ({ linear: false, measurementShape: [4, 4, 3], draw: () => ({}),\n  forward: (x) => tf.square(x) });',
  );
  file(
    'recipe.yaml',
    'model: { id: gmm, options: { shape: [4, 4, 3], smooth: { length: 2, std: 0.5 } } }\nimages: { from: prior, count: 1 }\n' +
      'operators: [ undef ]\nsigmaY: 0.1\nmethods: [ dps ]\nscheduler: { id: ddim, options: { steps: 2 } }\nmetrics: []\n',
  );
  const { code, err } = await tweedie(['compare', 'recipe.yaml'], { cwd: own });
  expect(err).toContain(
    `Error: tf is not defined\nIt comes from operator/undef, at ${join('undef', 'index.ts')}:2. DEBUG=tweedie shows the whole stack.\n`,
  );
  expect(code).toBe(1);
});

it('ends quietly where nobody reads its output, and where the working folder is gone', () => {
  const shell = (script: string) =>
    spawnSync('bash', ['-o', 'pipefail', '-c', script], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, T: binary },
    });
  expect(shell('node "$T" list | head -c 0')).toMatchObject({ status: 0, stderr: '' });
  expect(shell('mkdir left && cd left && rmdir ../left && exec node "$T" list')).toMatchObject({
    status: 2,
    stderr: 'Error: the working folder does not exist any more. Change to another one and run the command again.\n',
  });
});

it('refuses a pipe, a device and a negative seed', async () => {
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const remedy = 'a file is wanted. Write its content to a file and name that.\n';
  const run = async (...argv: string[]) => (await tweedie(argv, { cwd: folder })).err;
  expect(await run('compare', 'pipe')).toBe(`Error: [pipe] is a pipe, ${remedy}`);
  const restore = (path: string) => run('restore', path, '--operator', 'identity');
  expect(await restore('pipe')).toBe(`Error: [${join(folder, 'pipe')}] is a pipe, ${remedy}`);
  expect(await restore('/dev/zero')).toBe(`Error: [/dev/zero] is a device, ${remedy}`);
  expect(await run('restore', 'x.png', '--seed', '-1')).toContain('greater than or equal to 0 but received: -1');
});

it('keeps nothing that it has translated in the temporary folder, which others may write', async () => {
  const temporary = join(folder, 'temporary');
  mkdirSync(temporary);
  expect((await tweedie(['list', 'engine'], { env: { TMPDIR: temporary, TSX_DISABLE_CACHE: undefined } })).code).toBe(
    0,
  );
  expect(readdirSync(temporary)).toEqual([]);
});

it('info shows what tune searches', async () => {
  expect((await tweedie(['info', 'guidance/dps'])).out).toMatch(
    /TUNABLE \(what tweedie tune searches\)\n {2}scale {3}\S+ to \S+ {3}log\n/,
  );
});

it('report names the nearest run', async () => {
  const run = join(folder, 'runs', 'photos-1a2b3c4d');
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'run.json'), JSON.stringify({ title: 'photos' }));
  expect((await tweedie(['report', 'runs/photos'], { cwd: folder })).err).toBe(
    'Error: [runs/photos] does not exist. Did you mean "runs/photos-1a2b3c4d"?\n',
  );
});
