import { ConfigError } from '@tweedie/core';

/** A queue server, from its URL. */
export type QueueAddress = {
  readonly kind: 'redis' | 'postgres';
  /** With credentials: for the library that connects, and nobody else. */
  readonly url: string;
  /** Without credentials and options, for people. */
  readonly place: string;
};

const SCHEMES: Readonly<Record<string, QueueAddress['kind']>> = {
  'redis:': 'redis',
  'rediss:': 'redis',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};

const EXAMPLES = 'Give redis://host:6379, rediss://user@host:6380, or postgres://user@host/database?sslmode=require.';

/**
 * Reads the URL of a queue. A password that it lacks is taken from `TWEEDIE_QUEUE_PASSWORD`, so that none need stand on
 * a command line, which every user of a machine can see.
 */
export const queueAddress = (given: string, env: NodeJS.ProcessEnv = process.env): QueueAddress => {
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    // The text may hold a password that a slip made unreadable.
    throw new ConfigError('queue', 'its address cannot be read as a URL.', EXAMPLES);
  }
  const kind = SCHEMES[url.protocol];
  if (kind === undefined || url.hostname === '')
    throw new ConfigError('queue', `${url.protocol}//${url.hostname} is no address of Redis or PostgreSQL.`, EXAMPLES);
  const password = env['TWEEDIE_QUEUE_PASSWORD'] ?? '';
  if (url.password === '' && password !== '') url.password = encodeURIComponent(password);
  return { kind, url: url.href, place: `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}` };
};

/** A text without the credentials of the URLs in it: user names and passwords, and options like `?password=`. */
export const withoutCredentials = (text: string): string =>
  text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^/?#\s@]*@/gi, '$1')
    .replace(/([?&](?:password|user|sslkey|sslpassword)=)[^&\s'"]*/gi, '$1...');
