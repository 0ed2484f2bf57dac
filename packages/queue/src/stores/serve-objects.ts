import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError, messageOf } from '@tweedie/core';
import { isKey, unseal, type Objects } from './result-store.ts';

/** The most bytes of one object: 100 samples of a picture of 1024 x 768 in one chunk are 0.9 GB. */
const LARGEST = 1e9;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A request that cannot be answered, with the status that says why. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const bodyOf = async (request: IncomingMessage): Promise<Uint8Array> => {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > LARGEST) throw new Refusal(413, 'too large.');
    parts.push(part);
  }
  return Buffer.concat(parts);
};

type Answer = { readonly status: number; readonly body?: Uint8Array | string };

const answerTo = async (objects: Objects, request: IncomingMessage): Promise<Answer> => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://coordinator');
  const prefix = searchParams.get('prefix');
  if (request.method === 'GET' && pathname === '/' && prefix !== null)
    return { status: 200, body: JSON.stringify(await objects.list(prefix)) };
  const key = pathname.slice(1);
  if (!isKey(key)) throw new Refusal(400, 'this is no key.');
  if (request.method === 'GET') {
    const found = await objects.get(key);
    return found === undefined ? { status: 404 } : { status: 200, body: found };
  }
  if (request.method !== 'PUT') throw new Refusal(405, 'GET and PUT only.');
  const body = await bodyOf(request);
  // Half an upload, or one that was changed on its way, is none.
  if (unseal(body) === undefined) throw new Refusal(422, 'its checksum is not that of its content.');
  const stored = await objects.put(key, body, searchParams.has('replace'));
  return { status: stored ? 201 : 200 };
};

export type ObjectServer = { readonly address: string; close(): Promise<void> };

/** Where a server listens, from `http://host:port`; port 0 is any that is free. */
const listenAddress = (address: string): { readonly host: string; readonly port: number } => {
  const { protocol, hostname, port } = new URL(address);
  if (protocol !== 'http:')
    throw new ConfigError(
      address,
      'cannot be served: only http is.',
      'Give http://host:port, and put a proxy with a certificate before it where the network is not yours.',
    );
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) };
};

/** Serves objects over HTTP to whoever knows the token, at the host and port of an address. */
export const serveObjects = async (objects: Objects, address: string, token: string): Promise<ObjectServer> => {
  const { host, port } = listenAddress(address);
  const wanted = digest(`Bearer ${token}`);
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let found: Answer;
    try {
      if (!timingSafeEqual(digest(request.headers.authorization ?? ''), wanted))
        throw new Refusal(401, 'this is not the token of this run.');
      found = await answerTo(objects, request);
    } catch (error) {
      found = { status: error instanceof Refusal ? error.status : 500, body: messageOf(error) };
      request.resume();
    }
    response.writeHead(found.status).end(found.body);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => resolve());
  }).catch((error: unknown) => {
    throw new ConfigError(
      address,
      `cannot be listened at: ${messageOf(error)}.`,
      'Give the name or address of this machine as workers see it, and a port that is free.',
    );
  });
  const { port: actual } = server.address() as AddressInfo;
  return {
    address: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
