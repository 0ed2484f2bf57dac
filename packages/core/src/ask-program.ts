import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from './errors.ts';
import { temporaryFolder } from './leftovers.ts';

/** How much of what a program complains of is kept: its last line is told. */
const KEPT = 4096;

/**
 * Gives files to a program and reads the one that it writes. They lie in a folder of their own, which is gone
 * afterwards; `command` is called in `folder` with what `words` makes of the names of files there. Throws ConfigError
 * where the program cannot be started, fails, which its last line explains, or writes nothing.
 */
export async function askProgram(
  command: readonly string[],
  {
    folder,
    inputs,
    output,
    words,
  }: {
    readonly folder: string;
    readonly inputs: ReadonlyMap<string, Uint8Array>;
    readonly output: string;
    readonly words: (pathOf: (name: string) => string) => readonly string[];
  },
): Promise<Uint8Array> {
  const own = temporaryFolder('program');
  const pathOf = (name: string): string => join(own, name);
  try {
    for (const [name, bytes] of inputs) writeFileSync(pathOf(name), bytes);
    const [program = '', ...given] = [...command, ...words(pathOf)];
    await ended(program, given, folder);
    if (existsSync(pathOf(output))) return readFileSync(pathOf(output));
    throw new ConfigError(command.join(' '), `wrote no ${pathOf(output)}.`, 'Mend the program.');
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

const ended = (program: string, given: readonly string[], folder: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, given, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-KEPT)));
    const refuse = (what: string): void =>
      reject(new ConfigError([program, ...given].join(' '), `${what}.`, 'Mend the program.'));
    child.on('error', ({ message }) => refuse(`could not be started: ${message}`));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      const last = complaints.trim().split('\n').at(-1) ?? '';
      refuse(`ended with ${signal ?? code}${last === '' ? '' : `, and said: ${last}`}`);
    });
  });
