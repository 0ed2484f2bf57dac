import { Args, Command, Errors, Flags } from '@oclif/core';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { parseReference } from '../reference.ts';
import { runLong } from '../run.ts';

const sigma = Flags.custom<number | { readonly poisson: number }>({
  parse: async (text) => {
    const [, rate] = /^poisson:(.+)$/.exec(text) ?? [];
    const value = Number(rate ?? text);
    if (rate !== undefined && value > 0 && value < Infinity) return { poisson: value };
    if (rate !== undefined || text.trim() === '' || !(value >= 0 && value < Infinity))
      throw new Errors.CLIError(
        `Must be a number of at least 0, or poisson: and a rate above 0 (poisson:1), got ${text}.`,
      );
    return value;
  },
});

/** `tweedie restore` restores one picture. */
export class Restore extends Command {
  static override summary = 'Restore one picture with any model, operator and method; write PNG.';
  static override description =
    'The file is the degraded picture (with --mask for inpainting) or, with --degrade, a clean one that is degraded first. A plugin is named by its id, with options after it: dps, or dps:scale=0.3,form=squared, or dps:{"scale":0.3}.';
  static override examples = [
    '<%= config.bin %> restore scratched.png --operator inpaint --mask scratches.png --out restored.png',
    '<%= config.bin %> restore face.png --degrade --operator inpaint:pattern=random,rate=0.7 --method dps:scale=0.3 --samples 4',
    '<%= config.bin %> restore small.png --operator super-resolution:factor=4 --sigma-y 0.01',
    '<%= config.bin %> restore grey.png --operator colorize --method dps-w',
    '<%= config.bin %> restore noisy.png --operator identity --sigma-y 0.2 --steps 100',
  ];
  static override args = { image: Args.string({ required: true, description: 'PNG, JPEG or WebP' }) };
  static override flags = {
    model: Flags.string({ default: 'empirical:dataset=emoji', helpValue: 'ID', description: 'The prior.' }),
    operator: Flags.string({ default: 'inpaint', helpValue: 'ID', description: 'What degraded the picture.' }),
    method: Flags.string({ default: 'dps', helpValue: 'ID', description: 'Guidance method.' }),
    scheduler: Flags.string({ default: 'ddpm', helpValue: 'ID', description: 'Sampling schedule.' }),
    'sigma-y': sigma({
      default: 0.05,
      helpValue: 'STD',
      description:
        'Noise of the measurement, images being in [-1, 1]; or poisson:RATE, of which a white pixel gets 255 RATE counts.',
    }),
    mask: Flags.string({
      helpValue: 'FILE',
      description: 'Mask picture for inpainting: white is known, black is filled in.',
    }),
    degrade: Flags.boolean({ description: 'The picture is clean: degrade it first.' }),
    steps: Flags.integer({ min: 1, helpValue: 'N', description: 'Steps of the schedule.' }),
    samples: Flags.integer({ min: 1, default: 1, helpValue: 'N', description: 'How many restorations.' }),
    seed: Flags.integer({ min: 0, default: 0, helpValue: 'N', description: 'Same seed, same pictures.' }),
    engine: Flags.string({
      default: 'onnxruntime',
      helpValue: 'ID',
      description: 'What computes: onnxruntime, tensorflow, or eager for debugging.',
    }),
    out: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      description: 'PNG to write; further samples get a number. Default: beside the picture.',
    }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Restore);
    const { restore } = await import('@tweedie/experiments');
    const scheduler = parseReference(flags.scheduler);
    const { written, failures } = await runLong(({ onProgress, signal }) =>
      restore({
        image: args.image,
        model: parseReference(flags.model),
        operator: parseReference(flags.operator),
        method: parseReference(flags.method),
        scheduler:
          flags.steps === undefined
            ? scheduler
            : { ...scheduler, options: { ...scheduler.options, steps: flags.steps } },
        engine: parseReference(flags.engine),
        sigmaY: flags['sigma-y'],
        degrade: flags.degrade,
        samples: flags.samples,
        seed: flags.seed,
        registries: registriesOf(flags),
        ...(flags.mask !== undefined && { mask: flags.mask }),
        ...(flags.out !== undefined && { out: flags.out }),
        onProgress,
        signal,
      }),
    );
    for (const path of written) this.log(path);
    const failed = failures.flatMap((failure, i) =>
      failure === undefined ? [] : [`sample ${i + 1} failed at step ${failure.step}: ${failure.reason}`],
    );
    for (const message of failed) this.logToStderr(message);
    if (failed.length > 0) this.exit(1);
  }
}
