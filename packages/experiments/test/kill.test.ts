import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { keyedRandom } from '@tweedie/core';
import { compare, openStore, type Cell, type ExperimentInput } from '../src/index.ts';

const recipe: ExperimentInput = {
  model: {
    id: 'gmm',
    options: {
      shape: [1, 2, 1],
      means: [
        [-1, 0],
        [1, 0],
      ],
      variances: [0.1, 0.2],
    },
  },
  images: { from: 'prior', count: 6 },
  operators: ['identity'],
  sigmaY: 0.2,
  methods: ['none', 'exact', 'dps'],
  scheduler: { id: 'ddpm', options: { steps: 20 } },
  engine: 'eager',
  chunk: 2,
};
/** Three rows of three chunks of twenty steps. */
const EVENTS = 3 * 3 * 20;

const child = fileURLToPath(new URL('compare-child.ts', import.meta.url));

/** Runs until `events` sampling events have been seen, then kills without warning; gives all that it printed. */
const run = (out: string, events = Infinity): Promise<string> =>
  new Promise((resolve, reject) => {
    const options = ['--conditions=@tweedie/source', '--import', import.meta.resolve('tsx')];
    const started = spawn(process.execPath, [...options, child, JSON.stringify({ recipe, out })], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const take = (text: Buffer): void => {
      output += text.toString();
      if (output.split('sampling').length - 1 >= events) started.kill('SIGKILL');
    };
    started.stdout.on('data', take);
    started.stderr.on('data', take);
    started.on('error', reject);
    started.on('close', () => resolve(output));
  });

const cellsOf = async (folder: string): Promise<Map<string, Cell>> => {
  const store = await openStore(folder);
  const cells = await store.cells();
  store.close();
  return cells;
};

it('survives kill -9 twice, at random times, and loses nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-kill-'));
  const out = join(folder, 'killed');
  const [first = 0, second = 0] = keyedRandom('kill test').uniform('when', 2);

  // Some chunk is done by then, and some are left after both.
  expect(await run(out, 25 + Math.floor((first * EVENTS) / 4))).not.toContain('finished');
  const once = await cellsOf(out);
  expect(once.size).toBeGreaterThan(0);
  expect(await run(out, 25 + Math.floor((second * EVENTS) / 4))).not.toContain('finished');
  const twice = await cellsOf(out);
  expect(twice.size).toBeGreaterThan(once.size);

  expect(await run(out)).toContain('finished');
  const last = await cellsOf(out);
  expect(last.size).toBe(3 * 6);
  for (const before of [once, twice]) {
    for (const [key, { sampleHash, started }] of before) expect(last.get(key)).toMatchObject({ sampleHash, started });
  }

  const whole = await compare({ recipe, out: join(folder, 'whole') });
  const resumed = await compare({ recipe, out });
  expect(resumed.json.rows).toEqual(whole.json.rows);
  expect(
    [...(await cellsOf(join(folder, 'whole'))).values()].map(({ key, sampleHash }) => [key, sampleHash]).sort(),
  ).toEqual([...last.values()].map(({ key, sampleHash }) => [key, sampleHash]).sort());
}, 300_000);

it('lets only one process at a time into a run folder', async () => {
  const out = join(mkdtempSync(join(tmpdir(), 'tweedie-kill-')), 'run');
  const store = await openStore(out);
  try {
    expect(await run(out)).toMatch(
      new RegExp(`ConfigError: \\[.*run\\] another process \\(PID ${process.pid}\\) is using this run folder`),
    );
  } finally {
    store.close();
  }
});
