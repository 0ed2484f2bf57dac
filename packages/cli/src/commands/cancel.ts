import { Args, Command, Flags } from '@oclif/core';
import { queueEnvironment, queueOf } from '../queue-flags.ts';

/** `tweedie cancel` ends a run at a queue. */
export class Cancel extends Command {
  static override summary =
    'End a run at a queue: its workers stop, and the command that compares ends. What had finished is kept.';
  static override description = queueEnvironment;
  static override examples = ['<%= config.bin %> cancel 1a2b3c --queue redis://lab:6379'];
  static override args = {
    run: Args.string({ required: true, description: 'name of the run, or its beginning, as tweedie status shows it' }),
  };
  static override flags = {
    queue: Flags.string({ helpValue: 'URL', description: 'URL of Redis or PostgreSQL; default TWEEDIE_QUEUE.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Cancel);
    const { cancelRun } = await import('@tweedie/queue');
    const { run, title } = await cancelRun(queueOf(flags.queue), args.run);
    this.log(`Run ${run} (${title}) is cancelled. The same tweedie compare goes on from what had finished.`);
  }
}
