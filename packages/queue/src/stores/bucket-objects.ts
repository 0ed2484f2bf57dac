import { ConfigError } from '@tweedie/core';
import { askUntilAnswered, type Patience } from './patience.ts';
import type { Objects } from './result-store.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const KEYS = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

/** The bucket that an address like `s3://bucket/prefix?endpoint=https://host&region=eu-central-1` names. */
const bucketOf = (address: string, env: Environment) => {
  const { hostname: bucket, pathname, searchParams } = new URL(address);
  const prefix = pathname.replace(/^\/+|\/+$/g, '');
  const region = searchParams.get('region') ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? 'us-east-1';
  const endpoint = searchParams.get('endpoint') ?? env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'];
  if (bucket === '') throw new ConfigError(address, 'names no bucket.', 'Write --store s3://bucket/prefix.');
  const base =
    endpoint === undefined
      ? `https://${bucket}.s3.${region}.amazonaws.com`
      : `${endpoint.replace(/\/+$/, '')}/${bucket}`;
  return { base, region, prefix, place: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}` };
};

const textBetween = (xml: string, tag: string): readonly string[] =>
  Array.from(xml.matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, 'g')), ([, text = '']) => text);

/**
 * Objects of an S3-compatible bucket. Credentials come from the environment, as every tool for S3 takes them; an
 * endpoint that is not Amazon's from the address or `AWS_ENDPOINT_URL_S3`.
 */
export const bucketObjects = async (
  address: string,
  patience: Patience,
  env: Environment = process.env,
): Promise<Objects> => {
  const { base, region, prefix, place } = bucketOf(address, env);
  const [accessKeyId, secretAccessKey] = KEYS.map((name) => env[name] ?? '');
  if (!accessKeyId || !secretAccessKey)
    throw new ConfigError(place, `needs credentials, and ${KEYS.join(' or ')} is not set.`, 'Export both.');
  const { AwsClient } = await import('aws4fetch');
  const sessionToken = env['AWS_SESSION_TOKEN'];
  const client = new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken !== undefined && { sessionToken }),
    service: 's3',
    region,
    retries: 0,
  });
  const full = (key: string): string => (prefix === '' ? key : `${prefix}/${key}`);
  const ask = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const response = await askUntilAnswered(place, (signal) => client.fetch(url, { ...init, signal }), patience);
    if (response.ok || response.status === 404 || response.status === 412 || response.status === 501) return response;
    const [code = response.statusText] = textBetween(await response.text(), 'Code');
    const remedy =
      response.status === 403 || response.status === 401
        ? `See that ${KEYS.join(' and ')} belong to this bucket, and that they may list, read and write it.`
        : 'Correct the address, its endpoint or its region.';
    throw new ConfigError(place, `refuses a request: ${response.status} ${code}.`, remedy);
  };
  const urlOf = (key: string): string => `${base}/${full(key)}`;
  const put = (key: string, body: Uint8Array, headers: Record<string, string>): Promise<Response> =>
    ask(urlOf(key), { method: 'PUT', body: body as Uint8Array<ArrayBuffer>, headers });
  const missingBucket = (): ConfigError =>
    new ConfigError(place, 'is not there: the bucket does not exist.', 'Make the bucket, or correct its name.');
  return {
    place,
    async get(key) {
      const response = await ask(urlOf(key));
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      if ((await response.text()).includes('NoSuchBucket')) throw missingBucket();
      return undefined;
    },
    async put(key, bytes, replace) {
      let response = await put(key, bytes, replace ? {} : { 'if-none-match': '*' });
      if (response.status === 412) return false;
      // A server without conditional puts: what is there would be the same bytes.
      if (response.status === 501) response = await put(key, bytes, {});
      if (!response.ok) throw missingBucket();
      return true;
    },
    async list(start) {
      const keys: string[] = [];
      for (let token: string | undefined = ''; token !== undefined;) {
        const query = new URLSearchParams({ 'list-type': '2', prefix: full(start) });
        if (token !== '') query.set('continuation-token', token);
        const response = await ask(`${base}/?${query}`);
        if (!response.ok) throw missingBucket();
        const xml = await response.text();
        keys.push(...textBetween(xml, 'Key'));
        [token] = textBetween(xml, 'NextContinuationToken').map((text) => text.replaceAll('&amp;', '&'));
      }
      return keys.map((key) => key.slice(full('').length));
    },
  };
};
