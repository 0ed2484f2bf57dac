import { Args, Command, Flags } from '@oclif/core';
import { parseReference } from '../reference.ts';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { runLong } from '../run.ts';

/** `tweedie picture` draws what an operator does to a picture. */
export class Picture extends Command {
  static override summary = 'Draw what an operator does to a picture: x, A(x) and A^T A(x) / || A ||^2, side by side.';
  static override description =
    'The measurement is drawn without noise. Options follow the id: blur:kernel=motion,size=15.';
  static override examples = [
    '<%= config.bin %> picture super-resolution --image face.png --out face.super-resolution.png',
    '<%= config.bin %> picture blur:kernel=motion --image face.png --out blur.png',
  ];
  static override args = { operator: Args.string({ required: true, description: 'Id of an operator, with options' }) };
  static override flags = {
    image: Flags.string({ required: true, helpValue: 'FILE', description: 'PNG, JPEG or WebP.' }),
    out: Flags.string({ char: 'o', required: true, helpValue: 'FILE', description: 'PNG to write.' }),
    enlarge: Flags.integer({ min: 1, default: 2, helpValue: 'N', description: 'Size of a pixel.' }),
    seed: Flags.integer({ min: 0, default: 0, helpValue: 'N', description: 'Of masks and kernels.' }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Picture);
    const { operatorPicture } = await import('@tweedie/experiments');
    await runLong((running) =>
      operatorPicture({
        operator: parseReference(args.operator),
        image: flags.image,
        out: flags.out,
        enlarge: flags.enlarge,
        seed: flags.seed,
        ...registriesOf(flags),
        ...running,
      }),
    );
    this.log(flags.out);
  }
}
