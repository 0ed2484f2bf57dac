import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { CancelledError, ConfigError } from '@tweedie/core/registry';
import { type ScaffoldKind, scaffoldKinds } from './scaffold.ts';

/** Where questions are asked and answered. */
export type Terminal = { readonly input: Readable; readonly output: Writable };

/** The terminal that this process runs on; undefined where it runs on none. */
export const onTerminal = (): Terminal | undefined =>
  process.stdin.isTTY && process.stderr.isTTY ? { input: process.stdin, output: process.stderr } : undefined;

type Given = { readonly kind?: ScaffoldKind | undefined; readonly id?: string | undefined };
type Complete = { readonly kind: ScaffoldKind; readonly id: string };

/**
 * What to make, asked for on a terminal where it was not given. Throws ConfigError where it cannot be asked, or is no
 * kind, and CancelledError where the answer is Ctrl-C or the end of input.
 */
export const completed = async ({ kind, id }: Given, terminal: Terminal | undefined): Promise<Complete> => {
  if (kind !== undefined && id !== undefined) return { kind, id };
  const kinds = scaffoldKinds.join(', ');
  if (terminal === undefined)
    throw new ConfigError(
      'tweedie new',
      kind === undefined ? 'what to make is not said.' : `the id of the ${kind} is not said.`,
      `Say tweedie new <kind> <id>; kinds: ${kinds}.`,
    );
  const lines = createInterface(terminal);
  const stopped = new AbortController();
  for (const event of ['SIGINT', 'close'] as const) lines.on(event, () => stopped.abort());
  const ask = async (question: string): Promise<string> => {
    const answer = await lines.question(question, { signal: stopped.signal }).catch((error: unknown) => {
      throw stopped.signal.aborted ? new CancelledError('Stopped. Nothing was made.') : error;
    });
    return answer.trim();
  };
  try {
    const named = kind ?? (await ask(`Kind (${kinds}): `));
    const chosen = scaffoldKinds.find((one) => one === named);
    if (chosen === undefined)
      throw new ConfigError('tweedie new', `there is no kind ${JSON.stringify(named)}.`, `Kinds: ${kinds}.`);
    return { kind: chosen, id: id ?? (await ask('Id, its name in recipes: ')) };
  } finally {
    lines.close();
  }
};
