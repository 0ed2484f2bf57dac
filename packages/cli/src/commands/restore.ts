import { Args, Command, Errors, Flags } from '@oclif/core';
import { registriesOf, registryFlag } from '../registry-flag.ts';
import { parseReference } from '../reference.ts';
import { runLong } from '../run.ts';

const sigma = Flags.custom<number | string | { readonly poisson: number }>({
  parse: async (text) => {
    const [, rate] = /^poisson:(.+)$/.exec(text) ?? [];
    const { parseSigma } = await import('@tweedie/experiments');
    const value = Number(rate);
    if (rate !== undefined && value > 0 && value < Infinity) return { poisson: value };
    if (rate !== undefined || parseSigma(text) === undefined)
      throw new Errors.CLIError(
        `Must be a number of at least 0, a fraction (25/255), or poisson: and a rate above 0 (poisson:1), got ${text}.`,
      );
    return text;
  },
});

/** Above this misfit a restoration is not one of the measurement; a good one has about 1. */
const LARGEST_MISFIT = 2;

const showMisfit = (misfit: number | undefined): string => {
  if (misfit === undefined) return 'not defined';
  return Number.isFinite(misfit) ? misfit.toFixed(2) : 'not finite (the operator gives NaN or infinity on the result)';
};

/** `tweedie restore` restores pictures. */
export class Restore extends Command {
  static override summary = 'Restore pictures with any model, operator and method; write PNG.';
  static override description =
    'A file is the degraded picture (with --mask for inpainting) or, with --degrade, a clean one that is degraded first. Several pictures share one model; each is written beside its picture. Misfit (about 1 where the measurement is fitted), seconds, steps and seed go to standard error. A plugin is named by its id, with options after it: dps, or dps:scale=0.3,form=squared, or dps:{"scale":0.3}.';
  static override examples = [
    '<%= config.bin %> restore scratched.png --operator inpaint --mask scratches.png --out restored.png',
    '<%= config.bin %> restore a.png b.png --mask a-mask.png --mask b-mask.png',
    '<%= config.bin %> restore face.png --degrade --operator inpaint:pattern=random,rate=0.7 --method dps:scale=0.3 --samples 4',
    '<%= config.bin %> restore small.png --operator super-resolution:factor=4 --sigma-y 0.01',
    '<%= config.bin %> restore grey.png --operator colorize --method dps-w',
    '<%= config.bin %> restore noisy.png --operator identity --sigma-y 0.2 --steps 100',
  ];
  static override strict = false;
  static override args = {
    image: Args.string({ required: true, description: 'PNG, JPEG, WebP, TIFF or GIF; or several' }),
  };
  static override flags = {
    model: Flags.string({ default: 'empirical:dataset=emoji', helpValue: 'ID', description: 'The prior.' }),
    operator: Flags.string({ default: 'inpaint', helpValue: 'ID', description: 'What degraded the picture.' }),
    method: Flags.string({ default: 'dps', helpValue: 'ID', description: 'Guidance method.' }),
    scheduler: Flags.string({ default: 'ddpm:steps=100', helpValue: 'ID', description: 'Sampling schedule.' }),
    'sigma-y': sigma({
      default: 0.05,
      helpValue: 'STD',
      description:
        'Noise of the measurement, images being in [-1, 1]: a number or a fraction (20 grey levels are 20/127.5); or poisson:RATE, of which a white pixel gets 255 RATE counts.',
    }),
    mask: Flags.string({
      helpValue: 'FILE',
      multiple: true,
      multipleNonGreedy: true,
      description:
        'Mask picture for inpainting: white is known, black is filled in. Several pictures take one mask for all, one each (--mask again, in their order), or a folder of masks that are called like them.',
    }),
    degrade: Flags.boolean({
      description:
        'The picture is clean: degrade it first, after fitting its middle to the size of a model of one size.',
    }),
    steps: Flags.integer({ min: 1, helpValue: 'N', description: 'Steps of the schedule.' }),
    samples: Flags.integer({ min: 1, default: 1, helpValue: 'N', description: 'How many restorations.' }),
    seed: Flags.integer({ min: 0, default: 0, helpValue: 'N', description: 'Same seed, same pictures.' }),
    engine: Flags.string({
      default: 'onnxruntime',
      helpValue: 'ID',
      description:
        'What computes: onnxruntime, also on a GPU (onnxruntime:device=cuda), tensorflow, or eager for debugging.',
    }),
    out: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      description: 'PNG to write; further samples get a number. Default: beside the picture.',
    }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Restore);
    const { restore } = await import('@tweedie/experiments');
    const scheduler = parseReference(flags.scheduler);
    const { pictures } = await runLong(({ onProgress, signal }) =>
      restore({
        image: argv.map(String),
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
        ...registriesOf(flags),
        ...(flags.mask !== undefined && { mask: flags.mask }),
        ...(flags.out !== undefined && { out: flags.out }),
        onProgress,
        signal,
      }),
    );
    let failed = false;
    for (const { image, written, misfits, failures, seconds, steps } of pictures) {
      for (const path of written) this.log(path);
      const shown = misfits.map(showMisfit).join(', ');
      const name = pictures.length > 1 ? `${image}: ` : '';
      this.logToStderr(`${name}misfit ${shown}; ${seconds.toFixed(1)} s, ${steps} steps, seed ${flags.seed}`);
      const worst = Math.max(...misfits.map((misfit) => misfit ?? 0));
      if (worst > LARGEST_MISFIT)
        this.logToStderr(
          `Warning: a misfit of ${worst.toFixed(2)} is well above 1: the result does not fit the picture given. This prior (--model ${flags.model}) may not know such pictures, --operator may not be what degraded it, or --sigma-y ${JSON.stringify(flags['sigma-y'])} is too small; more --steps, or --method exact where it works, may fit better.`,
        );
      for (const [i, failure] of failures.entries()) {
        if (failure === undefined) continue;
        failed = true;
        this.logToStderr(`sample ${i + 1} failed at step ${failure.step}: ${failure.reason}`);
      }
    }
    if (failed) this.exit(1);
  }
}
