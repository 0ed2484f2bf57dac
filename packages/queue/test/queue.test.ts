import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import S3rver from 's3rver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare, type Comparison } from '@tweedie/experiments';
import { benchQueue, benchWorkers, cancelRun, checkQueue, checkStore, drawOnQueue, queueStatus } from '../src/index.ts';
import { contentOf, endAll, recipe, tweedie, until, type Machine } from './machines.ts';
import { absent, startPostgres, startRedis, type TestServer } from './servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-queue-'));
const small = recipe(20);
const secret = 'the-secret';
/** One chunk at a time; with a short lock a worker looks around often. */
const one = ['--workers', '1', '--lock', '2'];

let s3: S3rver;
let local: readonly unknown[];
let localTable: Comparison['json'];
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 's3'),
    configureBuckets: [{ name: 'results', configs: [] }],
  });
  const { port } = await s3.run();
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
  });
  localTable = (await compare({ recipe: small, out: join(folder, 'local') })).json;
  local = await contentOf(join(folder, 'local'));
});
afterAll(async () => {
  endAll();
  for (const close of closing) await close();
  await s3.close();
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_ENDPOINT_URL_S3']) delete process.env[name];
  rmSync(folder, { recursive: true, force: true });
});

/** What a table says, without times and places. */
const tableOf = ({ rows, misfit, failures, outcome }: Comparison['json']) => ({ rows, misfit, failures, outcome });

/** Compares on a queue, and sees that nothing but the place differs from the run on this machine. */
const sameThrough = async (queue: string, name: string, store?: string, machines: readonly Machine[] = []) => {
  const out = join(folder, name);
  const messages: string[] = [];
  const { json } = await compare({
    recipe: small,
    out,
    elsewhere: drawOnQueue({ queue, store }),
    onProgress: ({ message }) => void (message !== undefined && messages.push(message)),
    signal: AbortSignal.timeout(100_000),
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${machines.map((machine) => machine.log()).join('\n---\n')}`);
  });
  expect(tableOf(json)).toEqual(tableOf(localTable));
  expect(await contentOf(out)).toEqual(local);
  return { out, messages };
};

/** Every file below a folder, as text. */
const textsIn = (place: string): string =>
  readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');

describe.skipIf(absent.redis !== undefined)('a comparison on Redis with three workers', () => {
  let redis: TestServer;
  let url: string;
  let workers: readonly Machine[];

  beforeAll(async () => {
    redis = await startRedis('--requirepass', secret);
    closing.push(redis.stop);
    url = redis.url.replace('//', `//:${secret}@`);
    // One knows the password from its URL, the others from the environment.
    workers = [
      tweedie(['work', url, ...one]),
      ...[1, 2].map(() => tweedie(['work', redis.url, ...one], { TWEEDIE_QUEUE_PASSWORD: secret })),
    ];
  });

  it('has the bits of one on this machine, and leaves nothing at the queue', async () => {
    const { out, messages } = await sameThrough(url, 'redis', undefined, workers);
    expect(messages).toContainEqual(
      expect.stringMatching(
        new RegExp(`^run [0-9a-f]{12}: 9 chunks wait at ${redis.url}; on each machine: tweedie work ${redis.url}$`),
      ),
    );
    expect(existsSync(join(out, 'chunks'))).toBe(false);
    expect(await queueStatus(url)).toEqual([]);
    await until('all have taken part', () => workers.every((worker) => worker.log().includes('left')), workers);
  });

  it('has them through a bucket', () => sameThrough(url, 's3', 's3://results/some/prefix', workers));

  it('has them through HTTP, where machines share nothing', () =>
    sameThrough(url, 'http', 'http://127.0.0.1:0', workers));

  it('takes what the store of another run has, without workers', async () => {
    const store = join(folder, 'shared');
    await sameThrough(url, 'first', store, workers);
    for (const worker of workers) await worker.kill();
    const { messages } = await sameThrough(url, 'second', store);
    expect(messages).toContainEqual(expect.stringContaining(': 0 chunks wait at '));
  });

  it('is shown, and ends where it is cancelled; credentials stand nowhere', async () => {
    const out = join(folder, 'cancelled');
    writeFileSync(join(folder, 'recipe.json'), JSON.stringify(small));
    const command = tweedie(['compare', join(folder, 'recipe.json'), '--out', out, '--queue', url]);
    await until('it is announced', async () => (await queueStatus(url)).length === 1, [command]);
    const [status] = await queueStatus(url);
    expect(status).toMatchObject({ chunks: 9, done: 0, waiting: 9, active: [], cancelled: false, compared: true });
    await cancelRun(url, status!.run.slice(0, 6));
    expect(await command.ended()).toBe(130);
    expect(await queueStatus(url)).toEqual([]);
    expect(command.log()).toContain(
      'Cancelled by tweedie cancel. What had finished is kept; the same command goes on.',
    );
    expect([command.log(), ...workers.map((worker) => worker.log())].join('\n')).not.toContain(secret);
    for (const name of ['redis', 'cancelled']) expect(textsIn(join(folder, name))).not.toContain(secret);
  });

  it('costs little for each chunk, however many there are', async () => {
    const { rows } = await benchQueue(url, [250, 1000], () => undefined);
    const [few, many] = rows;
    expect([few!.chunks, many!.chunks]).toEqual([250, 1000]);
    expect(many!.cpuPerChunk).toBeLessThan(5);
    // Were each chunk to cost in proportion to their number it would be four times as much.
    expect(many!.cpuPerChunk).toBeLessThan(3 * few!.cpuPerChunk);
    expect(many!.megabytes).toBeLessThan(5);
    expect(await queueStatus(url)).toEqual([]);
  });

  it('is the same for many workers, each of which has two connections', async () => {
    const { rows } = await benchWorkers(url, [2, 20], () => undefined, 500);
    expect(rows.map(({ workers, chunks, connections }) => [workers, chunks, connections])).toEqual([
      [2, 2000, 4],
      [20, 2000, 40],
    ]);
    for (const { serverPerChunk, idle } of rows) {
      expect(serverPerChunk).toBeLessThan(2);
      expect(idle).toBeLessThan(0.5);
    }
    expect(await queueStatus(url)).toEqual([]);
  });

  it('is checked by doctor, which says what a server lacks', async () => {
    expect(await checkQueue(url)).toMatch(
      /^redis:\/\/127\.0\.0\.1:\d+, Redis 7\.\d+\.\d+, noeviction, kept on disk, clocks agree to \d+ ms, connections for \d{4} workers more \(maxclients \d{4,}\)$/,
    );
    await expect(checkQueue(redis.url)).rejects.toThrow(
      /NOAUTH.*Give user and password in the URL, or the password in TWEEDIE_QUEUE_PASSWORD\.$/,
    );
    const careless = await startRedis('--maxmemory-policy', 'allkeys-lru');
    await expect(checkQueue(careless.url)).rejects.toThrow(
      'its maxmemory-policy is allkeys-lru: where its memory is full it forgets chunks that wait. Say redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf.',
    );
    await careless.stop();
    await expect(checkQueue(careless.url)).rejects.toThrow(
      `[${careless.url}] cannot be reached: connect ECONNREFUSED 127.0.0.1:${careless.port}. Start Redis there, or correct the address.`,
    );
    const forgetful = await startRedis('--appendonly', 'no');
    await expect(checkQueue(forgetful.url)).rejects.toThrow('keeps nothing on disk');
    await forgetful.stop();
    expect(await checkStore('s3://results/some/prefix')).toBe('s3://results/some/prefix takes and gives objects');
  });
});

describe.skipIf(absent.postgres !== undefined)('a comparison on PostgreSQL', () => {
  it('has the bits of one on this machine', async () => {
    const postgres = await startPostgres();
    closing.push(postgres.stop);
    const worker = tweedie(['work', postgres.url, ...one]);
    await sameThrough(postgres.url, 'postgres', undefined, [worker]);
    expect(await checkQueue(postgres.url)).toMatch(/^postgres:\/\/127\.0\.0\.1:\d+\/postgres, PostgreSQL 1\d/);
    expect(await queueStatus(postgres.url)).toEqual([]);
    await worker.kill();
  });
});
