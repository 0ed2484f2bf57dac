import { Args, Command, Flags } from '@oclif/core';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runLong } from '../run.ts';

/** `tweedie fit mixture` fits a prior in closed form. */
export class Fit extends Command {
  static override summary = 'Fit a Gaussian mixture to patches of any data set: a prior whose posterior is known.';
  static override description =
    'A mixture file names data, size of the patches, components and covariances; packages/training/schemas/mixture.schema.json describes every key. The mixture, its log and a card go to --out. It is a model: gmm with the option file.';
  static override examples = [
    '<%= config.bin %> fit mixture mine.mixture.yaml',
    '<%= config.bin %> fit mixture mine.mixture.yaml --components 400 --out runs/mixture/twice   # what do more bring?',
  ];
  static override args = {
    what: Args.string({ required: true, options: ['mixture'], description: 'what is fitted' }),
    recipe: Args.string({ required: true, description: 'mixture file, YAML or JSON' }),
  };
  static override flags = {
    out: Flags.string({
      char: 'o',
      helpValue: 'FOLDER',
      description: 'Where mixture, log and card are kept; default: runs/mixture/<name of the file>.',
    }),
    components: Flags.integer({ min: 1, helpValue: 'K', description: "Number of Gaussians, in place of the file's." }),
    patches: Flags.integer({ min: 2, helpValue: 'N', description: "Patches drawn, in place of the file's." }),
    threads: Flags.integer({ min: 1, helpValue: 'N', description: 'Threads; default: all cores.' }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Fit);
    const { fitMixture } = await import('@tweedie/training');
    const { card } = await runLong(({ onProgress, signal }) =>
      fitMixture({
        recipe: args.recipe,
        ...registriesOf(flags),
        ...(flags.out !== undefined && { out: flags.out }),
        ...(flags.components !== undefined && { components: flags.components }),
        ...(flags.patches !== undefined && { patches: flags.patches }),
        ...(flags.threads !== undefined && { threads: flags.threads }),
        onProgress,
        signal,
      }),
    );
    this.log(card);
  }
}
