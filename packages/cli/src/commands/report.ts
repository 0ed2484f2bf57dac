import { Args, Command } from '@oclif/core';

/** `tweedie report` makes the table and the HTML report of a run folder again. */
export class Report extends Command {
  static override summary = 'Make the table and the HTML report of a run folder again.';
  static override examples = ['<%= config.bin %> report runs/quickstart'];
  static override args = { run: Args.string({ required: true, description: 'run folder of a comparison' }) };

  async run(): Promise<void> {
    const { args } = await this.parse(Report);
    const { report } = await import('@tweedie/experiments');
    const { table, report: path, failed } = await report(args.run);
    this.log(`${table}\n\nReport: ${path}`);
    if (failed !== undefined) this.logToStderr(failed);
  }
}
