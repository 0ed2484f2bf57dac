/**
 * A registry of npm on loopback, for rehearsals: it holds what is published to it, in memory, and passes every other
 * request on to the registry of this machine. Nothing leaves the machine but those.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';

const readBody = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** Starts the registry. Gives its address, `publish` and `close`. */
export const startRegistry = async (upstream) => {
  /** The documents of packages by name, and tarballs by path. */
  const documents = new Map();
  const tarballs = new Map();
  let origin = '';

  /** Takes one version of a package: its package.json and its tarball. */
  const publish = (own, tarball) => {
    const { name, version } = own;
    const path = `/${name}/-/${name.split('/').at(-1)}-${version}.tgz`;
    const document = documents.get(name) ?? { name, versions: {}, 'dist-tags': {}, time: {} };
    if (document.versions[version] !== undefined) return false;
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const shasum = createHash('sha1').update(tarball).digest('hex');
    document.versions[version] = {
      ...own,
      _id: `${name}@${version}`,
      dist: { tarball: origin + path, integrity, shasum },
    };
    document['dist-tags'].latest = version;
    documents.set(name, document);
    tarballs.set(path, tarball);
    return true;
  };

  const answer = async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, origin).pathname);
    const document = documents.get(path.slice(1));
    if (request.method === 'PUT' && !path.startsWith('/-/')) {
      const { versions, _attachments } = JSON.parse((await readBody(request)).toString());
      const [attached] = Object.values(_attachments);
      const [own] = Object.values(versions);
      const taken = publish(own, Buffer.from(attached.data, 'base64'));
      response.writeHead(taken ? 201 : 409, { 'content-type': 'application/json' }).end('{}');
    } else if (document !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
    } else if (tarballs.has(path)) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(tarballs.get(path));
    } else if (path.startsWith('/@tweedie/') || path === '/tweedie' || request.method !== 'GET') {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
    } else {
      const { accept = '*/*' } = request.headers;
      const got = await fetch(new URL(request.url.slice(1), upstream), { headers: { accept } });
      response.writeHead(got.status, { 'content-type': got.headers.get('content-type') ?? 'application/json' });
      if (got.body === null) response.end();
      else
        Readable.fromWeb(got.body)
          .on('error', () => response.destroy())
          .pipe(response);
    }
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      if (!response.headersSent) response.writeHead(502);
      response.end(String(error));
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
  return { origin, publish, names: () => [...documents.keys()], close: () => server.close() };
};
