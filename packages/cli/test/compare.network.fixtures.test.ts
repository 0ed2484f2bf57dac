/**
 * A network of the fixtures as prior, through the command, with every method of the registry, as a VP and as a VE
 * model.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fixtureFolder, fixtureReport, hasFixture } from '@tweedie/testing/fixtures';
import { afterAll, expect } from 'vitest';
import { tweedie } from './start.ts';

type Row = { readonly operator: string; readonly label: string; readonly n: number; readonly mean: number };
type Cost = { readonly operator: string; readonly label: string; readonly forwards: number; readonly vjps: number };

const folder = mkdtempSync(join(tmpdir(), 'tweedie-network-'));
afterAll(() => rmSync(folder, { recursive: true }));
const report = fixtureReport('network', 'compare');

const registry = fileURLToPath(new URL('../../../registry.json', import.meta.url));
const { plugins } = JSON.parse(readFileSync(registry, 'utf8')) as { plugins: Readonly<Record<string, string>> };
const methods = Object.keys(plugins).flatMap((name) =>
  // `external` reads samples that another program has drawn.
  name.startsWith('guidance/') && name !== 'guidance/external' ? [name.slice('guidance/'.length)] : [],
);
/** DAPS visits 200 levels of its own, and the network five times at each. */
const shorter: Readonly<Record<string, object>> = process.env['TWEEDIE_FULL'] === '1' ? {} : { daps: { levels: 20 } };
const asked = methods.map((id) => ({ id, label: id, options: { ...shorter[id] } }));
/** The network of the fixtures is random: only where steps are small does its variance stay within reason. */
const learned = {
  id: 'none',
  label: 'learned variance',
  scheduler: { id: 'ddpm', options: { steps: 20, variance: 'learned-range' } },
};
/** Nothing else than a prior in closed form will do for these, or, for `exact`, A = I. */
const skipped: readonly string[] = ['inpaint exact', 'identity posterior', 'inpaint posterior'];

type Index = {
  models: Readonly<Record<string, { readonly config: { readonly image_size: number } }>>;
};
const { models } = report.index<Index>('index.json', { models: {} });
const [name, network] = Object.entries(models).find(([model]) => hasFixture('network', `${model}.safetensors`)) ?? [];

for (const model of ['ddpm-vp', 'ddpm-ve']) {
  if (network === undefined) {
    report.notListed('a network with weights as safetensors');
    break;
  }
  report.case(`${name} as ${model}`, async () => {
    const recipe = {
      model: {
        id: model,
        options: { ...network.config, weights: join(fixtureFolder('network'), `${name}.safetensors`) },
      },
      images: { dataset: { id: 'emoji', options: { size: network.config.image_size } }, count: 1 },
      operators: ['identity', { id: 'inpaint', options: { pattern: 'random', rate: 0.5 } }],
      sigmaY: 0.1,
      methods: [...asked, learned],
      scheduler: { id: 'ddpm', options: { steps: 2 } },
      metrics: ['psnr', 'ssim'],
      chunk: 1,
      impossible: 'skip',
    };
    writeFileSync(join(folder, `${model}.json`), JSON.stringify(recipe));
    const { code, out, err } = await tweedie(['compare', `${model}.json`, '--out', model, '--json'], { cwd: folder });
    expect(code, err).toBe(0);
    const { rows, cost, failures } = JSON.parse(out) as {
      rows: readonly Row[];
      cost: readonly Cost[];
      failures: readonly unknown[];
    };
    expect(failures).toEqual([]);
    const ran = [...new Set(rows.map(({ operator, label }) => `${operator} ${label}`))];
    const all = ['identity', 'inpaint'].flatMap((operator) =>
      [...methods, learned.label].map((method) => `${operator} ${method}`),
    );
    expect(ran).toEqual(all.filter((row) => !skipped.includes(row)));
    expect(rows.every(({ n, mean }) => n === 1 && Number.isFinite(mean))).toBe(true);
    expect(cost.find(({ label }) => label === 'dps')).toMatchObject({ forwards: 2, vjps: 2 });
  });
}
