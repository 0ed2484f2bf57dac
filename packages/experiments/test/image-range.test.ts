/** What metrics and pictures take as full scale: the range of the images, or the spread of the clean ones. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeImage } from '@tweedie/files';
import { afterAll, describe, expect, it } from 'vitest';
import { compare, type ComparisonJson } from '../src/index.ts';

const runs = mkdtempSync(join(tmpdir(), 'image-range-'));
afterAll(() => rmSync(runs, { recursive: true }));

/** 1.5 on the left and 2.5 on the right, give or take 0.1. */
const means = Array.from({ length: 16 * 16 }, (_, k) => (k % 16 < 8 ? 1.5 : 2.5));
const recipe = {
  model: { id: 'gmm', options: { shape: [16, 16, 1], means: [means], variances: 0.01 } },
  images: { from: 'prior', count: 4 } as const,
  operators: ['identity'],
  sigmaY: 10,
  methods: ['none'],
  scheduler: { id: 'ddim', options: { steps: 20 } },
  engine: 'eager',
  metrics: ['psnr', 'ssim', { id: 'psnr', label: 'psnr of 2', options: { range: [1, 3] } }],
};
const scores = ({ rows }: ComparisonJson): Record<string, number> =>
  Object.fromEntries(rows.map(({ metric, mean }) => [metric, mean]));

describe('images without a range', () => {
  it('are scored over the spread of the clean ones, or the option, and not clipped', async () => {
    const { json, table, report } = await compare({ recipe, out: join(runs, 'free') });
    const { psnr, ssim, 'psnr of 2': ofTwo } = scores(json) as Record<'psnr' | 'ssim' | 'psnr of 2', number>;
    // The truth lies 0.1 around the means, and the sample, in few steps, between 0 and 0.1: a mean squared error
    // between 0.01 and 0.02 of (3 - 1)^2, give or take 5 % for 4 images of 256 entries.
    expect(ofTwo).toBeGreaterThan(-10 * Math.log10(0.021 / 4));
    expect(ofTwo).toBeLessThan(-10 * Math.log10(0.0095 / 4));
    expect(ssim).toBeLessThan(0.98);
    const [, low, high] = /full scale \[(.*), (.*)\], the spread of the clean images; nothing is clipped/.exec(table)!;
    expect(Number(low)).toBeGreaterThan(1);
    expect(Number(low)).toBeLessThan(1.3);
    expect(psnr - ofTwo).toBeCloseTo(20 * Math.log10((Number(high) - Number(low)) / 2), 2);
    expect(table.match(/psnr, ssim: full scale/g)).toHaveLength(1);
    expect(table).toContain('psnr of 2: full scale [1, 3], its option "range"; nothing is clipped.');
    expect(json.outside).toEqual([]);

    const html = readFileSync(report, 'utf8');
    expect(html.match(/Black is 1\.\d+ and white is 2\.\d+ in all pictures/g)).toHaveLength(1);
    expect(html).toContain('psnr, ssim: full scale');
    const [, truth = ''] = /src="data:image\/png;base64,([^"]+)" alt="prior 0, ground truth"/.exec(html)!;
    const pixels = await decodeImage(Buffer.from(truth, 'base64'), 'truth', { height: 16, width: 16, channels: 1 });
    expect(Math.max(...pixels)).toBeGreaterThan(0.8);
    expect(Math.min(...pixels)).toBeLessThan(-0.8);
  });

  it('have other scores where the spread is another, in one run folder too', async () => {
    const out = join(runs, 'free');
    const one = { ...recipe, images: { from: 'prior', count: 1 } as const };
    const apart = await compare({ recipe: one, out: join(runs, 'one') });
    expect(scores((await compare({ recipe: one, out })).json)).toEqual(scores(apart.json));
  });
});

describe('images with a range', () => {
  it('are clipped to it, and the table says how much of the samples was', async () => {
    const model = { id: 'empirical', options: { dataset: { id: 'emoji', options: { size: 32 } }, limit: 20 } };
    const { json, table } = await compare({
      recipe: { ...recipe, model, images: { ...recipe.images, count: 2 }, metrics: ['psnr'] },
      out: join(runs, 'emoji'),
    });
    expect(json.scales).toEqual([
      { metric: 'psnr', scale: 'full scale [-1, 1], the range of the images; entries are clipped to it' },
    ]);
    const share = json.outside[0]!.share;
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(1);
    expect(table).toContain(`clipped to it (${(100 * share).toFixed(1)} % of the entries of the samples).`);
  });
});
