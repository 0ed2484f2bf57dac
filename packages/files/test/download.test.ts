import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcp, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledError, type Card } from '@tweedie/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { download, getPublished } from '../src/index.ts';
import { proxyFor } from '../src/http.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tweedie-download-'));
const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + (i >> 9)) & 0xff));
const sha256 = createHash('sha256').update(content).digest('hex');
const expected = { bytes: content.length, sha256 };

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
let handler: Handler = () => undefined;
const seen: IncomingMessage[] = [];
let server: Server;
let base = '';
const began = (served: Server | ReturnType<typeof createTcp>): Promise<number> =>
  new Promise((resolve) => {
    served.listen(0, '127.0.0.1', () => resolve((served.address() as AddressInfo).port));
  });
const proxies = ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]);
const before = Object.fromEntries(proxies.map((name) => [name, process.env[name]]));
const setProxies = (values: Record<string, string | undefined>): void => {
  for (const name of proxies) {
    const value = values[name];
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
};
beforeAll(async () => {
  setProxies({});
  server = createServer((request, response) => {
    seen.push(request);
    handler(request, response);
  });
  base = `http://127.0.0.1:${await began(server)}`;
});
afterEach(() => {
  seen.length = 0;
  setProxies({});
});
afterAll(() => {
  server.close();
  setProxies(before);
  rmSync(scratch, { recursive: true });
});

/** Serves ranges as servers of files do; after `breakAfter` bytes of a response the connection is cut. */
const serve =
  ({ breakAfter = Infinity, etag = '"one"', body = content } = {}): Handler =>
  ({ headers }, response) => {
    const from = headers['if-range'] === etag ? Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0) : 0;
    if (from >= body.length) {
      response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
      return;
    }
    const rest = body.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      etag,
      'content-length': rest.length,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` } : {}),
    });
    if (rest.length <= breakAfter) response.end(rest);
    else response.write(rest.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 20));
  };
let counter = 0;
const place = () => join(scratch, `file-${counter++}`, 'weights.pt');
const partOf = (path: string) => `${path}.part`;

describe('download', () => {
  it('brings a file whole, with its progress, and leaves nothing beside it', async () => {
    handler = serve();
    const path = place();
    const progress: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }) => progress.push(done, total);
    expect(await download(`${base}/weights.pt`, path, expected, { onProgress })).toBe(sha256);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect([progress.at(-2), progress.at(-1)]).toEqual([content.length, content.length]);
    expect([existsSync(partOf(path)), existsSync(`${partOf(path)}.mark`)]).toEqual([false, false]);
  });

  it('goes on after a connection that was cut, with a range, as long as something comes', async () => {
    handler = serve({ breakAfter: 120_000 });
    const path = place();
    expect(await download(`${base}/weights.pt`, path, expected)).toBe(sha256);
    expect(readFileSync(path).equals(content)).toBe(true);
    const ranges = seen.map(({ headers }) => headers.range);
    expect(ranges.length).toBeGreaterThanOrEqual(3);
    expect(ranges[0]).toBeUndefined();
    // Each goes on behind the one before it.
    const begins = ranges.slice(1).map((range) => Number(/(\d+)/.exec(range ?? '')?.[1]));
    expect(begins).toEqual(begins.toSorted((a, b) => a - b));
    expect(begins.at(-1)).toBeGreaterThan(120_000);
  });

  it('goes on at the next call where the server was gone', async () => {
    const path = place();
    let cut = true;
    handler = (request, response) => {
      if (cut) serve({ breakAfter: 100_000 })(request, response);
      else response.destroy();
      cut = false;
    };
    await expect(download(`${base}/weights.pt`, path, expected)).rejects.toThrow(
      /cannot be fetched: .*\. Say the same command again: what came is kept, and it goes on there\.$/,
    );
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(partOf(path)).length).toBe(100_000);
    handler = serve();
    expect(await download(`${base}/weights.pt`, path, expected)).toBe(sha256);
    expect(seen.at(-1)?.headers.range).toBe('bytes=100000-');
  });

  it('begins anew where the server has another version by now', async () => {
    const path = place();
    handler = serve({ breakAfter: 100_000, etag: '"old"', body: Buffer.alloc(300_000, 1) });
    const stop = new AbortController();
    const onProgress = ({ done }: { done: number }) => done >= 100_000 && stop.abort();
    const stopped = download(`${base}/weights.pt`, path, {}, { signal: stop.signal, onProgress });
    await expect(stopped).rejects.toThrow(CancelledError);
    handler = serve();
    expect(await download(`${base}/weights.pt`, path, expected)).toBe(sha256);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('refuses another file by its hash, its size, or as the page that was sent for it, and keeps nothing', async () => {
    const path = place();
    handler = serve({ body: Buffer.concat([content.subarray(0, -1), Buffer.of(1)]) });
    const found = createHash('sha256').update(content.subarray(0, -1)).update(Buffer.of(1)).digest('hex');
    await expect(download(`${base}/weights.pt`, path, expected)).rejects.toThrow(
      `[${base}/weights.pt] has the SHA-256 ${found}, ${sha256} is expected. It is another file, or was damaged on the way`,
    );
    handler = serve({ body: content.subarray(0, 1000) });
    await expect(download(`${base}/weights.pt`, path, expected)).rejects.toThrow(
      'has 1000 bytes, 300000 are expected.',
    );
    handler = serve({ body: Buffer.from('<!DOCTYPE html><html><body>Too many downloads</body></html>') });
    await expect(download(`${base}/weights.pt`, path)).rejects.toThrow(
      'is a page of HTML or XML: the server sent a page (a login, an error) for the file.',
    );
    handler = serve({ body: Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n') });
    await expect(download(`${base}/weights.pt`, path)).rejects.toThrow('is a pointer of Git LFS');
    handler = (_, response) => response.writeHead(404).end();
    await expect(download(`${base}/weights.pt`, path)).rejects.toThrow('the server answers with status 404.');
    expect([path, partOf(path), `${partOf(path)}.mark`].filter((file) => existsSync(file))).toEqual([]);
  });

  it('follows redirects, and no circle of them', async () => {
    handler = (request, response) =>
      request.url === '/there' ? serve()(request, response) : response.writeHead(302, { location: '/there' }).end();
    expect(await download(`${base}/weights.pt`, place(), expected)).toBe(sha256);
    handler = (_, response) => response.writeHead(302, { location: '/weights.pt' }).end();
    await expect(download(`${base}/weights.pt`, place())).rejects.toThrow('leads on for more than 10 times');
  });
});

describe('a proxy of the environment', () => {
  it('is asked for what is not encrypted', async () => {
    setProxies({ http_proxy: base.replace('//', '//me:secret@') });
    handler = serve();
    expect(await download('http://weights.example/a.pt', place(), expected)).toBe(sha256);
    expect(seen[0]?.url).toBe('http://weights.example/a.pt');
    expect(seen[0]?.headers['proxy-authorization']).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`);
  });

  it('is asked to connect to what is encrypted, and says so where it refuses', async () => {
    let greeting: Uint8Array = new Uint8Array();
    const target = createTcp((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (data) => {
        greeting = data;
        socket.destroy();
      });
    });
    const port = await began(target);
    let asked = '';
    server.on('connect', ({ url }, socket) => {
      asked = url ?? '';
      const inner = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        inner.pipe(socket).pipe(inner);
      });
      inner.on('error', () => socket.destroy());
      socket.on('error', () => inner.destroy());
    });
    setProxies({ https_proxy: base });
    await expect(download('https://weights.example/a.pt', place())).rejects.toThrow('cannot be fetched');
    expect(asked).toBe('weights.example:443');
    // A handshake of TLS, with the name of the host in it.
    expect([greeting[0], Buffer.from(greeting).includes('weights.example')]).toEqual([0x16, true]);
    server.removeAllListeners('connect');
    server.on('connect', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
    await expect(download('https://weights.example/a.pt', place())).rejects.toThrow(
      'refuses to connect to weights.example:443: status 403',
    );
    server.removeAllListeners('connect');
    target.close();
  });

  it('is chosen by protocol, and left out for the hosts of no_proxy', () => {
    const env = { https_proxy: 'proxy.example:3128', HTTP_PROXY: 'http://other:1', no_proxy: 'here.org, .inner.net' };
    const of = (address: string) => proxyFor(new URL(address), env)?.href;
    expect(of('https://a.org/x')).toBe('http://proxy.example:3128/');
    expect(of('http://a.org/x')).toBe('http://other:1/');
    expect([of('https://here.org/x'), of('https://a.here.org/'), of('https://b.inner.net/')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(proxyFor(new URL('https://a.org'), {})).toBeUndefined();
  });
});

describe('getPublished', () => {
  const card = (files: Card['files'], id = `card-${counter++}`): Card => ({
    id,
    title: 'A card',
    page: 'https://weights.example/page',
    files,
    licence: 'CC BY-NC 4.0',
    commercial: 'forbidden',
    source: { bibtex: '@misc{a, title={A}}' },
    range: [-1, 1],
    schedule: 'linear',
    options: {},
  });
  const cache = process.env['TWEEDIE_CACHE'];
  beforeAll(() => {
    process.env['TWEEDIE_CACHE'] = join(scratch, 'cache');
  });
  afterAll(() => {
    if (cache === undefined) delete process.env['TWEEDIE_CACHE'];
    else process.env['TWEEDIE_CACHE'] = cache;
  });

  it('brings files into the folder of the card, once, and makes anew what is damaged there', async () => {
    handler = serve();
    const wanted = card([{ name: 'a.pt', url: `${base}/a.pt`, sha256 }]);
    const first = await getPublished(wanted);
    expect(first).toEqual({
      folder: join(scratch, 'cache/checkpoints', wanted.id),
      files: [{ name: 'a.pt', sha256, checked: true, kept: false }],
    });
    expect((await getPublished(wanted)).files[0]?.kept).toBe(true);
    expect(seen.length).toBe(1);
    writeFileSync(join(first.folder, 'a.pt'), 'no weights');
    expect((await getPublished(wanted)).files[0]?.kept).toBe(false);
    expect(readFileSync(join(first.folder, 'a.pt')).equals(content)).toBe(true);
  });

  it('takes what the user has, checked, and says what a person has to do where only a page offers it', async () => {
    const mine = join(scratch, 'mine.pt');
    writeFileSync(mine, content);
    const wanted = card([{ name: 'b.pt', sha256 }]);
    await expect(getPublished(wanted)).rejects.toThrow(
      `[${wanted.id}] b.pt is offered by a page, to a person with a browser. It is published at https://weights.example/page: download b.pt there with a browser, then say npx tweedie checkpoint get ${wanted.id} --from <file>. Its licence forbids commercial use: CC BY-NC 4.0.`,
    );
    expect((await getPublished(wanted, { from: [mine] })).files).toEqual([
      { name: 'b.pt', sha256, checked: true, kept: false },
    ]);
    writeFileSync(mine, '<html>');
    await expect(getPublished(wanted, { from: [mine] })).rejects.toThrow('is a page of HTML or XML');
    await expect(getPublished(wanted, { from: [join(scratch, 'gone.pt')] })).rejects.toThrow('does not exist.');
    expect((await getPublished(wanted)).files[0]?.kept).toBe(true);
  });
});
