/** Tables whose posterior is known: what marks their rows, and what draws of the posterior itself score. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compare, exportRun, openResults, plan, report, type Comparison, type ExperimentInput } from '../src/index.ts';
import { distancesOf } from '../src/results/posterior.ts';
import { FLOOR_SETS, floorCell, measureKey } from '../src/run/measure-keys.ts';
import { meanCell, type IndexRow, type RunIndex } from '../src/run/run-index.ts';

const full = process.env['TWEEDIE_FULL'] === '1';
const newFolder = (): string => join(mkdtempSync(join(tmpdir(), 'tweedie-posterior-')), 'run');

/** Three Gaussians with full covariances in four dimensions. */
const model = {
  id: 'gmm',
  options: {
    shape: [1, 4, 1],
    weights: [0.5, 0.3, 0.2],
    means: [
      [1, 1, 0, -0.5],
      [-1, 0.5, 0.5, 1],
      [0, -1, -1, 0],
    ],
    covariances: [
      [
        [0.3, 0.15, 0.1, 0],
        [0.15, 0.25, 0.05, 0.05],
        [0.1, 0.05, 0.2, -0.05],
        [0, 0.05, -0.05, 0.15],
      ],
      [
        [0.2, -0.1, 0, 0.05],
        [-0.1, 0.3, 0.1, 0],
        [0, 0.1, 0.25, 0.1],
        [0.05, 0, 0.1, 0.2],
      ],
      [
        [0.15, 0.05, 0, 0],
        [0.05, 0.2, 0.1, 0.05],
        [0, 0.1, 0.3, 0.1],
        [0, 0.05, 0.1, 0.25],
      ],
    ],
  },
};
const recipe: ExperimentInput = {
  title: 'Known',
  model,
  images: { from: 'prior', count: 12 },
  operators: [{ id: 'inpaint', label: 'mask', options: { rate: 0.5 } }],
  sigmaY: 0.5,
  methods: [
    'posterior',
    { id: 'posterior', label: 'posterior mean', options: { statistic: 'mean' } },
    { id: 'exact', label: 'exact', scheduler: { id: 'edm', options: { steps: 40 } } },
    // Ten steps whose variance is too small: narrow samples, and the best PSNR of all.
    { id: 'exact', label: 'narrow', scheduler: { id: 'ddpm', options: { steps: 10 } } },
    'dps',
  ],
  scheduler: { id: 'ddpm', options: { steps: 50 } },
  metrics: ['psnr'],
  samples: 48,
  trace: 4,
};

describe('a table with a known posterior', () => {
  const out = newFolder();
  let whole: Comparison;
  const of = (label: string, measure: string) =>
    whole.json.distances.find((each) => each.label === label && each.measure === measure);
  beforeAll(async () => {
    whole = await compare({ recipe, out });
  });

  it('has the posterior within the range of independent draws on every measure', () => {
    const own = whole.json.distances.filter(({ label }) => label === 'posterior');
    expect(own.map(({ measure }) => measure)).toEqual([
      'slicedW1',
      'slicedW2',
      'slicedW1Absolute',
      'energyDistance',
      'modeWeightError',
      'hitRate',
      'meanError',
      'covarianceError',
      'traceRatio',
      'c2st',
      'mmseGap',
      'hpd coverage',
      'tarp coverage',
      'sbc coverage',
      'crps',
      'spreadSkill',
    ]);
    for (const { measure, mean, iid } of own) {
      expect(mean, `${measure} of ${iid?.low} to ${iid?.high}`).toBeGreaterThanOrEqual(iid!.low);
      expect(mean, `${measure} of ${iid?.low} to ${iid?.high}`).toBeLessThanOrEqual(iid!.high);
    }
    expect(of('posterior', 'slicedW1')!.iid!.mean).toBeCloseTo(1, 10);
  });

  it('marks no row by PSNR, and never the posterior or its mean', () => {
    const { rows, distances } = whole.json;
    expect(rows.every(({ best }) => !best)).toBe(true);
    const psnr = (label: string) => rows.find((row) => row.label === label)!.mean;
    expect(psnr('narrow')).toBeGreaterThan(psnr('exact'));
    const marked = distances.filter(({ best }) => best).map(({ label }) => label);
    expect(marked).not.toContain('posterior');
    expect(marked).not.toContain('posterior mean');
    for (const label of ['posterior', 'posterior mean']) expect(of(label, 'slicedW1')).not.toHaveProperty('best');
  });

  it('never marks a row that is farther', () => {
    const deciding = whole.json.distances.filter(({ measure, best }) => measure === 'slicedW1' && best !== undefined);
    const miss = ({ mean }: { mean: number }) => Math.abs(mean - 1);
    const closest = [...deciding].sort((a, b) => miss(a) - miss(b))[0]!;
    for (const row of deciding) if (row.best) expect(row.label).toBe(closest.label);
    expect(closest.label).toBe('exact');
    for (const { toBest } of deciding.filter(({ label }) => label !== 'exact')) expect(toBest!.mean).toBeGreaterThan(0);
    expect(of('dps', 'slicedW1')!.mean).toBeGreaterThan(2);
  });

  it('shows distance, coverage and the range of independent draws, and why a row is marked', () => {
    const { table } = whole;
    expect(table).toMatch(/method +sliced W1 \(iid = 1\) +to best +p +coverage 90 % +psnr/);
    expect(table).toMatch(/\n {2}iid draws, 95 % range +1\.00 \(0\.\d\d to 1\.\d\d\)/);
    expect(table).toContain('Posterior rows are never marked.');
    expect(table).toMatch(/The posterior has \d\.\d modes that count/);
    expect(table).not.toContain('to best", the paired difference to the row with the best mean');
    const page = readFileSync(whole.report, 'utf8');
    for (const title of ['energy distance', 'mode-weight error', 'TARP coverage', 'C2ST', 'MMSE gap'])
      expect(page).toContain(`${title}</span>`);
  });

  it('is the same from the folder, draws nothing twice, and exports every value', async () => {
    expect((await report(out)).json.distances).toEqual(whole.json.distances);
    const started = async () => {
      const results = await openResults(out);
      try {
        return [...(await results.cells()).values()].map(({ key, started: time }) => [key, time.getTime()]);
      } finally {
        results.close();
      }
    };
    const before = await started();
    expect((await compare({ recipe, out })).json.distances).toEqual(whole.json.distances);
    // The one step of the posterior leaves a trace as well, or its traced samples would be drawn every time.
    expect(await started()).toEqual(before);
    const { files } = await exportRun(out);
    const lines = readFileSync(
      files.find((file) => file.endsWith('measures.csv'))!,
      'utf8',
    )
      .trim()
      .split('\n')
      .map((line) => line.split(','));
    expect(lines[0]!.slice(0, 6)).toEqual(['operator', 'sigma_y', 'label', 'image', 'measure', 'value']);
    const tex = readFileSync(
      files.find((file) => file.endsWith('table.tex'))!,
      'utf8',
    );
    expect(tex).toContain('posterior never are, nor is exact score, ddpm 50, what these steps alone leave.');
    const own = lines.filter(([, , label, , measure]) => label === 'exact' && measure === 'slicedW1');
    expect(own).toHaveLength(12);
    const mean = own.reduce((sum, line) => sum + Number(line[5]), 0) / 12;
    expect(mean).toBeCloseTo(of('exact', 'slicedW1')!.mean, 12);
  });

  it('has the exact score at these steps as a floor that moves no other row', async () => {
    const label = 'exact score, ddpm 50';
    const floors = whole.json.distances.filter((row) => row.label === label);
    expect(floors.find(({ measure }) => measure === 'slicedW1')).toMatchObject({ method: 'exact', n: 12 });
    for (const floor of floors) {
      expect(floor).not.toHaveProperty('best');
      expect(floor).not.toHaveProperty('toBest');
    }
    expect(whole.json.rows.find((row) => row.label === label)).not.toHaveProperty('toBest');
    expect(whole.table).toContain(`"${label}": guidance without error, so what these steps alone leave`);
    expect(readFileSync(whole.report, 'utf8')).toContain('what these steps alone leave; never marked');

    const without = await compare({ recipe: { ...recipe, floor: false }, out: newFolder() });
    const others = <T extends { label: string }>(rows: readonly T[]) => rows.filter((row) => row.label !== label);
    expect(without.json.distances).toEqual(others(whole.json.distances));
    expect(without.json.rows).toEqual(others(whole.json.rows));
    expect(without.table).not.toContain('these steps alone');
  });

  it('has the floor once, on problems that allow it, and unasked from 32 samples on', async () => {
    const labels = async (change: Partial<ExperimentInput>) => {
      const { json } = await plan({ recipe: { ...recipe, ...change } });
      return json.rows.map(({ label }) => label);
    };
    const label = 'exact score, ddpm 50';
    expect(await labels({})).toContain(label);
    expect(await labels({ samples: 31 })).not.toContain(label);
    expect(await labels({ samples: 31, floor: true })).toContain(label);
    expect(await labels({ methods: ['dps', 'exact'] })).toEqual(['dps', 'exact']);
    expect(await labels({ methods: [{ id: 'dps', label }] })).toEqual([label, `${label}, floor`]);
    expect(await labels({ budget: 60, methods: ['dps'] })).toEqual(['dps', 'exact score, ddpm 20']);
    expect(await labels({ sigmaY: { poisson: 0.05 }, methods: ['dps'] })).toEqual(['dps']);
    await expect(labels({ sigmaY: { poisson: 0.05 }, methods: ['dps'], floor: true })).rejects.toThrow(
      "/floor] the floor is the exact score of the posterior, and none is known here: the noise is Poisson's.",
    );
  });

  it('leaves the floor out where the prior turns out to have no closed form, also where nothing is skipped', async () => {
    // 1089 entries are too many for dense matrices, and these variances are not diagonal in the basis of a blur.
    const entries = Array.from({ length: 1089 }, (_, i) => i);
    const variances = [entries.map((i) => 1 + (i % 2))];
    const large: ExperimentInput = {
      ...recipe,
      model: { id: 'gmm', options: { shape: [33, 33, 1], means: [entries.map(() => 0)], variances } },
      images: { from: 'prior', count: 1 },
      operators: [
        { id: 'inpaint', label: 'mask', options: { rate: 0.5 } },
        { id: 'blur', options: { std: 1, size: 3 } },
      ],
      methods: ['none'],
      scheduler: { id: 'ddpm', options: { steps: 2 } },
      samples: 32,
      metrics: [],
      trace: 1,
    };
    const { json } = await compare({ recipe: large, out: newFolder() });
    const rows = [...new Set(json.cost.map(({ operator, label }) => `${operator}: ${label}`))];
    expect(rows).toEqual(['mask: none', 'mask: exact score, ddpm 2', 'blur: none']);
    expect(json.modes).toEqual([{ operator: 'mask', sigmaY: 0.5, mean: 1, least: 1, most: 1 }]);
  });

  it('counts the modes of the posterior, with one sample of an image too', async () => {
    const [modes] = whole.json.modes;
    expect(modes).toMatchObject({ operator: 'mask', sigmaY: 0.5 });
    expect(modes!.least).toBeGreaterThanOrEqual(1);
    expect(modes!.mean).toBeGreaterThan(modes!.least);
    expect(modes!.most).toBeLessThanOrEqual(3);
    const single = await compare({ recipe: { ...recipe, methods: ['none'], samples: 1 }, out: newFolder() });
    expect(single.json.modes).toEqual(whole.json.modes);
    const said =
      /The posterior has \d\.\d modes that count \(1 \/ sum of squared weights; \d\.\d to \d\.\d from image to image\)/;
    for (const { table } of [whole, single]) expect(table).toMatch(said);
    expect(readFileSync(single.report, 'utf8')).toMatch(
      `<span data-measure="effectiveModes">${modes!.mean.toFixed(1)}</span> modes that count`,
    );
  });

  it('with fewer than 32 samples no row is marked, and the table says why', async () => {
    for (const samples of [1, 31]) {
      const { json, table } = await compare({ recipe: { ...recipe, samples }, out: newFolder() });
      expect([...json.rows, ...json.distances].every(({ best = false }) => !best)).toBe(true);
      const here = samples === 1 ? 'there is 1' : 'there are 31';
      const why = `the posterior is known, so distance to it would mark a row, and that takes 32 samples an image or more; here ${here}`;
      expect(json.unmarked).toEqual([{ operator: 'mask', sigmaY: 0.5, why }]);
      expect(table).toContain(`  No row is marked: ${why}.`);
      expect(table).not.toMatch(/^ .*\* \d/m);
      expect(json.distances.length === 0).toBe(samples === 1);
      // Scores against the clean image are told beside those of the truth, which samples that are too narrow exceed.
      expect(table).toMatch(/psnr \(dB\) ↑ +to posterior/);
      const difference = (label: string) => json.rows.find((row) => row.label === label)!.toBest;
      expect(difference('posterior')).toBeUndefined();
      if (samples === 1) continue;
      expect(difference('posterior mean')!.mean).toBeGreaterThan(1);
      expect(difference('narrow')!.mean).toBeGreaterThan(difference('exact')!.mean);
    }
  });

  it('where the posterior is not known a metric marks rows, and samples are scored against the image', async () => {
    const { json, table } = await compare({
      recipe: {
        ...recipe,
        sigmaY: { poisson: 0.05 },
        methods: ['none', 'dps', 'posterior'],
        impossible: 'skip',
        samples: 4,
      },
      out: newFolder(),
    });
    expect(table).toContain("posterior: skipped, it needs noise.gaussian; the noise is Poisson's");
    expect(json.unmarked).toEqual([]);
    expect(new Set(json.distances.map(({ measure }) => measure))).toEqual(new Set(['crps', 'spreadSkill']));
    expect(table).not.toContain('sliced W1');
  });
});

describe('the row that is marked', () => {
  /** Rows whose images have these scores, with 40 samples each. */
  const table = async (scores: Readonly<Record<string, readonly number[]>>, samples = 40) => {
    const images = Object.values(scores)[0]!.map((_, i) => `image ${i}`);
    const cellsOf = (label: string) =>
      images.map((image) => Array.from({ length: samples }, (_, s) => `${label} ${image} ${s}`));
    const rows = Object.keys(scores).map(
      (label) =>
        ({
          label,
          method: label,
          ...(label === 'posterior' ? { truth: 'draws' } : {}),
          problems: images,
          cells: cellsOf(label),
          posteriorKnown: true,
        }) as unknown as IndexRow,
    );
    const stored = new Map<string, number>();
    for (const [label, values] of Object.entries(scores))
      cellsOf(label).forEach((cells, i) => stored.set(meanCell(cells), values[i]!));
    for (let set = 0; set < FLOOR_SETS; set++)
      images.forEach((image, i) => stored.set(floorCell(image, samples, set), 1 + 0.01 * (((set + i) % 3) - 1)));
    const index = { images, samples, rows } as unknown as RunIndex;
    const found = await distancesOf(index, rows, {
      scores: (key) => Promise.resolve(key === measureKey('slicedW1') ? stored : new Map()),
    });
    return new Map(rows.map(({ label }, i) => [label, found[i]!]));
  };
  const noisy = (center: number) => [0.004, -0.003, 0.002, -0.004, 0.001, 0].map((noise) => center + noise);

  it('is not one that is closer than independent draws are, because it is too narrow', async () => {
    const rows = await table({ right: noisy(1.001), narrow: noisy(0.97), wide: noisy(1.2) });
    expect([...rows].filter(([, { distance }]) => distance?.best).map(([label]) => label)).toEqual(['right']);
    expect(rows.get('narrow')!.distance!.difference!.mean).toBeCloseTo(0.03 - 0.001, 10);
  });

  it('is none where an interval crosses zero, nor the posterior', async () => {
    const even = await table({ a: noisy(1.1), b: [1.3, 0.9, 1.2, 1.0, 1.15, 1.1], posterior: noisy(1) });
    expect([...even.values()].some(({ distance }) => distance?.best)).toBe(false);
    expect(even.get('posterior')!.distance).toBeUndefined();
    const far = await table({ a: noisy(1.1), b: noisy(2), posterior: noisy(1) });
    expect(far.get('a')!.distance!.best).toBe(true);
  });
});

describe.runIf(full)('the exact score with 1000 steps', () => {
  it('is within 1.5 times the floor on the mixture with full covariances', async () => {
    const { json } = await compare({
      recipe: {
        ...recipe,
        images: { from: 'prior', count: 8 },
        methods: ['posterior', { id: 'exact', scheduler: { id: 'ddpm', options: { steps: 1000 } } }],
        floor: false,
        samples: 1000,
      },
      out: newFolder(),
    });
    const own = json.distances.filter(({ measure }) => measure === 'slicedW1');
    for (const { mean, label } of own) expect(mean, label).toBeLessThan(1.5);
  });
});
