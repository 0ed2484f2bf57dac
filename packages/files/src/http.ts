/** Requests over HTTP and HTTPS, through a proxy where the environment names one. */
import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { connect as secured } from 'node:tls';

/** A connection that says nothing for so long is given up: what came is kept. */
const SILENCE = 60_000;
const MOST_REDIRECTS = 10;

/**
 * The proxy for an address: `https_proxy` or `http_proxy` of the environment, `all_proxy`, in lower or upper case;
 * undefined where none is named or `no_proxy` lists the host.
 */
export function proxyFor({ protocol, hostname }: URL, env: NodeJS.ProcessEnv = process.env): URL | undefined {
  const value = (name: string): string => env[name] ?? env[name.toUpperCase()] ?? '';
  const named = value(`${protocol.slice(0, -1)}_proxy`) || value('all_proxy');
  if (named === '') return undefined;
  const excluded = value('no_proxy')
    .split(/[\s,]+/)
    .map((entry) => entry.replace(/^\*?\./, '').replace(/:\d+$/, ''))
    .filter((entry) => entry !== '');
  if (excluded.some((entry) => entry === '*' || hostname === entry || hostname.endsWith(`.${entry}`))) return undefined;
  return new URL(named.includes('://') ? named : `http://${named}`);
}

const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === 'https:' ? 443 : 80);
const credentials = ({ username, password }: URL): Record<string, string> =>
  username === ''
    ? {}
    : {
        'proxy-authorization': `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`,
      };

/** Sends a request and gives the response when its head is there. */
const send = (url: URL, options: RequestOptions, signal?: AbortSignal): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
      timeout: SILENCE,
      ...options,
      ...(signal && { signal }),
    });
    request.on('response', resolve);
    request.on('timeout', () => request.destroy(new Error(`${url.host} has said nothing for ${SILENCE / 1000} s`)));
    request.on('error', reject);
    request.end();
  });

/** A way through a proxy to the host of an address, made by CONNECT. */
const tunnel = (proxy: URL, target: URL, signal?: AbortSignal): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const host = `${target.hostname}:${portOf(target)}`;
    const request = (proxy.protocol === 'https:' ? requestHttps : requestHttp)({
      host: proxy.hostname,
      port: portOf(proxy),
      method: 'CONNECT',
      path: host,
      headers: { host, ...credentials(proxy) },
      timeout: SILENCE,
      ...(signal && { signal }),
    });
    request.on('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) return resolve(socket as Socket);
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} refuses to connect to ${host}: status ${statusCode}`));
    });
    request.on('timeout', () => request.destroy(new Error(`the proxy ${proxy.host} does not answer`)));
    request.on('error', (cause) => reject(new Error(`the proxy ${proxy.host} failed: ${cause.message}`, { cause })));
    request.end();
  });

async function once(url: URL, headers: Record<string, string>, signal?: AbortSignal): Promise<IncomingMessage> {
  const proxy = proxyFor(url);
  if (proxy === undefined) return send(url, { headers }, signal);
  if (url.protocol === 'http:')
    return send(
      proxy,
      { path: url.href, headers: { ...headers, host: url.host, ...credentials(proxy) }, agent: false },
      signal,
    );
  const socket = await tunnel(proxy, url, signal);
  const createConnection = () => secured({ socket, servername: url.hostname });
  // An agent, even a new one, would make a connection of its own.
  return send(url, { headers, createConnection }, signal);
}

/**
 * The response to a GET, redirects followed; its body is still to be read. Throws where nothing answers or an encrypted
 * address leads to one that is not.
 */
export async function get(
  address: string,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  let url = new URL(address);
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const response = await once(url, { 'user-agent': 'tweedie', 'accept-encoding': 'identity', ...headers }, signal);
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    const next = new URL(location, url);
    if (url.protocol === 'https:' && next.protocol !== 'https:')
      throw new Error(`${url.host} leads to ${next.href}, which is not encrypted`);
    url = next;
  }
  throw new Error(`${address} leads on for more than ${MOST_REDIRECTS} times`);
}
