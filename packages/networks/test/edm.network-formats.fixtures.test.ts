/** Networks of NVlabs/edm from pickles and state dicts: outputs, x0hat at four levels, and files that are refused. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { fixtureFolder, fixtureReport, hasFixture } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { openEdm } from '../src/edm/file.ts';
import { inferredConfig } from '../src/edm/infer.ts';
import { edmParameters } from '../src/edm/plan.ts';
import { iddpmLevels, type PreconditioningKind, usualPreconditioning } from '../src/edm/preconditioning.ts';
import { edmUnet } from '../src/edm/unet.ts';
import { edmModel, openCheckpoint } from '../src/index.ts';
import { readWeights } from '../src/parameters.ts';
import { checkDenoiser, checkOutputs, type Format, type Formats } from './formats.ts';

type Edm = Format & {
  readonly precond: string;
  readonly parameter_tensors: number;
  readonly files: Readonly<Record<string, string>>;
  readonly config: { readonly label_dim: number; readonly augment_dim?: number };
};
const kinds: Readonly<Record<string, PreconditioningKind>> = {
  EDMPrecond: 'edm',
  VPPrecond: 'vp',
  VEPrecond: 've',
  iDDPMPrecond: 'iddpm',
};
const fixtures = 'network-formats';
const report = fixtureReport(fixtures, 'edm');
const folder = fixtureFolder(fixtures);
const context = testContext(folder);
const { files } = context;
const { models } = report.index<Formats>('index.json', { models: {} });
const networks = Object.entries(models).flatMap(([name, model]) =>
  model.format === 'edm' ? [[name, model as unknown as Edm] as const] : [],
);

for (const [name, model] of networks) {
  const classes = model.config.label_dim;
  for (const file of Object.values(model.files).filter((each) => /\.(pkl|pt)$/.test(each))) {
    report.case(`${file}, outputs and their gradients`, async () => {
      const { config, checkpoint } = await openEdm(file, files);
      const parameters = edmParameters(config, file);
      const augmentation = model.config.augment_dim ? 1 : 0;
      const buffers = config.embedding === 'fourier' ? 1 : 0;
      expect(parameters.length).toBe(model.parameter_tensors - augmentation + buffers);
      await checkOutputs(model, edmUnet(config, await readWeights(parameters, checkpoint)), classes);
    });
    for (const kind of ['vp', 've'] as const)
      report.case(`${file}, x0hat and its gradient as ${kind}`, async () => {
        const known = kinds[model.precond]!;
        const preconditioning = file.endsWith('.pkl') ? {} : { preconditioning: known };
        const made = await edmModel({ weights: file, process: { kind }, ...preconditioning }, context);
        await made.load?.();
        await checkDenoiser(model, made, classes);
        made.dispose?.();
      });
  }
  const pickle = model.files['pkl'];
  if (pickle === undefined) continue;
  report.case(`${pickle}, its configuration from tensors alone`, async () => {
    const { config, checkpoint, preconditioning } = await openEdm(pickle, files);
    expect(preconditioning?.kind).toBe(kinds[model.precond]);
    const filter = config.multipliers.length > 1 ? config.filter : undefined;
    // Where no level is wide enough for a head there is no attention, wherever it was asked for.
    const narrow = config.type === 'dhariwal' && config.width * Math.max(...config.multipliers) < 64;
    const attentionAt = narrow ? [] : config.attentionAt;
    const single = config.multipliers.length === 1 ? { encoder: 'standard', decoder: 'standard' } : {};
    expect(inferredConfig(checkpoint.shapes, filter, name)).toEqual({ ...config, attentionAt, ...single });
  });
}

report.case('the levels of iDDPM', () => {
  const levels = iddpmLevels(usualPreconditioning.iddpm);
  expect(levels.length).toBe(1001);
  const index = models['iddpm-dhariwal'] as unknown as
    { readonly precond_config: { readonly sigma_min: number; readonly sigma_max: number } } | undefined;
  if (!index) return;
  expect(Math.abs(levels[0]! / index.precond_config.sigma_max - 1)).toBeLessThan(1e-5);
  // The fixture's are float32, in which the squares of the last levels nearly drown in 1.
  expect(Math.abs(levels[999]! / index.precond_config.sigma_min - 1)).toBeLessThan(1e-3);
});

const says: Readonly<Record<string, string>> = {
  'os-system.pkl': 'the file asks for "posix.system"',
  'os-system-in-state.pkl': 'the file asks for "posix.system"',
  'os-system-in-storage.pkl': 'the file asks for "posix.system"',
  'os-system.ckpt': 'the file asks for "posix.system"',
  'builtins.pkl': 'the file asks for "builtins.eval"',
  'truncated.pkl': 'in the middle',
  'truncated-storage.pkl': 'or ends behind the file.',
  'no-ema.pkl': 'is a pickle without a network under "ema"',
  'unknown-class.pkl':
    'its class "VEPrecondX" is not implemented. Read are EDMPrecond, VPPrecond, VEPrecond, iDDPMPrecond.',
  'missing-parameter.pkl': 'tensor "map_layer1.bias" is missing.',
  'wrong-shape.pkl': 'tensor "map_layer0.weight" has shape [32, 7], the configuration needs [32, 8].',
};
type Bad = { readonly marker: string; readonly files: Readonly<Record<string, { readonly expect: string }>> };
const bad = report.index<Bad>('bad/index.json', { marker: '', files: {} });
for (const [file, { expect: what }] of Object.entries(bad.files).filter(([name]) => /\.(pkl|ckpt)$/.test(name))) {
  const weights = join('bad', file);
  const open = async () => {
    const model = await edmModel({ weights, process: { kind: 've' } }, context);
    await model.load?.();
    return model;
  };
  const untouched = (): void => {
    for (const place of [folder, join(folder, 'bad'), process.cwd()]) {
      expect(existsSync(join(place, bad.marker))).toBe(false);
      expect(readdirSync(place)).not.toContain(bad.marker);
    }
  };
  report.case(`bad/${file}`, async () => {
    if (what === 'load') {
      const model = await open();
      const same = models['vp-ddpmpp'] as unknown as Edm | undefined;
      if (same) await checkDenoiser(same, model);
      model.dispose?.();
    } else {
      await expect(open()).rejects.toThrow(ConfigError);
      await expect(open()).rejects.toThrow(says[file] ?? weights);
    }
    untouched();
  });
}

const bare = networks.flatMap(([, { files: all }]) => Object.values(all)).find((file) => file.endsWith('.bare.pt'));
if (bare !== undefined && hasFixture(fixtures, 'vp-ddpmpp.pkl') && hasFixture(fixtures, 'edm-dhariwal.pkl'))
  report.case('what a file says is checked, what it does not say is asked for', async () => {
    const make = (weights: string, options: object) => edmModel({ weights, process: {}, ...options }, context);
    await expect(make(bare, {})).rejects.toThrow('Give preconditioning: edm, vp, ve, iddpm (NVlabs/edm');
    await expect(make(bare, { preconditioning: 'vp', sigma_data: 1 })).rejects.toThrow('"vp" has none.');
    await expect(make(bare, { preconditioning: 'iddpm' })).rejects.toThrow('of 3 channels cannot give 3.');
    await expect(make('vp-ddpmpp.pkl', { preconditioning: 'edm' })).rejects.toThrow(
      'preconditioning is "edm", but the file\'s is "vp". Leave preconditioning out.',
    );
    await expect(make('edm-dhariwal.pkl', { sigma_data: 1 })).rejects.toThrow(
      'sigma_data is 1, but the file says 0.5.',
    );
    await expect(make('edm-dhariwal.pkl', { label: 4 })).rejects.toThrow(
      'label is 4, and the network has the classes 0 to 3.',
    );
    await expect(make('adm-class.pt', {})).rejects.toThrow('holds no network of NVlabs/edm');
    await expect(openCheckpoint('vp-ddpmpp.pkl', files)).rejects.toThrow('is a network snapshot of NVlabs/edm');
  });
