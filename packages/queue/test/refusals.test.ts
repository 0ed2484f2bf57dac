import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare, type ExperimentInput } from '@tweedie/experiments';
import { drawOnQueue, queueStatus } from '../src/index.ts';
import { folderObjects } from '../src/stores/folder-objects.ts';
import { encodePng } from '@tweedie/files';
import { endAll, recipe, tweedie, until } from './machines.ts';
import { absent, startRedis, type TestServer } from './servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-queue-refusals-'));
let redis: TestServer;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  if (absent.redis !== undefined) return;
  redis = await startRedis();
  closing.push(redis.stop);
});
afterAll(async () => {
  endAll();
  for (const close of closing) await close();
  rmSync(folder, { recursive: true, force: true });
});

/** A store that shows what is in a folder and takes nothing, and how often it was asked to. */
const refusingStore = async (place: string): Promise<{ readonly url: string; readonly asked: () => number }> => {
  const objects = await folderObjects(place);
  let asked = 0;
  const server: Server = createServer((request, response) => {
    void (async () => {
      request.resume();
      if (request.method === 'PUT') {
        asked++;
        response.writeHead(401).end('this is not the token of this run.');
        return;
      }
      const found = await objects.get((request.url ?? '').slice(1));
      response.writeHead(found ? 200 : 404).end(found);
    })();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked: () => asked };
};

describe.skipIf(absent.redis !== undefined)('a worker', () => {
  it('that the store refuses gives its chunk back untried, leaves the run and says why', async () => {
    const store = join(folder, 'store');
    const [messages, local] = [[] as string[], await compare({ recipe: recipe(20), out: join(folder, 'local') })];
    const running = compare({
      recipe: recipe(20),
      out: join(folder, 'refused'),
      elsewhere: drawOnQueue({ queue: redis.url, store }),
      onProgress: ({ message }) => void (message !== undefined && messages.push(message)),
    });
    await until('it is announced', async () => (await queueStatus(redis.url)).length === 1);
    const refusing = await refusingStore(store);
    const refused = tweedie(['work', redis.url, '--workers', '1', '--lock', '2', '--store', refusing.url]);
    const reason = `[${refusing.url}] refuses a request: 401 this is not the token of this run. Another run answers at this address by now: give each its own port.`;
    await until('the worker says why', () => refused.log().includes(reason), [refused]);
    await until('that is told', () =>
      messages.some((text) => text.startsWith('worker ') && text.endsWith(`takes no part: ${reason}`)),
    );
    expect((await queueStatus(redis.url))[0]).toMatchObject({ done: 0, waiting: 9, failed: 0, active: [] });
    const worker = tweedie(['work', redis.url, '--workers', '1', '--lock', '2']);
    expect((await running).json).toMatchObject({ rows: local.json.rows, failures: local.json.failures });
    // It was asked for one chunk, and took no other one of this run.
    expect(refusing.asked()).toBe(1);
    for (const machine of [refused, worker]) await machine.kill();
  });

  it('with little memory draws the light chunks of a run and says which it leaves; one with more draws these, and what that one had', async () => {
    const sizes = [16, 16, 64] as const;
    mkdirSync(join(folder, 'pictures'));
    for (const [i, size] of sizes.entries()) {
      const pixels = Float32Array.from({ length: 3 * size * size }, (_, place) => Math.sin(place / (i + 3)));
      writeFileSync(join(folder, 'pictures', `${i}.png`), await encodePng(pixels, [size, size, 3]));
    }
    const mixed: ExperimentInput & { readonly folder: string } = {
      folder,
      model: { id: 'photo' },
      images: { dataset: { id: 'folder', options: { path: 'pictures', crop: 'none' } }, count: 3 },
      operators: ['identity'],
      sigmaY: 0.2,
      methods: ['dps', 'none'],
      scheduler: { id: 'ddpm', options: { steps: 2 } },
      metrics: ['psnr'],
      chunk: 100,
    };
    const messages: string[] = [];
    const running = compare({
      recipe: mixed,
      out: join(folder, 'mixed'),
      elsewhere: drawOnQueue({ queue: redis.url }),
      onProgress: ({ message }) => void (message !== undefined && messages.push(message)),
    });
    const waitingOf = async () => (await queueStatus(redis.url))[0]?.needs.map(({ waiting }) => waiting);
    await until('its chunks wait in two queues', async () => String(await waitingOf()) === '2,2');
    const [{ needs } = { needs: [] }] = await queueStatus(redis.url);
    const [heavy = NaN, light = NaN] = needs.map(({ bytes }) => bytes);
    expect(heavy).toBeGreaterThan(2 * light);
    const between = (heavy + light) / 2;
    const small = tweedie(['work', redis.url, '--memory', String(between / 1e9), '--lock', '2']);
    const lack = `takes no chunks that need ${(heavy / 1e9).toPrecision(2)} GB of memory, for those here may take ${(between / 1e9).toPrecision(2)} GB (--memory says otherwise)`;
    await until('a light chunk is done', async () => ((await queueStatus(redis.url))[0]?.done ?? 0) > 0, [small]);
    expect(small.log()).toContain(lack);
    await until('that is told', () => messages.some((text) => text.startsWith('worker ') && text.endsWith(lack)));
    // It may have the second one in hand.
    await small.kill();
    const status = tweedie(['status', redis.url]);
    await status.ended();
    expect(status.log()).toContain(
      `  2 of those that wait need ${(heavy / 1e9).toPrecision(2)} GB of memory for each, and no worker is at one\n`,
    );
    const large = tweedie(['work', redis.url, '--memory', String((2 * heavy) / 1e9), '--lock', '2']);
    expect((await running).json).toMatchObject({ failures: [], rows: [{ label: 'dps' }, { label: 'none' }] });
    await large.kill();
  });
});
