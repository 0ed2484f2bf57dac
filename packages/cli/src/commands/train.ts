import { Args, Command, Flags } from '@oclif/core';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runResumable } from '../run.ts';

/** `tweedie train` trains a diffusion prior. */
export class Train extends Command {
  static override summary = 'Train a diffusion prior on any data set; go on where it stopped.';
  static override description =
    'A training file names data, network, loss and length; packages/training/schemas/training.schema.json describes every key. Checkpoints, averaged weights, samples, curves and a report go to --out; the same command goes on there, and what was killed loses at most the time between two checkpoints. The weights are a model: trained:weights=FILE.';
  static override examples = [
    '<%= config.bin %> train mine.train.yaml',
    '<%= config.bin %> train mine.train.yaml --images 400000',
    '<%= config.bin %> train mine.train.yaml --from runs/train/other/weights.safetensors --out runs/train/second',
  ];
  static override args = { recipe: Args.string({ required: true, description: 'training file, YAML or JSON' }) };
  static override flags = {
    out: Flags.string({
      char: 'o',
      helpValue: 'FOLDER',
      description: 'Where checkpoints, weights and report are kept; default: runs/train/<name of the file>.',
    }),
    from: Flags.string({
      helpValue: 'FILE',
      description: 'Weights of the same network to begin with; the optimizer begins anew.',
    }),
    images: Flags.integer({ min: 1, helpValue: 'N', description: "Images seen in all, in place of the file's." }),
    threads: Flags.integer({ min: 1, helpValue: 'N', description: 'Threads; default: all cores.' }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Train);
    const { train } = await import('@tweedie/training');
    const { card, report } = await runResumable('train', this.argv, ({ onProgress, signal }) =>
      train({
        recipe: args.recipe,
        ...registriesOf(flags),
        ...(flags.out !== undefined && { out: flags.out }),
        ...(flags.from !== undefined && { from: flags.from }),
        ...(flags.images !== undefined && { images: flags.images }),
        ...(flags.threads !== undefined && { threads: flags.threads }),
        onProgress,
        signal,
      }),
    );
    this.log(`${card}\nReport: ${report}`);
  }
}
