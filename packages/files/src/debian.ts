/** Debian packages: downloaded through apt, and taken apart, without root. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CancelledError, ConfigError, messageOf } from '@tweedie/core';

const start = promisify(execFile);
const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** Runs a program to its end; what it says is English. Throws what it wrote on standard error. */
async function run(program: string, argv: readonly string[], cwd: string, signal?: AbortSignal): Promise<void> {
  try {
    await start(program, argv, {
      cwd,
      maxBuffer: 1 << 26,
      env: { ...process.env, LC_ALL: 'C' },
      ...(signal && { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw new CancelledError('Stopped. What had been fetched is kept.', { cause: error });
    if (isMissing(error)) throw error;
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    const lines = said.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('W: '));
    throw new Error(lines.join(' ') || messageOf(error), { cause: error });
  }
}

/** Downloads a package of Debian; gives the path of the .deb file. */
export type Download = (name: string, version: string, signal?: AbortSignal) => Promise<string>;

/**
 * A function that downloads packages through apt into `folder`: the version asked for, where apt has it, else what it
 * has. apt's own lists are used where they know the package; otherwise lists are fetched once, into `folder` too, for
 * those of the system belong to root. Throws what apt says, or that there is none.
 */
export function aptDownloads(folder: string): Download {
  const [state, cache] = [join(folder, 'state'), join(folder, 'cache')];
  const ownLists = ['-o', `Dir::State=${state}`, '-o', `Dir::Cache=${cache}`];
  let lists: readonly string[] = [];
  let updated = false;
  const update = async (signal?: AbortSignal): Promise<void> => {
    updated = true;
    for (const inner of [join(state, 'lists/partial'), join(cache, 'archives/partial')])
      await mkdir(inner, { recursive: true });
    await run('apt-get', [...ownLists, '-q', 'update'], folder, signal);
    lists = ownLists;
  };
  return async (name, version, signal) => {
    const into = join(folder, name);
    await mkdir(into, { recursive: true });
    const get = (what: string): Promise<void> => run('apt-get', [...lists, '-q', 'download', what], into, signal);
    const attempt = (): Promise<void> =>
      get(`${name}=${version}`).catch((error: unknown) => {
        if (error instanceof CancelledError || isMissing(error)) throw error;
        return get(name);
      });
    await attempt().catch(async (error: unknown) => {
      if (isMissing(error)) throw new Error('this machine has no apt-get', { cause: error });
      if (error instanceof CancelledError || updated) throw error;
      await update(signal);
      await attempt();
    });
    const [file] = (await readdir(into)).filter((entry) => entry.endsWith('.deb'));
    if (file === undefined) throw new Error('apt-get has written no .deb file');
    return join(into, file);
  };
}

/** Takes a .deb file apart into `folder`, which is made: by dpkg-deb where it is installed, else by tar. */
export async function unpackDebian(file: string, folder: string, signal?: AbortSignal): Promise<void> {
  await mkdir(folder, { recursive: true });
  try {
    await run('dpkg-deb', ['-x', file, folder], folder, signal).catch(async (error: unknown) => {
      if (!isMissing(error)) throw error;
      const { name, bytes } = dataOf(await readFile(file));
      await writeFile(join(folder, name), bytes);
      await run('tar', ['-xf', name], folder, signal);
    });
  } catch (cause) {
    if (cause instanceof CancelledError) throw cause;
    const why = isMissing(cause) ? 'neither dpkg-deb nor tar is installed' : messageOf(cause);
    throw new ConfigError(
      file,
      `cannot be unpacked as a Debian package (${why}).`,
      'Check that the file is whole, or unpack it yourself and name the folder that then holds usr with --from.',
      { cause },
    );
  }
}

const magic = '!<arch>\n';
const headerBytes = 60;

/**
 * The member of a .deb file that holds its files, a compressed tar file. The format (ar(5), deb(5)): after the magic,
 * members, each of a header of 60 bytes (the name in the first 16, the size in decimal from 48 to 57), the content, and
 * a byte more where its size is odd.
 */
function dataOf(deb: Buffer): { readonly name: string; readonly bytes: Buffer } {
  if (deb.toString('latin1', 0, magic.length) !== magic) throw new Error(`it does not begin with ${magic.trim()}`);
  for (let at = magic.length; at + headerBytes <= deb.length;) {
    const name = deb
      .toString('latin1', at, at + 16)
      .trim()
      .replace(/\/$/, '');
    const size = Number(deb.toString('latin1', at + 48, at + 58));
    const begin = at + headerBytes;
    if (!Number.isInteger(size) || size < 0 || begin + size > deb.length) throw new Error('it is cut short');
    if (/^data\.tar(\.\w+)?$/.test(name)) return { name, bytes: deb.subarray(begin, begin + size) };
    at = begin + size + (size % 2);
  }
  throw new Error('it holds no data.tar');
}
