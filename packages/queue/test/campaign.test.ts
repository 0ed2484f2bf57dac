/**
 * `npm run campaign`: what is too long for CI. Two machines in network namespaces draw a run, with locks as they are
 * used, while twenty processes are ended without warning. Root and iproute2 are needed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { keyedRandom } from '@tweedie/core';
import { compare } from '@tweedie/experiments';
import { afterAll, describe, expect, it } from 'vitest';
import { contentOf, endAll, recipe, startsOf, tweedie, type Machine } from './machines.ts';
import { startRedis } from './servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-campaign-'));
/** The address that both machines see this one by. */
const HERE = '10.77.0.1';
const ip = (...args: readonly string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });

/** A machine of its own network, and what a command starts with there. */
const machineOf = (number: number): { readonly within: readonly string[]; remove(): void } => {
  const name = `tweedie-${process.pid}-${number}`;
  const [near, far] = [`tw${process.pid % 10000}n${number}`, `tw${process.pid % 10000}f${number}`];
  ip('netns', 'add', name);
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far);
  ip('link', 'set', far, 'netns', name);
  ip('addr', 'add', `10.77.${number}.1/24`, 'dev', near);
  ip('link', 'set', near, 'up');
  ip('-n', name, 'addr', 'add', `10.77.${number}.2/24`, 'dev', far);
  ip('-n', name, 'link', 'set', far, 'up');
  ip('-n', name, 'link', 'set', 'lo', 'up');
  ip('-n', name, 'route', 'add', 'default', 'via', `10.77.${number}.1`);
  return { within: ['ip', 'netns', 'exec', name], remove: () => ip('netns', 'del', name) };
};

const KILLS = 20;
const images = 150;

describe.runIf(process.env['TWEEDIE_CAMPAIGN'] === '1')('a campaign', () => {
  const closing: (() => unknown)[] = [];
  afterAll(async () => {
    endAll();
    for (const close of closing.reverse()) await close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('loses nothing to twenty ends without warning, with locks as they are used', { timeout: 3_600_000 }, async () => {
    const long = { ...recipe(1000), images: { from: 'prior', count: images } } as const;
    const file = join(folder, 'recipe.json');
    writeFileSync(file, JSON.stringify(long));
    const [out, store] = [join(folder, 'run'), `http://${HERE}:7499`];
    await compare({ recipe: long, out: join(folder, 'local') });

    ip('addr', 'add', `${HERE}/32`, 'dev', 'lo');
    closing.push(() => ip('addr', 'del', `${HERE}/32`, 'dev', 'lo'));
    const machines = [1, 2].map(machineOf);
    for (const { remove } of machines) closing.push(remove);
    const redis = await startRedis('--bind', `127.0.0.1 ${HERE}`, '--protected-mode', 'no');
    closing.push(redis.stop);
    const url = `redis://${HERE}:${redis.port}`;

    const worker = (place: number): Machine => tweedie(['work', url, '--workers', '1'], {}, machines[place]!.within);
    const command = (): Machine => tweedie(['compare', file, '--out', out, '--queue', url, '--store', store]);
    const ended = { workers: 0, comparing: 0, redis: 0 };
    const workers = [0, 1, 0, 1].map((place) => ({ place, machine: worker(place) }));
    let comparing = command();
    const seen = new Map<string, Date>();
    const started = performance.now();
    const draws = keyedRandom('campaign').uniform('kills', 3 * KILLS);
    const next = (() => {
      let at = 0;
      return (below: number): number => Math.floor((draws[at++] ?? 0) * below);
    })();
    for (let kill = 0; kill < KILLS; kill++) {
      await pause(2000 + next(5000));
      if (kill % 7 === 5) {
        await redis.restart();
        ended.redis++;
      } else if (kill % 7 === 3) {
        await comparing.kill();
        ended.comparing++;
        if (existsSync(join(out, 'results.duckdb'))) for (const [key, time] of await startsOf(out)) seen.set(key, time);
        comparing = command();
      } else {
        const victim = workers[next(workers.length)]!;
        await victim.machine.kill();
        ended.workers++;
        victim.machine = worker(victim.place);
      }
    }
    const killed = (performance.now() - started) / 1000;
    expect([await comparing.ended(), comparing.log()]).toEqual([1, expect.stringContaining('Report: ')]);
    const seconds = (performance.now() - started) / 1000;

    expect(await contentOf(out)).toEqual(await contentOf(join(folder, 'local')));
    const last = await startsOf(out);
    for (const [key, time] of seen) expect(last.get(key)).toEqual(time);
    const files = readdirSync(join(out, 'samples')).length;
    console.log(
      `${KILLS} ends without warning in ${killed.toFixed(0)} s: ${ended.workers} of workers, ${ended.comparing} of the command that compares, ${ended.redis} of Redis, with locks of 60 s, on two machines in network namespaces. ` +
        `${last.size} cells in ${files} files after ${seconds.toFixed(0)} s, equal to those of a run in one process; none of the ${seen.size} that were stored before the command was ended was drawn again.`,
    );
  });
});
