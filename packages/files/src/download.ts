/** Large files from a server: resumed where they were broken off, checked, and there whole or not at all. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CancelledError, ConfigError, foreignFile, messageOf } from '@tweedie/core';
import { get } from './http.ts';
import { makeFolders, writeError } from './write.ts';

/** What is known of a file before it is there. */
export type Expected = { readonly bytes?: number; readonly sha256?: string };
export type DownloadSettings = {
  readonly signal?: AbortSignal;
  /** `total` is 0 where the server does not tell it. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
};

/** How often a connection that brought something is made anew, before it is told. */
const MOST_BREAKS = 20;
/** How many connections in a row may bring nothing. */
const MOST_FRUITLESS = 2;
const AGAIN = 'Say the same command again: what came is kept, and it goes on there.';

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** SHA-256 of a file of any size. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, ...(signal ? [{ signal }] : []));
  return hash.digest('hex');
}

/** Throws ConfigError where a file is not the one that is expected; gives its SHA-256. */
export async function checkFile(path: string, { bytes, sha256 }: Expected, from: string): Promise<string> {
  const refuse = (what: string): ConfigError =>
    new ConfigError(
      from,
      what,
      'It is another file, or was damaged on the way: fetch it again, and compare with what the authors publish.',
    );
  const head = Buffer.alloc(512);
  const stream = createReadStream(path, { start: 0, end: head.length - 1 });
  let filled = 0;
  for await (const chunk of stream) filled += (chunk as Buffer).copy(head, filled);
  const text = foreignFile(head.subarray(0, filled), from);
  // What torch.save writes is what is wanted here.
  if (text && /HTML|Git LFS/.test(text.what)) throw new ConfigError(from, text.what, text.remedy);
  const size = sizeOf(path);
  if (size === 0) throw refuse('is empty.');
  if (bytes !== undefined && size !== bytes) throw refuse(`has ${size} bytes, ${bytes} are expected.`);
  const found = await sha256OfFile(path);
  if (sha256 !== undefined && found !== sha256) throw refuse(`has the SHA-256 ${found}, ${sha256} is expected.`);
  return found;
}

/** The total that a response tells, of the whole file. */
const totalOf = ({ headers, statusCode }: IncomingMessage): number | undefined => {
  const whole = statusCode === 206 ? /\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1] : headers['content-length'];
  return whole === undefined ? undefined : Number(whole);
};

/**
 * Appends the body of a response to a file as it comes: each piece is written before the next is read, so that nothing
 * that came is lost when the connection breaks.
 */
const receive = (
  response: IncomingMessage,
  path: string,
  flags: 'a' | 'w',
  onBytes: (bytes: number) => void,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const file = openSync(path, flags);
    const end = (then: () => void): void => {
      response.removeAllListeners();
      response.on('error', () => undefined).destroy();
      closeSync(file);
      then();
    };
    response.on('data', (chunk: Buffer) => {
      try {
        writeSync(file, chunk);
        onBytes(chunk.length);
      } catch (error) {
        end(() => reject(error as Error));
      }
    });
    response.on('end', () => end(resolve));
    response.on('error', (error) => end(() => reject(error)));
    response.on('close', () => end(() => reject(new Error('the connection was closed'))));
  });

/**
 * Brings a file from a server to `path`. What has come lies beside it as `.part`, with the server's mark of that
 * version (ETag or date): a later call goes on there, or begins anew where the server has another version or gives no
 * mark. A broken connection is made anew while something comes. Gives the SHA-256. Throws ConfigError where the server
 * sends something else, or what came is not what is expected.
 */
export async function download(
  address: string,
  path: string,
  expected: Expected = {},
  { signal, onProgress = () => undefined }: DownloadSettings = {},
): Promise<string> {
  const part = `${path}.part`;
  const mark = `${part}.mark`;
  const forget = (): void => [part, mark].forEach((file) => rmSync(file, { force: true }));
  const stopped = (): CancelledError => new CancelledError('Stopped. What had come is kept.');
  try {
    makeFolders(dirname(path));
  } catch (error) {
    throw writeError(path, error, 'Name another folder in the environment variable TWEEDIE_CACHE.');
  }
  let total: number | undefined;
  let fruitless = 0;
  for (let breaks = 0; ;) {
    const known = existsSync(mark) ? readFileSync(mark, 'utf8') : '';
    if (known === '') forget();
    const begin = sizeOf(part);
    try {
      const resume = begin > 0 ? { range: `bytes=${begin}-`, 'if-range': known } : undefined;
      const response = await get(address, resume, signal);
      const { statusCode = 0, headers } = response;
      // The part is longer than the file is now, or already whole.
      if (statusCode === 416) {
        response.destroy();
        if (Number(/\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]) === begin) break;
        forget();
        continue;
      }
      if (statusCode !== 200 && statusCode !== 206) {
        response.destroy();
        throw new ConfigError(
          address,
          `the server answers with status ${statusCode}.`,
          'Open the address in a browser, see what it says, and give the file with --from.',
        );
      }
      total = totalOf(response);
      const goesOn = statusCode === 206 && headers['content-range']?.startsWith(`bytes ${begin}-`) === true;
      if (statusCode === 206 && !goesOn) {
        response.destroy();
        forget();
        continue;
      }
      const validator = headers.etag?.startsWith('W/') ? undefined : headers.etag;
      if (!goesOn) writeFileSync(mark, validator ?? headers['last-modified'] ?? '');
      let done = goesOn ? begin : 0;
      await receive(response, part, goesOn ? 'a' : 'w', (bytes) => {
        done += bytes;
        onProgress({ done, total: total ?? expected.bytes ?? 0 });
      });
      if (total === undefined || sizeOf(part) >= total) break;
      throw new Error(`the connection ended after ${sizeOf(part)} of ${total} bytes`);
    } catch (error) {
      if (signal?.aborted) throw stopped();
      if (error instanceof ConfigError) throw error;
      if (/ENOSPC|EDQUOT|EACCES|EROFS/.test(messageOf(error)))
        throw writeError(path, error, `Free some space, or name another folder in TWEEDIE_CACHE. ${AGAIN}`);
      fruitless = sizeOf(part) > begin ? 0 : fruitless + 1;
      if (fruitless > MOST_FRUITLESS || ++breaks > MOST_BREAKS)
        throw new ConfigError(address, `cannot be fetched: ${messageOf(error)}.`, AGAIN, { cause: error });
    }
  }
  try {
    const sha256 = await checkFile(part, expected, address);
    renameSync(part, path);
    rmSync(mark, { force: true });
    return sha256;
  } catch (error) {
    forget();
    throw error instanceof ConfigError ? error : writeError(path, error, AGAIN);
  }
}
