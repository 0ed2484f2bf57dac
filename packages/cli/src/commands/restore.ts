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
  static override summary = 'Restore photographs, and other pictures, with any model, operator and method.';
  static override description = `A file is the degraded picture (with --mask for inpainting) or, with --degrade, a clean one that is degraded first. Several pictures, or a folder of them, share one model. Results are PNG, or TIFF of a TIFF, beside each picture, with a page that shows before and after.
Colours are converted to sRGB, EXIF orientation is applied, 16 bits stay 16, grey stays grey, opacity is kept and what is transparent stays as it is.
Noise is estimated from each picture and told, unless --sigma-y says it. Misfit (about 1 where the measurement is fitted), noise, seconds, steps and seed go to standard error.
A plugin is named by its id, with options after it: dps, or dps:scale=0.3,form=squared, or dps:{"scale":0.3}.`;
  static override examples = [
    '<%= config.bin %> restore noisy.jpg',
    '<%= config.bin %> restore noisy.jpg --sigma-y 25/255 --samples 8',
    '<%= config.bin %> restore scratched.png --mask scratches.png --out restored.png',
    '<%= config.bin %> restore scans/ --mask masks/ --out restored/',
    '<%= config.bin %> restore a.png b.png --mask a-mask.png --mask b-mask.png',
    '<%= config.bin %> restore small.png --operator super-resolution:factor=4',
    '<%= config.bin %> restore blurred.png --operator blur:kernel=file,file=kernel.png',
    '<%= config.bin %> restore grey.png --operator colorize',
    '<%= config.bin %> restore face.png --degrade --operator inpaint:pattern=random,rate=0.7 --method dps:scale=0.3',
  ];
  static override strict = false;
  static override args = {
    image: Args.string({
      required: true,
      description: 'PNG, JPEG, WebP, TIFF or GIF; or several, or a folder of them',
    }),
  };
  static override flags = {
    model: Flags.string({
      helpValue: 'ID',
      description: 'The prior; default: tiles:model=photo, one of photographs, of any size.',
    }),
    operator: Flags.string({
      helpValue: 'ID',
      description:
        'What degraded the picture; default: inpaint where there is a --mask, otherwise identity (noise alone).',
    }),
    method: Flags.string({
      helpValue: 'ID',
      description: 'Guidance method; default: dps-w, with a scale that suits the operator.',
    }),
    scheduler: Flags.string({ helpValue: 'ID', description: 'Sampling schedule; default: edm, of 30 steps.' }),
    'sigma-y': sigma({
      helpValue: 'STD',
      description:
        'Noise of the picture: 25/255 is a standard deviation of 25 grey levels of 255; any other number or fraction is in units of images in [-1, 1] (0.196 is the same, and 25/127.5); or poisson:RATE, of which a white pixel gets 255 RATE counts. Default: estimated from each picture; 0.05 with --degrade.',
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
    samples: Flags.integer({
      min: 1,
      default: 1,
      helpValue: 'N',
      description:
        'How many restorations; of several, their mean and a map of their standard deviation are written too.',
    }),
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
      description:
        'PNG or TIFF to write, for one picture, or a folder; further samples get a number. Default: beside the picture; of a folder, in FOLDER-restored.',
    }),
    page: Flags.boolean({
      allowNo: true,
      default: true,
      description: 'Write a page with before and after beside each result.',
    }),
    ...registryFlag,
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Restore);
    const { restore } = await import('@tweedie/experiments');
    const { pictures } = await runLong(({ onProgress, signal }) =>
      restore({
        image: argv.map(String),
        ...(flags.model !== undefined && { model: parseReference(flags.model) }),
        ...(flags.operator !== undefined && { operator: parseReference(flags.operator) }),
        ...(flags.method !== undefined && { method: parseReference(flags.method) }),
        ...schedulerOf(flags),
        engine: parseReference(flags.engine),
        ...(flags['sigma-y'] !== undefined && { sigmaY: flags['sigma-y'] }),
        degrade: flags.degrade,
        samples: flags.samples,
        seed: flags.seed,
        page: flags.page,
        ...registriesOf(flags),
        ...(flags.mask !== undefined && { mask: flags.mask }),
        ...(flags.out !== undefined && { out: flags.out }),
        onProgress,
        signal,
      }),
    );
    let failed = false;
    for (const picture of pictures) {
      const { image, written, page, misfits, failures, seconds, steps, noise, estimated, largestDeviation } = picture;
      for (const path of [...written, ...(page === undefined ? [] : [page])]) this.log(path);
      const facts = [
        `misfit ${misfits.map(showMisfit).join(', ')}`,
        `${noise}${estimated ? ' as estimated' : ''}`,
        ...(largestDeviation === undefined ? [] : [`deviation at most ${Number(largestDeviation.toPrecision(3))}`]),
        `${seconds.toFixed(1)} s, ${steps} steps, seed ${flags.seed}`,
      ];
      this.logToStderr(`${pictures.length > 1 ? `${image}: ` : ''}${facts.join('; ')}`);
      const worst = Math.max(...misfits.map((misfit) => misfit ?? 0));
      if (worst > LARGEST_MISFIT)
        this.logToStderr(
          `Warning: a misfit of ${worst.toFixed(2)} is well above 1: the result does not fit the picture given. This prior (--model ${flags.model ?? 'tiles:model=photo'}) may not know such pictures, --operator may not be what degraded it, or the noise (--sigma-y) is taken too small; more --steps, or --method exact where it works, may fit better.`,
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

/** The schedule with its steps; `restore` has a default of either. */
const schedulerOf = ({ scheduler, steps }: { scheduler?: string | undefined; steps?: number | undefined }) => {
  if (scheduler === undefined) return steps === undefined ? {} : { steps };
  const reference = parseReference(scheduler);
  return { scheduler: steps === undefined ? reference : { ...reference, options: { ...reference.options, steps } } };
};
