import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const binary = fileURLToPath(new URL('../bin/tweedie.js', import.meta.url));

export type Finished = { readonly code: number | null; readonly out: string; readonly err: string };

/** Runs `tweedie` as a user does. */
export const tweedie = (
  argv: readonly string[],
  {
    cwd = process.cwd(),
    env = {},
    node = [],
  }: { cwd?: string; env?: Record<string, string | undefined>; node?: readonly string[] } = {},
): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...node, binary, ...argv], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += String(chunk)));
    child.stderr.on('data', (chunk) => (err += String(chunk)));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
