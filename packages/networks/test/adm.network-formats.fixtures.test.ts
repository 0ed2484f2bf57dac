/**
 * Networks of guided, improved and latent diffusion in all clothes: wrappers, prefixes, averages, classes, schedules.
 */
import { testContext } from '@tweedie/testing';
import { fixtureFolder, fixtureReport } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { processOfBetas } from '../src/beta-tables.ts';
import { type AdmConfig, admModel, admUnet, admWeights, openCheckpoint } from '../src/index.ts';
import { tablePrediction } from '../src/predictions.ts';
import { checkDenoiser, checkOutputs, type Denoiser, type Format, type Formats } from './formats.ts';

type Adm = Format & {
  readonly config: AdmConfig;
  readonly schedule: {
    readonly kind: 'linear' | 'cosine' | 'scaled_linear';
    readonly steps: number;
    readonly rescale_timesteps?: boolean;
    readonly beta_start?: number;
    readonly beta_end?: number;
  };
  readonly files: Readonly<Record<string, string>>;
  readonly denoiser_vp_precond?: Denoiser;
};
const fixtures = 'network-formats';
const report = fixtureReport(fixtures, 'adm');
const context = testContext(fixtureFolder(fixtures));
const { models } = report.index<Formats>('index.json', { models: {} });

/** What is said of the files whose wrapper has something to say. */
const notes: Readonly<Record<string, readonly string[]>> = {
  'adm-clothes.module.pt': ['prefix "module." taken off'],
  'adm-clothes.ema.pt': ['averaged weights taken, "ema"; left out: "step", "model"'],
  'adm-clothes.inversebench.pt': [
    'averaged weights taken, "ema"; left out: "net", "optimizer", "scheduler"',
    'prefix "model." taken off',
  ],
  'adm-clothes.bf16.pt': [],
};

for (const [name, model] of Object.entries(models)) {
  if (model.format !== 'adm') continue;
  const { config, schedule, files, denoiser_vp_precond: vpPrecond, ...format } = model as unknown as Adm;
  const { num_classes: classes = 0 } = config;
  for (const file of Object.keys(files)) {
    report.case(`${file}, outputs and their gradients`, async () => {
      const checkpoint = await openCheckpoint(file, context.files);
      if (notes[file]) expect(checkpoint.notes).toEqual(notes[file]);
      await checkOutputs(format, admUnet(config, await admWeights(config, checkpoint)), classes);
    });
    const options = {
      ...config,
      weights: file,
      diffusion_steps: schedule.steps,
      rescale_timesteps: schedule.rescale_timesteps ?? false,
      ...(config.class_cond ? { label: 0 } : {}),
    };
    const kind = schedule.kind;
    if (kind === 'scaled_linear') {
      // Latents have no model plugin: their pictures are made by another network.
      report.case(`${file}, x0hat and its gradient`, async () => {
        const unet = admUnet(config, await admWeights(config, await openCheckpoint(file, context.files)));
        const { steps, beta_start: start = 0, beta_end: end = 0 } = schedule;
        const process = processOfBetas({ kind, steps, start, end }, 've', file);
        const predict = tablePrediction({ type: 'epsilon', learned: false, network: unet });
        await checkDenoiser(format, { process, predict }, classes);
      });
      continue;
    }
    const isVp = file.includes('inversebench');
    report.case(`${file}, x0hat and its gradient`, async () => {
      const preconditioning = isVp ? 'vp' : 'table';
      const made = admModel({ ...options, noise_schedule: kind, preconditioning }, context, 'vp');
      await made.load?.();
      const other = isVp && vpPrecond ? { denoiser: vpPrecond, suffix: '_vp' } : {};
      await checkDenoiser(format, made, classes, other);
      made.dispose?.();
    });
  }
  report.case(`${name}, every file is read`, () => expect(Object.keys(files).length).toBeGreaterThan(0));
}
