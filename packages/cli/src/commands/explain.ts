import { Args, Command, Flags } from '@oclif/core';
import { overrideFlags, overridesOf } from '../override-flags.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runLong } from '../run.ts';

/** `tweedie explain` shows what every method does at every step, beside the exact score. */
export class Explain extends Command {
  static override summary =
    'Look into the methods of a recipe, step by step, beside the exact score; end with a table and an HTML report.';
  static override description =
    'Norms of prior score, guidance and exact likelihood score, their cosine and relative error, the two terms of the exact score, weights, bias and diversity. Runs 16 samples of 2 images unless told otherwise, all samples of an image at once, and stores nothing but the report.';
  static override examples = [
    '<%= config.bin %> explain recipes/quickstart.yaml',
    '<%= config.bin %> explain my.yaml --samples 4 --limit 1 --json > steps.json',
  ];
  static override args = { recipe: Args.string({ required: true, description: 'experiment file, YAML or JSON' }) };
  static override flags = {
    ...overrideFlags,
    out: Flags.string({
      char: 'o',
      helpValue: 'FOLDER',
      description: 'Folder of the report; default runs/explain-<recipe>.',
    }),
    ...registryFlag,
    json: Flags.boolean({ description: 'Print one JSON object with every number of every step.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Explain);
    const { explain } = await import('@tweedie/experiments');
    const { json, table, report } = await runLong(({ onProgress, signal }) =>
      explain({
        recipe: args.recipe,
        ...registriesOf(flags),
        overrides: overridesOf(flags),
        ...(flags.out !== undefined && { out: flags.out }),
        onProgress,
        signal,
      }),
    );
    this.log(flags.json ? JSON.stringify(json) : `${table}\n\nReport: ${report}`);
  }
}
