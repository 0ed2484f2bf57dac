import { Args, Command, Flags } from '@oclif/core';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runResumable } from '../run.ts';
import { workersFlag } from '../workers-flag.ts';

/** `tweedie tune` chooses options, the same way for every method. */
export class Tune extends Command {
  static override summary =
    'Choose the tunable options of every method on validation images; write a recipe that has them.';
  static override description =
    'The key "tune" of the recipe names the validation images and the budget. Every method gets the same search and the same number of network forwards, for each operator and noise level. A search that was stopped goes on with the same command.';
  static override examples = [
    '<%= config.bin %> tune recipes/methods.yaml',
    '<%= config.bin %> tune my.yaml --out my-tuned.yaml && <%= config.bin %> compare my-tuned.yaml',
  ];
  static override args = { recipe: Args.string({ required: true, description: 'experiment file, YAML or JSON' }) };
  static override flags = {
    out: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      description: 'Recipe to write; default: <recipe>.tuned.yaml, beside it.',
    }),
    run: Flags.string({ helpValue: 'FOLDER', description: 'Where samples are kept.' }),
    ...workersFlag,
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Tune);
    const { tune } = await import('@tweedie/experiments');
    const { table, recipe } = await runResumable('tune', this.argv, ({ onProgress, signal }) =>
      tune({
        recipe: args.recipe,
        ...registriesOf(flags),
        ...(flags.out !== undefined && { out: flags.out }),
        ...(flags.run !== undefined && { run: flags.run }),
        workers: flags.workers,
        onProgress,
        signal,
      }),
    );
    this.log(`${table}\n\nRecipe: ${recipe}\nNow: npx tweedie compare ${recipe}`);
  }
}
