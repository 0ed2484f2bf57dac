import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Errors } from '@oclif/core';
import type { UnetBench, UnetOptions } from './unet.ts';

const command = fileURLToPath(new URL('../../bin/tweedie.js', import.meta.url));

/** Measures each batch size in a process of its own, since a process cannot tell the peaks of its memory apart. */
export function benchUnetBatches(
  { size, repeats, threads, torch }: Omit<UnetOptions, 'batch'>,
  batches: readonly number[],
): UnetBench {
  const results = batches.map((batch) => {
    const options = { size, batch, repeats, threads, torch };
    const flags = Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, String(value)],
    );
    const { status, stdout } = spawnSync(process.execPath, [command, 'bench', 'unet', ...flags, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    // The process has said why.
    if (status !== 0) throw new Errors.ExitError(status ?? 1);
    return JSON.parse(stdout) as UnetBench;
  });
  const [first] = results;
  if (first === undefined) throw new Errors.ExitError(0);
  return { ...first, rows: results.flatMap(({ rows }) => rows) };
}
