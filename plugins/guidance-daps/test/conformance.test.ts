import { readFileSync } from 'node:fs';
import { describeGuidance } from '@tweedie/testing';
import { expect, it } from 'vitest';

const quick = { levels: 20, mcmcSteps: 5 };
// Not `sampler: mh`, which uses less than the manifest needs: no gradient of the operator. Its levels and its noise are
// its own: no option makes it the scheduler alone.
describeGuidance(import.meta.url, { options: [quick, { ...quick, variant: 'main', sampler: 'hmc' }], off: false });

/** Of the released task configurations; all others fall to 0.01. */
const released: Readonly<Record<string, number>> = {
  'super-resolution-hmc': 0.012,
  'inpaint-random-hmc': 0.015,
  'inpaint-box-hmc': 0.014,
  'deblur-gaussian-hmc': 0.011,
};

it('every preset has the ratio of step sizes of its released task', () => {
  type Options = { readonly lrMinRatio?: number };
  const manifest = JSON.parse(readFileSync(new URL('../plugin.json', import.meta.url), 'utf8')) as {
    readonly presets: Readonly<Record<string, { readonly options: Options }>>;
    readonly options: { readonly properties: { readonly lrMinRatio: { readonly default: number } } };
  };
  const presets = Object.entries(manifest.presets);
  expect(presets.filter(([name]) => name.endsWith('-hmc'))).toHaveLength(10);
  for (const [name, { options }] of presets)
    expect(options.lrMinRatio ?? manifest.options.properties.lrMinRatio.default, name).toBe(
      released[name.replace(/^.*\//, '')] ?? 0.01,
    );
});
