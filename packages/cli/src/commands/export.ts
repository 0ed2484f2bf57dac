import { Args, Command, Flags } from '@oclif/core';

/** `tweedie export` writes a run in the formats of other programs. */
export class Export extends Command {
  static override summary =
    'Write a run for papers and other programs: LaTeX, Markdown, CSV, Parquet, safetensors, SVG, PDF.';
  static override examples = ['<%= config.bin %> export runs/quickstart-1a2b3c4d --out paper'];
  static override args = { run: Args.string({ required: true, description: 'run folder of a comparison' }) };

  static override flags = {
    out: Flags.string({
      char: 'o',
      helpValue: 'FOLDER',
      description: 'The folder to write; default export in the run folder, of which the rest is only read.',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Export);
    const { exportRun } = await import('@tweedie/experiments');
    const { folder, files, notes } = await exportRun(args.run, flags);
    this.log([...files, ...notes, `${files.length} files in ${folder}`].join('\n'));
  }
}
