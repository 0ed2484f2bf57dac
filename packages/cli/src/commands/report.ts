import { Args, Command, Flags } from '@oclif/core';

/** `tweedie report` makes the table and the HTML report of a run folder again. */
export class Report extends Command {
  static override summary = 'Make the table and the HTML report of a run folder again.';
  static override examples = ['<%= config.bin %> report runs/quickstart-1a2b3c4d'];
  static override args = { run: Args.string({ required: true, description: 'run folder of a comparison' }) };

  static override flags = {
    out: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      description: 'The HTML file to write; default report.html in the run folder, of which the rest is only read.',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Report);
    const { report } = await import('@tweedie/experiments');
    const { table, report: path } = await report(args.run, flags);
    this.log(`${table}\n\nReport: ${path}`);
  }
}
