import { Args, Command, Flags } from '@oclif/core';
import { ConfigError } from '@tweedie/core/registry';
import { queueEnvironment, queueOf } from '../queue-flags.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runLong } from '../run.ts';

/** `tweedie work` draws for comparisons that run on other machines. */
export class Work extends Command {
  static override summary =
    'Draw for the comparisons that others run: take chunks from a queue, on any number of machines.';
  static override description = `Works on the runs of the queue, the oldest first, and waits for the next one; Ctrl-C gives back what is not finished. ${queueEnvironment} Exit codes: 0 done, 2 bad input, 130 stopped.`;
  static override examples = [
    '<%= config.bin %> work redis://lab:6379',
    '<%= config.bin %> work postgres://me@lab/tweedie?sslmode=require --once',
    '<%= config.bin %> work redis://lab --store /mnt/elsewhere/chunks --folder ~/recipes',
  ];
  static override args = { queue: Args.string({ description: 'URL of Redis or PostgreSQL; default TWEEDIE_QUEUE' }) };
  static override flags = {
    store: Flags.string({
      helpValue: 'FOLDER',
      description: 'The store of the runs, where this machine sees it elsewhere.',
    }),
    folder: Flags.string({
      helpValue: 'FOLDER',
      description: 'Where the relative paths of recipes start on this machine.',
    }),
    workers: Flags.integer({
      min: 1,
      max: 1024,
      helpValue: 'N',
      description:
        'Chunks at once, each in a child process; default as many as threads and memory of this machine allow.',
    }),
    memory: Flags.string({
      helpValue: 'GB',
      description:
        'Gigabytes that they may take together: chunks that need more are left to others. Default: 80 % of what is free.',
    }),
    once: Flags.boolean({ description: 'End when no run has work left.' }),
    lock: Flags.integer({
      min: 1,
      helpValue: 'SECONDS',
      description: 'After so long without a sign of life the chunk of a worker goes to another one. Default 60.',
    }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Work);
    const { work } = await import('@tweedie/queue');
    const { store, folder, workers, memory, once, lock } = flags;
    const bytes = memory === undefined ? undefined : 1e9 * Number(memory);
    if (bytes !== undefined && !(bytes > 0))
      throw new ConfigError('--memory', `${memory} is no number of gigabytes.`, 'Give one above 0, such as 2.5.');
    await runLong(({ signal }) =>
      work({
        queue: queueOf(args.queue),
        store,
        folder,
        workers,
        memory: bytes,
        once,
        ...(lock !== undefined && { lock: lock * 1000 }),
        ...registriesOf(flags),
        signal,
        onMessage: (message) => this.logToStderr(message),
      }),
    );
  }
}
