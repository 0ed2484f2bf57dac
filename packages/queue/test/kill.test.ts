import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { keyedRandom } from '@tweedie/core';
import { compare } from '@tweedie/experiments';
import { drawOnQueue, queueStatus } from '../src/index.ts';
import { contentOf, endAll, recipe, startsOf, tweedie, until, type Machine } from './machines.ts';
import { absent, linkTo, startRedis } from './servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-queue-kill-'));
/** Long enough that a process can be ended in the middle of a chunk. */
const long = recipe(200);
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  endAll();
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** The results in a store, by name. */
const objectsIn = (store: string): ReadonlyMap<string, Buffer> => {
  const results = join(store, 'results');
  const names = existsSync(results) ? readdirSync(results).filter((name) => !name.endsWith('.part')) : [];
  return new Map(names.map((name) => [name, readFileSync(join(results, name))]));
};

describe.skipIf(absent.redis !== undefined)('a run on a queue', () => {
  it('loses nothing to kill -9 of workers and of its own command, a restart of Redis, a cut link and a double lease', async () => {
    const file = join(folder, 'recipe.json');
    writeFileSync(file, JSON.stringify(long));
    await compare({ recipe: long, out: join(folder, 'local') });
    const redis = await startRedis();
    closing.push(redis.stop);
    const link = await linkTo(redis.port);
    closing.push(link.close);
    const [out, store] = [join(folder, 'run'), join(folder, 'store')];
    const through = `redis://127.0.0.1:${link.port}`;

    const machines: Machine[] = [];
    const add = (machine: Machine): Machine => {
      machines.push(machine);
      return machine;
    };
    const worker = (url = redis.url): Machine => add(tweedie(['work', url, '--workers', '1', '--lock', '2']));
    const command = (): Machine =>
      add(tweedie(['compare', file, '--out', out, '--queue', redis.url, '--store', store]));
    const stored = (): number => objectsIn(store).size;
    const activeOf = async () => (await queueStatus(redis.url))[0]?.active ?? [];
    /** Waits until a worker draws, and gives it. */
    const atWork = async (): Promise<Machine> => {
      let found: Machine | undefined;
      await until(
        'a worker draws',
        async () => {
          const pids = (await activeOf()).map(({ worker: name }) => Number(name.split(':')[1]));
          found = machines.find(({ process: { pid } }) => pids.includes(pid ?? 0));
          return found !== undefined;
        },
        machines,
      );
      return found!;
    };
    const more = keyedRandom('kills of a queue').permutation('which', 4);

    let comparing = command();
    worker();
    worker(through);
    // A worker dies with a chunk in hand, twice; another takes its place.
    for (let kills = 0; kills < 2; kills++) {
      await (await atWork()).kill();
      worker(more[kills]! % 2 === 0 ? redis.url : through);
    }
    // Redis ends without warning and comes back with what it had.
    await until('something is stored', () => stored() > 0, machines);
    await redis.restart();
    // A worker hangs with its chunk, which another one gets; then it goes on, and both end it.
    const hanging = await atWork();
    const chunks = (await activeOf()).filter(({ worker: name }) => name.endsWith(`:${hanging.process.pid}`));
    hanging.process.kill('SIGSTOP');
    await until(
      'its chunk is taken from it',
      async () =>
        !(await activeOf()).some(({ worker: name, chunk }) =>
          chunks.some((one) => one.worker === name && one.chunk === chunk),
        ),
      machines,
    );
    hanging.process.kill('SIGCONT');
    // The command that compares dies; what it and the store have by then stays as it is.
    await until(
      'something is in the run folder',
      async () => existsSync(join(out, 'results.duckdb')) && (await startsOf(out)).size > 0,
      machines,
    );
    await comparing.kill();
    const [before, objects] = [await startsOf(out), objectsIn(store)];
    comparing = command();
    // The link of some workers is down for a while.
    link.cut();
    const there = stored();
    await until('others go on', () => stored() > there || stored() === 9, machines);
    await link.mend();

    expect([await comparing.ended(), comparing.log()]).toEqual([1, expect.stringContaining('Report: ')]);
    expect(await contentOf(out)).toEqual(await contentOf(join(folder, 'local')));
    const after = await startsOf(out);
    for (const [key, started] of before) expect(after.get(key)).toEqual(started);
    const last = objectsIn(store);
    for (const [name, bytes] of objects) expect(last.get(name)?.equals(bytes), name).toBe(true);
    expect(await queueStatus(redis.url)).toEqual([]);
    expect(stored()).toBe(9);
  });

  it('goes on where the server forgot everything', async () => {
    const redis = await startRedis('--appendonly', 'no');
    closing.push(redis.stop);
    const file = join(folder, 'small.json');
    writeFileSync(file, JSON.stringify(recipe(20)));
    const out = join(folder, 'forgotten');
    const comparing = tweedie(['compare', file, '--out', out, '--queue', redis.url]);
    await until('it is announced', async () => (await queueStatus(redis.url)).length === 1, [comparing]);
    await redis.restart();
    const worker = tweedie(['work', redis.url, '--workers', '1', '--lock', '2']);
    expect([await comparing.ended(), comparing.log(), worker.log()]).toEqual([
      1,
      expect.stringContaining('Report: '),
      expect.any(String),
    ]);
    await worker.kill();
  });

  it('has the failure of a chunk whose process dies twice, goes on, and draws it again the next time', async () => {
    const redis = await startRedis();
    closing.push(redis.stop);
    const mended = join(folder, 'mended');
    const code = `import { existsSync } from 'node:fs';
export const plugin = {
  manifest: {
    kind: 'guidance', id: 'dies', title: 'A test of workers',
    options: { type: 'object', additionalProperties: false, properties: {} },
  },
  factory: () => ({
    bind: () => ({
      step: async (xt, step) => {
        if (step.index === 6 && !existsSync('${mended}')) process.kill(process.pid, 'SIGKILL');
        return { state: xt.clone() };
      },
    }),
  }),
};
`;
    writeFileSync(join(folder, 'dies.mjs'), code);
    // The same plugin with other code, as another machine may have it.
    const other = mkdtempSync(join(folder, 'other-'));
    writeFileSync(join(other, 'dies.mjs'), `${code}// Another version.\n`);
    const small = recipe(20);
    const dying = {
      ...small,
      folder,
      methods: ['./dies.mjs', 'exact'],
      images: { from: 'prior', count: 2 },
    } as const;
    const messages: string[] = [];
    const run = async () => {
      const elsewhere = drawOnQueue({ queue: redis.url });
      const onProgress = ({ message }: { readonly message?: string }): void => void messages.push(message ?? '');
      const { failures, rows } = (await compare({ recipe: dying, out: join(folder, 'dying'), elsewhere, onProgress }))
        .json;
      return { failures, labels: rows.map(({ label }) => label) };
    };
    const running = run();
    const outdated = tweedie(['work', redis.url, '--folder', other, '--lock', '2']);
    const refusal =
      /would have other numbers on this machine: guidance\/dies: code [0-9a-f]{12} here, code [0-9a-f]{12} there\. Bring both to the same version and the same plugins: nothing says which of the two is newer\./;
    await until('a worker with other code refuses', () => refusal.test(outdated.log()), [outdated]);
    await until('that is told', () =>
      messages.some((text) => /^worker \S+ takes no part: /.test(text) && refusal.test(text)),
    );
    await outdated.kill();
    const worker = tweedie(['work', redis.url, '--workers', '1', '--lock', '2']);
    const first = await running;
    expect(first.labels).toEqual(['exact']);
    expect(first.failures).toHaveLength(2);
    for (const { reason } of first.failures)
      expect(reason).toMatch(
        /^its process ended twice: the last time by SIGKILL (after step \d+ of 20, with [\d.]+ GB of memory|before its first step)$/,
      );
    writeFileSync(mended, '');
    const second = await run();
    expect(second).toEqual({ failures: [], labels: ['dies', 'exact'] });
    await worker.kill();
  });
});
