/** UNet2DModels of diffusers: outputs, x0hat at four levels, schedulers, and folders that are refused. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, sizeOf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { fixtureFolder, fixtureReport, readFixtureJson, readFixtureTensors } from '@tweedie/testing/fixtures';
import { afterAll, expect } from 'vitest';
import { alphaBarsOfTable, betasOf, processOfBetas } from '../src/beta-tables.ts';
import { diffusersConfig, schedulerConfig } from '../src/diffusers/config.ts';
import { withTodaysNames } from '../src/diffusers/model.ts';
import { diffusersParameters } from '../src/diffusers/plan.ts';
import { diffusersUnet } from '../src/diffusers/unet.ts';
import { diffusersModel, openCheckpoint } from '../src/index.ts';
import { readWeights } from '../src/parameters.ts';
import { tablePrediction } from '../src/predictions.ts';
import { checkDenoiser, checkOutputs, type Format, type Formats } from './formats.ts';

type Diffusers = Format & {
  readonly folder: string;
  readonly unet_config: string;
  readonly weights: string;
  readonly tensors: number;
};
type Fields = Readonly<Record<string, unknown>>;
const fixtures = 'network-formats';
const report = fixtureReport(fixtures, 'diffusers');
const context = testContext(fixtureFolder(fixtures));
const scratch = mkdtempSync(join(tmpdir(), 'tweedie-diffusers-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const { models } = report.index<Formats>('index.json', { models: {} });
const networks = Object.entries(models).flatMap(([name, model]) =>
  model.format === 'diffusers' ? [[name, model as unknown as Diffusers] as const] : [],
);

const loaded = async ({ unet_config: path, weights: file }: Diffusers) => {
  const config = diffusersConfig(readFixtureJson<Fields>(fixtures, path), path);
  const parameters = diffusersParameters(config, path);
  const weights = await readWeights(parameters, withTodaysNames(await openCheckpoint(file, context.files)));
  return { config, parameters, network: diffusersUnet(config, weights) };
};

for (const [name, model] of networks) {
  report.case(`${name}, outputs and their gradients`, async () => {
    const { config, parameters, network } = await loaded(model);
    expect(parameters.length).toBe(model.tensors);
    expect(parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(model.parameters);
    await checkOutputs(model, network, config.classes);
  });
  for (const kind of ['vp', 've'] as const)
    report.case(`${name}, x0hat and its gradient as ${kind}`, async () => {
      const { classes } = diffusersConfig(readFixtureJson<Fields>(fixtures, model.unet_config), '');
      const options = { folder: model.folder, kind, ...(classes === undefined ? {} : { label: 0 }) };
      const made = await diffusersModel(options, context);
      await made.load?.();
      await checkDenoiser(model, made, classes, { checkTime: true });
      made.dispose?.();
    });
}

type Scheduler = {
  readonly config: string;
  readonly prediction_type: string;
  readonly index: readonly number[];
  readonly betas: readonly number[];
  readonly alphas_cumprod: readonly number[];
  readonly sigma: readonly (number | null)[];
  readonly t_of_sigma: readonly number[];
};
const { schedulers, network: ofSchedulers } = report.index<{
  readonly network: string;
  readonly schedulers: Readonly<Record<string, Scheduler>>;
}>('schedulers/index.json', { network: '', schedulers: {} });
for (const [name, scheduler] of Object.entries(schedulers)) {
  const read = () => schedulerConfig(readFixtureJson<Fields>(fixtures, scheduler.config), scheduler.config);
  report.case(`scheduler ${name}, its table`, () => {
    const { table, prediction } = read();
    expect(prediction).toBe(scheduler.prediction_type);
    const [betas, alphaBars] = [betasOf(table), alphaBarsOfTable(table)];
    const process = processOfBetas(table, 'vp', name);
    scheduler.index.forEach((index, k) => {
      // With zero terminal signal the fixture lists the betas of the stretched table, which nothing here needs.
      if (!table.zeroSnr) expect(betas[index]).toBeCloseTo(scheduler.betas[k]!, 12);
      const sigma = scheduler.sigma[k];
      if (sigma === null || sigma === undefined) return expect(index).toBe(alphaBars.length);
      expect(Math.abs(alphaBars[index]! - scheduler.alphas_cumprod[k]!)).toBeLessThan(1e-12);
      expect(Math.abs(process.table[index]!.sigma / sigma - 1)).toBeLessThan(1e-9);
    });
  });
  const owner = networks.find(([each]) => each === ofSchedulers)?.[1];
  if (owner === undefined) continue;
  report.case(`scheduler ${name}, x0hat`, async () => {
    const { table, prediction } = read();
    const { network } = await loaded(owner);
    const io = readFixtureTensors(fixtures, 'schedulers/io.safetensors');
    const process = processOfBetas(table, 've', name);
    // Beyond the table the fixture shows the network a state of another level than t; we clamp both (methods 1.6).
    const sigmas = [...io.get('sigma')!.data].map(Number).filter((sigma) => sigma <= process.table.at(-1)!.sigma);
    expect(sigmas.length).toBeGreaterThan(2);
    sigmas.forEach((sigma, k) => expect(process.levelAt(sigma).t).toBeCloseTo(scheduler.t_of_sigma[k]!, 6));
    const predict = tablePrediction({ type: prediction, learned: false, network: (x, t) => network(x, t) });
    const held = { ...owner, io_file: 'schedulers/io.safetensors' };
    // What float32 loses grows with sigma where noise is predicted, and is of the size of x0hat.
    const tolerance = { x0hat_abs: sigmas.map((sigma) => 5e-5 * Math.max(1, sigma)), vjp_abs: sigmas };
    const denoiser = { sigma: sigmas, noise_input: [], tolerance };
    await checkDenoiser(held, { process, predict }, 0, { denoiser, suffix: `_${name}` });
  });
}

type Bad = { readonly files: Readonly<Record<string, { readonly expect: string }>> };
const says: Readonly<Record<string, string>> = {
  'unknown-block.config.json': 'down_block_types names "AttnSkipDownBlock2D", which is not implemented.',
  'fourier.config.json': 'time_embedding_type is "fourier", and read are positional.',
  'other-class.config.json': '_class_name is "UNet2DConditionModel", and read are UNet2DModel.',
  'other-widths.config.json': 'the weights do not fit the configuration: tensor',
};
const bad = report.index<Bad>('bad/index.json', { files: {} });
const google = networks.find(([name]) => name === 'ddpm-google')?.[1];
const configs = google === undefined ? [] : Object.keys(bad.files).filter((name) => name.endsWith('.config.json'));
for (const file of configs)
  report.case(`bad/${file}`, async () => {
    const folder = join(scratch, file);
    cpSync(join(fixtureFolder(fixtures), google?.folder ?? ''), folder, { recursive: true });
    cpSync(join(fixtureFolder(fixtures), 'bad', file), join(folder, 'config.json'));
    const making = async (): Promise<void> => (await diffusersModel({ folder, kind: 'vp' }, context)).load?.();
    await expect(making()).rejects.toThrow(ConfigError);
    await expect(making()).rejects.toThrow(says[file] ?? folder);
  });

const scaleShift = networks.find(([name]) => name === 'ddpm-scale-shift')?.[1];
if (google && scaleShift)
  report.case('a folder that is not whole says what is missing', async () => {
    const source = join(fixtureFolder(fixtures), google.folder);
    const without = (name: string): string => {
      const folder = join(scratch, `without-${name}`);
      cpSync(source, folder, { recursive: true, filter: (path) => !path.endsWith(name) });
      return folder;
    };
    const made = (folder: string) => diffusersModel({ folder, kind: 'vp' }, context);
    await expect(made(without('/config.json'))).rejects.toThrow('has no config.json: it is not a folder of diffusers');
    await expect(made(without('scheduler_config.json'))).rejects.toThrow('has no scheduler_config.json');
    await expect(made(without('.bin'))).rejects.toThrow('has no weights: none of diffusion_pytorch_model.safetensors,');
    const classes = (label?: number) =>
      diffusersModel({ folder: scaleShift.folder, kind: 'vp', ...(label === undefined ? {} : { label }) }, context);
    // The class may come with each problem.
    expect((await classes()).classes).toEqual({ count: 5, needed: true });
    await expect(classes(5)).rejects.toThrow('label is 5, and the network has the classes 0 to 4.');
    await expect(diffusersModel({ folder: google.folder, kind: 'vp', label: 1 }, context)).rejects.toThrow(
      'label is 1, but the network has no classes.',
    );
  });
