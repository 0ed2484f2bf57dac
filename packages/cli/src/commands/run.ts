import { existsSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Args, Command, Flags } from '@oclif/core';
import { CancelledError, ConfigError, messageOf, refuseLocalRegistries } from '@tweedie/core/registry';
import { interruptible } from '../interrupt.ts';

/** `tweedie run` runs a script that uses Tweedie from code, wherever the script lies. */
export class Run extends Command {
  static override summary = 'Run a script, TypeScript or JavaScript, that uses Tweedie from code.';
  static override description =
    'The script may lie anywhere: its imports of @tweedie packages are found without installing them beside it. What follows the script are its own arguments; put -- before them where --help or -h is among them. Exit codes: that of the script, 1 where it throws, 2 bad input, 130 stopped by Ctrl-C.';
  static override examples = [
    '<%= config.bin %> run my-audit.ts',
    '<%= config.bin %> run ../elsewhere/draw.ts --steps 100',
    '<%= config.bin %> run --no-local-registry my-audit.ts',
  ];
  static override strict = false;
  static override args = {
    script: Args.string({ required: true, description: 'file that ends in .ts, .mts, .js or .mjs' }),
  };
  static override flags = {
    'no-local-registry': Flags.boolean({
      description: 'Before the script: no registry.json that lies in the working folder or beside a recipe is read.',
    }),
  };

  async run(): Promise<void> {
    const place = this.argv.findIndex((argument) => !argument.startsWith('-'));
    const own = place < 0 ? [] : this.argv.slice(place + 1);
    const {
      args: { script },
      flags,
    } = await this.parse(Run, this.argv.slice(0, this.argv.length - own.length));
    const path = checkScript(script);
    if (flags['no-local-registry']) refuseLocalRegistries();
    process.argv = [process.execPath, path, ...(own[0] === '--' ? own.slice(1) : own)];
    // Deep enough to reach the script's line through TensorFlow.js.
    Error.stackTraceLimit = 50;
    try {
      await interruptible(endUnlessHandled, () => untilDone(path));
    } catch (error) {
      const told = error instanceof ConfigError || error instanceof CancelledError;
      if (told || process.env['DEBUG']?.includes('tweedie')) throw error;
      this.logToStderr(`Error: [${script}${lineIn(path, error)}] ${messageOf(error)}`);
      this.logToStderr('DEBUG=tweedie shows the whole stack.');
      this.exit(1);
    }
    if (process.exitCode) this.exit(Number(process.exitCode));
  }
}

/** Gives the whole path of a script. Throws ConfigError where it cannot be one. */
const checkScript = (script: string): string => {
  const path = resolve(script);
  if (!existsSync(path))
    throw new ConfigError(script, 'there is no such file.', 'Correct the path; it starts at the working folder.');
  if (/\.(ya?ml|json)$/.test(path))
    throw new ConfigError(script, 'is no script.', `To run a recipe: npx tweedie compare ${script}.`);
  if (!statSync(path).isFile() || !/\.m?[jt]s$/.test(path))
    throw new ConfigError(script, 'is no script.', 'Give a file that ends in .ts, .mts, .js or .mjs.');
  return realpathSync(path);
};

/** Runs a script until nothing of it is left to do. Rejects with what it throws, wherever it throws it. */
const untilDone = (path: string): Promise<void> =>
  new Promise((done, fail) => {
    const ended = (): void => {
      process.off('unhandledRejection', fail).off('uncaughtException', fail);
      done();
    };
    process.on('unhandledRejection', fail).on('uncaughtException', fail);
    // A script need not await its work at the top: it is done when the event loop is empty.
    import(pathToFileURL(path).href).then(() => process.once('beforeExit', ended), fail);
  });

/** Ends the process where the script has no way of its own to stop: what is stored stays, and is drawn only once. */
const endUnlessHandled = (): void => {
  if (process.listenerCount('SIGINT') > 0) return;
  process.stderr.write('Stopped. What is stored is kept: the same command goes on from there.\n');
  process.exit(130);
};

/** Where an error's stack meets the script, as `:12`; empty where it does not. */
const lineIn = (path: string, error: unknown): string => {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const frame = stack.split('\n').find((text) => text.includes(`${path}:`));
  return /:\d+(?=:\d+\)?$)/.exec(frame ?? '')?.[0] ?? '';
};
