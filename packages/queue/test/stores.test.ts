import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import S3rver from 's3rver';
import { openOwnStore } from '../src/coordinator-store.ts';
import { bucketObjects } from '../src/stores/bucket-objects.ts';
import { folderObjects } from '../src/stores/folder-objects.ts';
import { httpObjects } from '../src/stores/http-objects.ts';
import { openStoreAt } from '../src/stores/open-store.ts';
import { isKey, seal, sealedStore, unseal, type Objects } from '../src/stores/result-store.ts';
import { serveObjects, type ObjectServer } from '../src/stores/serve-objects.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-stores-'));
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const impatient = { patience: 0 };

let s3: S3rver;
let server: ObjectServer;
let env: NodeJS.ProcessEnv;
let behind: Objects;
const places = new Map<string, Objects>();

beforeAll(async () => {
  const buckets = [{ name: 'results', configs: [] }];
  s3 = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: join(folder, 's3'),
    configureBuckets: buckets,
  });
  const { port } = await s3.run();
  env = {
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
  };
  behind = await folderObjects(join(folder, 'served'));
  server = await serveObjects(behind, 'http://127.0.0.1:0', 'token');
  places.set('folder', await folderObjects(join(folder, 'own')));
  places.set('bucket', await bucketObjects('s3://results/a/prefix', impatient, env));
  places.set('http', httpObjects(server.address, 'token', impatient));
});
afterAll(async () => {
  await server.close();
  await s3.close();
  rmSync(folder, { recursive: true });
});

describe.each(['folder', 'bucket', 'http'])('the store in a %s', (kind) => {
  const objects = (): Objects => places.get(kind)!;

  it('gives back what was put, and nothing where nothing was', async () => {
    const store = sealedStore(objects());
    expect(await store.get('results/none')).toBeUndefined();
    expect(await store.has('results/none')).toBe(false);
    await store.put('results/one', bytes(1, 2, 3));
    await store.put('results/empty', bytes());
    expect([...(await store.get('results/one'))!]).toEqual([1, 2, 3]);
    expect([...(await store.get('results/empty'))!]).toEqual([]);
    expect(await store.has('results/one')).toBe(true);
  });

  it('keeps what is there, and replaces what is damaged', async () => {
    const store = sealedStore(objects());
    await store.put('results/kept', bytes(1));
    await store.put('results/kept', bytes(2));
    expect(kind === 'bucket' ? 1 : [...(await store.get('results/kept'))!][0]).toBe(1);
    // Half of what was stored, as a file system may leave it.
    const under = kind === 'http' ? behind : objects();
    await under.put('results/cut', seal(bytes(1, 2, 3)).subarray(0, 70), true);
    expect(await store.get('results/cut')).toBeUndefined();
    expect(await store.has('results/cut')).toBe(false);
    await store.put('results/cut', bytes(1, 2, 3));
    expect([...(await store.get('results/cut'))!]).toEqual([1, 2, 3]);
  });

  it('lists keys by how they begin', async () => {
    const store = sealedStore(objects());
    const names = Array.from({ length: 12 }, (_, i) => `many/${String(i).padStart(4, '0')}.x`);
    for (const name of names) await store.put(name, bytes(7));
    expect([...(await store.list('many/'))].sort()).toEqual(names);
    expect([...(await store.list('many/001'))].sort()).toEqual(names.slice(10));
    expect(await store.list('none/')).toEqual([]);
  });

  it('takes many writers of one key', async () => {
    const store = sealedStore(objects());
    const content = new Uint8Array(200_000).fill(5);
    await Promise.all(Array.from({ length: 8 }, () => store.put('results/raced', content)));
    expect(await store.get('results/raced')).toEqual(content);
  });
});

describe('a store', () => {
  it('knows that an object is not what was stored by any bit of it', () => {
    const sealed = seal(bytes(1, 2, 3));
    expect([...unseal(sealed)!]).toEqual([1, 2, 3]);
    for (const place of [0, 20, sealed.length - 1]) {
      const wrong = sealed.slice();
      wrong[place]! ^= 1;
      expect(unseal(wrong)).toBeUndefined();
    }
  });

  it('has keys that are no path out of it', () => {
    expect(['results/0a.b', 'plans/abc_d-e'].every(isKey)).toBe(true);
    expect(['', '/etc', '../x', 'a/../b', 'a//b', 'a/.b', 'a b', 'a\\b', 'a/'].some(isKey)).toBe(false);
  });

  it('leaves no file behind that is not whole', async () => {
    const own = join(folder, 'whole');
    const store = await openStoreAt(own, '', impatient);
    await store.put('results/a', bytes(1));
    await store.put('results/a', bytes(1));
    expect(readdirSync(join(own, 'results'))).toEqual(['a']);
    writeFileSync(join(own, 'results', 'b.part'), '');
    expect(await store.list('results/')).toEqual(['results/a']);
    expect(readFileSync(join(own, 'results', 'a'), 'latin1')).toMatch(/^tweedie-object-1 [0-9a-f]{64}\n\u0001$/);
  });

  it('at a coordinator takes only who has the token, and only what arrived whole', async () => {
    await expect(sealedStore(httpObjects(server.address, 'other', impatient)).has('results/one')).rejects.toThrow(
      `[${server.address}] refuses a request: 401 this is not the token of this run. Another run answers at this address by now: give each its own port.`,
    );
    await expect(httpObjects(server.address, 'token', impatient).put('results/x', bytes(1), false)).rejects.toThrow(
      '422 its checksum is not that of its content.',
    );
    for (const path of ['..%2f..%2fetc%2fpasswd', 'a/%2e%2e/b', 'results/a?replace&x=..']) {
      const headers = { authorization: 'Bearer token' };
      const { status } = await fetch(`${server.address}/${path}`, { headers });
      expect([400, 404, 200]).toContain(status);
      expect(status === 200).toBe(false);
    }
  });

  it('at a coordinator has one token until the run is finished, for workers outlive the command', async () => {
    const run = mkdtempSync(join(folder, 'run-'));
    const open = () => openOwnStore(run, 'http://127.0.0.1:0', {});
    const tokens: string[] = [];
    for (const finished of [false, true]) {
      const own = await open();
      tokens.push(own.token);
      expect(await openStoreAt(own.address, tokens[0] ?? '', {}).then((store) => store.list('results/'))).toEqual([]);
      await own.close(finished);
    }
    expect(tokens[1]).toBe(tokens[0]);
    const next = await open();
    expect(next.token).not.toBe(tokens[0]);
    await next.close(true);
    expect(readdirSync(run)).toEqual([]);
  });

  it('that does not answer is waited for, then named with what to do', async () => {
    const waits: string[] = [];
    const gone = httpObjects('http://127.0.0.1:1', 'token', { patience: 300, onWait: (text) => waits.push(text) });
    await expect(gone.get('results/a')).rejects.toThrow(
      /^\[http:\/\/127\.0\.0\.1:1\] does not answer: fetch failed .*\. See that it runs and can be reached from here, then run the same command again: what had finished is kept\.$/,
    );
    expect(waits).toHaveLength(1);
  });

  it('in a bucket says what is wrong with bucket and credentials', async () => {
    await expect(bucketObjects('s3://results', impatient, {})).rejects.toThrow(
      '[s3://results] needs credentials, and AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set. Export both.',
    );
    const wrong = await bucketObjects('s3://results', impatient, { ...env, AWS_ACCESS_KEY_ID: 'nobody' });
    await expect(wrong.get('results/a')).rejects.toThrow(
      '[s3://results] refuses a request: 403 InvalidAccessKeyId. See that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong to this bucket, and that they may list, read and write it.',
    );
    const none = await bucketObjects('s3://none', impatient, env);
    await expect(none.get('results/a')).rejects.toThrow('[s3://none] is not there: the bucket does not exist.');
  });

  it('in a bucket is listed page by page, and put once where the server has conditional puts', async () => {
    // S3 as its API reference says; s3rver makes no tokens of pages, and puts without conditions.
    const asked: string[] = [];
    const pages = createServer((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers['if-none-match'] ?? ''}`.trimEnd());
      if (request.method === 'PUT')
        return response.writeHead(412).end('<Error><Code>PreconditionFailed</Code></Error>');
      const last = request.url!.includes('continuation-token=a%26b%2F%3D');
      const keys = last ? ['p/results/c'] : ['p/results/a', 'p/results/b'];
      const more = last ? '' : '<NextContinuationToken>a&amp;b/=</NextContinuationToken>';
      response.end(
        `<ListBucketResult>${keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')}${more}</ListBucketResult>`,
      );
    });
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
    const { port } = pages.address() as AddressInfo;
    try {
      const own = await bucketObjects(`s3://bucket/p?endpoint=http://127.0.0.1:${port}`, impatient, { ...env });
      expect(await own.list('results/')).toEqual(['results/a', 'results/b', 'results/c']);
      expect(await own.put('results/a', bytes(1), false)).toBe(false);
      expect(asked).toEqual([
        'GET /bucket/?list-type=2&prefix=p%2Fresults%2F',
        'GET /bucket/?list-type=2&prefix=p%2Fresults%2F&continuation-token=a%26b%2F%3D',
        'PUT /bucket/p/results/a *',
      ]);
    } finally {
      pages.close();
    }
  });

  it('is named by a folder or an address that is known', async () => {
    await expect(openStoreAt('ftp://user:secret@host/x', '', impatient)).rejects.toThrow(
      '[ftp://host/x] is no store: ftp:// is not known. Give a folder, s3://bucket/prefix or http://host:port.',
    );
  });
});
