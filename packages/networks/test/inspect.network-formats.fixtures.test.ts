/** What a file is told to be from its tensors alone, for every network of the fixtures. */
import { testContext } from '@tweedie/testing';
import { fixtureFolder, fixtureReport, hasFixture, readFixtureJson, weightsOfNetwork } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { inferredAdm } from '../src/adm-inferred.ts';
import { type AdmConfig, admParameters, admPlan, inspectCheckpoint, openCheckpoint } from '../src/index.ts';
import { ffhq, imagenet, smallest } from './configurations.ts';
import type { Format, Formats } from './formats.ts';

const report = fixtureReport('network-formats', 'inspect');
const { files } = testContext(fixtureFolder('network-formats'));
const { models } = report.index<Formats>('index.json', { models: {} });

/** The configuration with what tensors cannot tell taken from the right one: it makes the same network. */
const checkAdm = (config: AdmConfig, shapes: ReadonlyMap<string, readonly number[]>): void => {
  const { config: found, attentionFactors } = inferredAdm(shapes, 'net.pt');
  const { image_size, num_heads, num_head_channels, num_heads_upsample, use_new_attention_order } = config;
  const rest = { image_size, num_heads, num_head_channels, num_heads_upsample, use_new_attention_order };
  const attention_resolutions = attentionFactors.map((factor) => image_size / factor).join(',') || 'none';
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  const whole = { ...found, ...given, attention_resolutions } as AdmConfig;
  // Middle attention is there wherever attention is asked for, at no size of the image, too.
  if (attentionFactors.length > 0) expect(admPlan(whole)).toEqual(admPlan(config));
  expect(found.num_channels).toBe(config.num_channels);
  expect(found.learn_sigma).toBe(config.learn_sigma ?? false);
};

for (const [name, config] of Object.entries({
  ffhq,
  imagenet,
  smallest,
  bare: { ...smallest, conv_resample: false },
  additive: { ...smallest, use_scale_shift_norm: false, resblock_updown: true },
  classes: { ...smallest, class_cond: true, num_classes: 10 },
}))
  report.case(`${name}, its configuration from tensors`, () =>
    checkAdm(config, new Map(admParameters(config).map((parameter) => [parameter.name, parameter.shape]))),
  );

if (hasFixture('network', 'index.json')) {
  const index = readFixtureJson<{ models: Record<string, { config: AdmConfig }> }>('network', 'index.json');
  const { files: ofNetworks } = testContext(fixtureFolder('network'));
  for (const [name, { config }] of Object.entries(index.models)) {
    const weights = weightsOfNetwork(name);
    if (weights === undefined) continue;
    report.case(`network/${name}`, async () => checkAdm(config, (await openCheckpoint(weights, ofNetworks)).shapes));
  }
}

type Listed = Format & { readonly folder?: string; readonly files?: Readonly<Record<string, string>> };
for (const [name, model] of Object.entries(models)) {
  const { folder, files: listed = {}, format, parameters } = model as unknown as Listed;
  const paths = folder ? [folder] : [...Object.keys(listed), ...Object.values(listed)];
  for (const path of paths.filter((each) => each === folder || /\.(pt|pkl|ckpt)$/.test(each)))
    report.case(`${name}: ${path}`, async () => {
      const found = await inspectCheckpoint(path, files, format === 'adm' ? 8 : undefined);
      const ids = { diffusers: 'diffusers', edm: 'edm', adm: 'ddpm-vp' };
      expect(found.model.id).toBe(ids[format]);
      expect(Object.values(found.model.options)).toContain(path);
      // Augmentation has parameters that sampling leaves alone; frequencies are no parameters.
      expect(Math.abs(found.parameters! - parameters)).toBeLessThan(500);
      if (path.endsWith('.bare.pt')) expect(found.asked[0]?.[0]).toBe('preconditioning');
      if (path.endsWith('.pkl')) expect(found.asked.filter(([option]) => option !== 'label')).toEqual([]);
      if (format === 'adm') checkAdm(model['config'] as AdmConfig, (await openCheckpoint(path, files)).shapes);
    });
}
