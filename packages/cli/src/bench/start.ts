/** Wall-clock seconds of whole processes: how long a person waits for help, a listing, and the bare runtime. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median, showMachine, thisMachine } from './measure.ts';

const command = fileURLToPath(new URL('../../bin/tweedie.js', import.meta.url));
const contenders = {
  'node alone': ['-e', '0'],
  'tweedie --help': [command, '--help'],
  'tweedie list': [command, 'list'],
  'tweedie info guidance/dps': [command, 'info', 'guidance/dps'],
};

export function benchStart({ repeats = 7 }: { readonly repeats?: number | undefined }) {
  const times = new Map<string, number[]>();
  for (let repeat = 0; repeat <= repeats; repeat++) {
    for (const [name, args] of Object.entries(contenders)) {
      const started = performance.now();
      spawnSync(process.execPath, args, { stdio: 'ignore' });
      // The first round warms the caches of the file system and of the TypeScript loader.
      if (repeat > 0) times.set(name, [...(times.get(name) ?? []), (performance.now() - started) / 1000]);
    }
  }
  const seconds = Object.fromEntries(
    [...times].map(([name, all]) => [name, { median: median(all), best: Math.min(...all) }]),
  );
  return { machine: thisMachine(), seconds };
}

export const showStartBench = ({ machine, seconds }: ReturnType<typeof benchStart>): string =>
  [
    'Start of the command, whole process',
    showMachine(machine),
    '',
    ...Object.entries(seconds).map(
      ([name, { median: middle, best }]) =>
        `${name.padEnd(28)} median ${middle.toFixed(2)} s   best ${best.toFixed(2)} s`,
    ),
  ].join('\n');
