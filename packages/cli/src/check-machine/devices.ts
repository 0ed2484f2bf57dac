import { spawn } from 'node:child_process';
import { extname } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { RegistryOptions } from '@tweedie/core/registry';

/** What `try-device.ts` is asked, and what it answers. */
export type Trial = { readonly id: string; readonly device: string; readonly registries: RegistryOptions };
export type Answer = { readonly facts?: string; readonly error?: string };

const command = fileURLToPath(new URL('../../bin/tweedie.js', import.meta.url));
const script = fileURLToPath(new URL('try-device.ts', import.meta.url)).replace(/\.ts$/, extname(import.meta.url));

/**
 * Tries an engine on one of its devices, in a process of its own: what a driver writes on standard error, past Node.js,
 * does not stand between the lines of other checks, and one that crashes takes nothing with it. A device that does not
 * start here was not tested here: the error says so first, then why, in the words of the engine and of the driver.
 */
export const tryDevice = async (id: string, device: string, registries: RegistryOptions): Promise<string> => {
  const trial: Trial = { id, device, registries };
  const child = spawn(process.execPath, [command, 'run', script, JSON.stringify(trial)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const [how, printed, complaints] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  const { facts, error = `its process ended with ${how}.` } = answerIn(printed);
  if (facts !== undefined) return facts;
  const why = error.replace(/^\[\S+\] device \w+ cannot be used here: /, '').replace(/\S+\.cc:\d+ .* was false\. /, '');
  throw new Error([`untested here: ${why}`, ...saidBy(complaints)].join(' '));
};

/** The last line of what was printed; empty where the process did not come so far. */
const answerIn = (printed: string): Answer => {
  const line = printed.trimEnd().split('\n').at(-1) ?? '';
  return line.startsWith('{') ? (JSON.parse(line) as Answer) : {};
};

/** What a driver wrote, without places in its source. */
const saidBy = (complaints: string): readonly string[] => {
  const lines = complaints
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
    .map((line) => line.replace(/^(Warning|Error): /, '').trim());
  return lines.length === 0 ? [] : [`(The driver says: ${[...new Set(lines)].slice(0, 3).join('; ')}.)`];
};
