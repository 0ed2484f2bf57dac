import { fileURLToPath } from 'node:url';
import { Errors, flush, run, settings } from '@oclif/core';
import { CancelledError, ConfigError, messageOf, pluginPlace, PluginError, suggest } from '@tweedie/core/registry';
import { commands } from './commands.ts';
import { toldToStop } from './interrupt.ts';

/** Commands that come from oclif: shell completion. */
const ofOclif = ['autocomplete'];

/** The exit codes: 0 done, 1 something failed on the way, 2 bad input, 130 stopped by Ctrl-C or a signal. */
export const exitCode = { done: 0, failed: 1, badInput: 2, stopped: 130 } as const;

/** Runs one command line and gives its exit code. Nothing is thrown: errors are printed on standard error. */
export const main = async (argv: readonly string[]): Promise<number> => {
  // Deep enough to reach a plugin's line through TensorFlow.js.
  Error.stackTraceLimit = 50;
  const gone = whenGone();
  // Left on, oclif looks for a TypeScript loader of its own.
  settings.enableAutoTranspile = false;
  try {
    const [id = ''] = argv;
    const known = [...Object.keys(commands), ...ofOclif];
    if (id !== '' && !id.startsWith('-') && !known.includes(id))
      throw new ConfigError('tweedie', `there is no command ${JSON.stringify(id)}.`, suggest(id, known));
    await run([...argv], { root: fileURLToPath(new URL('..', import.meta.url)) });
    // A reader that has gone (`| head -1`) takes no more: what is left need not be written.
    await Promise.race([flush(), gone]);
    return exitCode.done;
  } catch (error) {
    return report(error, argv[0] ?? '');
  }
};

/**
 * Resolves when nobody reads standard output any more. From then on, as where a terminal has closed, errors of writing
 * are no news: the work goes on, for its results are in files.
 */
const whenGone = (): Promise<void> =>
  new Promise((resolve) => {
    const ignore = (error: NodeJS.ErrnoException, then: () => void): void => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
      then();
    };
    process.stdout.on('error', (error) => ignore(error, resolve));
    process.stderr.on('error', (error) => ignore(error, () => undefined));
  });

const report = (error: unknown, id: string): number => {
  if (error instanceof Errors.ExitError) return error.oclif.exit ?? exitCode.done;
  if (error instanceof CancelledError && toldToStop()) return exitCode.stopped;
  const debugging = process.env['DEBUG']?.includes('tweedie') ?? false;
  if (debugging) console.error(error);
  else console.error(`Error: ${withSuggestion(error, id).replace(/ \n\t/g, ': ')}`);
  if (error instanceof ConfigError) return exitCode.badInput;
  if (error instanceof CancelledError) return exitCode.stopped;
  if (error instanceof Errors.CLIError) return error.oclif.exit ?? exitCode.badInput;
  if (!debugging) console.error(origin(error));
  return exitCode.failed;
};

/** Says where an error comes from that is none of the input: the line of a plugin, where one is in its stack. */
const origin = (error: unknown): string => {
  if (error instanceof PluginError) return 'DEBUG=tweedie shows the whole stack.';
  const place = pluginPlace(error);
  return place === undefined
    ? 'This is not an error of your input. Run again with DEBUG=tweedie to see where it comes from.'
    : `It comes from ${place.plugin}, at ${place.line}. DEBUG=tweedie shows the whole stack.`;
};

/** The message of an error; that of unknown flags names the nearest flags of the command. */
const withSuggestion = (error: unknown, id: string): string => {
  const message = messageOf(error);
  const [, given] = /^Nonexistent flags?: (.*)/.exec(message) ?? [];
  if (given === undefined) return message;
  const known: { readonly [name: string]: { readonly flags?: Readonly<Record<string, object>> } } = commands;
  const flags = Object.entries(known[id]?.flags ?? {}).flatMap(([name, flag]) =>
    'allowNo' in flag && flag.allowNo === true ? [`--${name}`, `--no-${name}`] : [`--${name}`],
  );
  const names = given.split(', ').map((flag) => flag.replace(/=.*/, ''));
  const hints = names.map((name) => `${names.length > 1 ? `${name}: ` : ''}${suggest(name, flags)}`);
  return message.replace('\n', `\n${hints.join('\n')}\n`);
};
