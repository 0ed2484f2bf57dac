import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { binCentres, wham } from '../src/statistics/free-energy.ts';
import { encodePng } from '@tweedie/files';
import { compare, freeEnergy, freeEnergyTruth, report, type ExperimentInput } from '../src/index.ts';

const wells = {
  weights: Float64Array.of(0.5, 0.5),
  means: Float64Array.of(-2, -1, 2, 1),
  covariance: { kind: 'isotropic', variances: Float64Array.of(0.25, 0.49) },
} as const;
const options = { entry: 0, from: -4, to: 4, bins: 40, errors: [-3, 3], barrier: [-1.5, 1.5] } as const;
const sigmaY = 0.5;
const windows = [-3, -2, -1, 0, 1, 2, 3];
const density = (x: number) => Math.exp(-((x + 2) ** 2) / 0.5) / 0.5 + Math.exp(-((x - 2) ** 2) / 0.98) / 0.7;
const restraint = (x: number, centre: number) => Math.exp(-((x - centre) ** 2) / (2 * sigmaY ** 2));

describe('the mathematics', () => {
  it('WHAM of the expected counts is the density itself', () => {
    const centres = binCentres(options);
    const restraints = windows.map((centre) => centres.map((x) => restraint(x, centre)));
    const p = wham(
      restraints.map((factors, k) => centres.map((x, bin) => (1000 + 100 * k) * density(x) * factors[bin]!)),
      restraints,
    );
    const scale = p[0]! / density(centres[0]!);
    p.forEach((value, bin) => expect(value / scale / density(centres[bin]!)).toBeCloseTo(1, 6));
  });

  it('the truth: windows as integrals of density times restraint, F with its lowest value 0', () => {
    const truth = freeEnergyTruth(wells, options, windows, sigmaY);
    const grid = Array.from({ length: 40_001 }, (_, i) => -10 + i / 2000);
    truth.windows.forEach(({ centre, mean, std }) => {
      const weights = grid.map((x) => density(x) * restraint(x, centre));
      const total = weights.reduce((a, b) => a + b, 0);
      const moment = (power: number, about: number) =>
        grid.reduce((sum, x, i) => sum + weights[i]! * (x - about) ** power, 0) / total;
      expect(mean).toBeCloseTo(moment(1, 0), 6);
      expect(std).toBeCloseTo(Math.sqrt(moment(2, mean)), 6);
    });
    expect(Math.min(...truth.energy)).toBe(0);
    const centres = binCentres(options);
    expect(truth.energy[30]! - truth.energy[20]!).toBeCloseTo(
      Math.log(density(centres[20]!) / density(centres[30]!)),
      9,
    );
  });

  it('samples of a flat density around the wrong place are told from the truth', () => {
    const truth = freeEnergyTruth(wells, options, windows, sigmaY);
    const spread = (shift: number) =>
      truth.windows.map(({ mean, std }) =>
        Array.from({ length: 400 }, (_, i) => mean + shift + std * Math.sqrt(3) * (i / 200 - 1)),
      );
    expect(freeEnergy(spread(0), options, truth, sigmaY).maxWindowMeanError).toBeLessThan(0.01);
    const shifted = freeEnergy(spread(0.5), options, truth, sigmaY);
    expect(shifted.maxWindowMeanError).toBeGreaterThan(0.49);
    expect(shifted.stdRatioMin).toBeCloseTo(1, 3);
    expect(shifted.rmse).toBeGreaterThan(0.5);
    const narrow = freeEnergy(
      truth.windows.map(({ mean }) => new Array<number>(400).fill(mean)),
      options,
      truth,
      sigmaY,
    );
    expect(narrow.bins).toEqual({ compared: 7, wanted: 30 });
  });
});

describe('in a recipe', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-free-energy-'));
  const file = join(folder, 'mask.png');
  writeFileSync(file, await encodePng(Float32Array.of(1, -1), [1, 2, 1]));
  const recipe: ExperimentInput = {
    title: 'Wells',
    model: {
      id: 'gmm',
      options: {
        shape: [1, 2, 1],
        means: [
          [-2, -1],
          [2, 1],
        ],
        variances: [0.25, 0.49],
      },
    },
    images: { count: 7, measurements: windows.map((centre) => [centre, 0]) },
    operators: [{ id: 'inpaint', label: 'windows', options: { pattern: 'file', file } }],
    sigmaY,
    methods: ['exact', 'none'],
    scheduler: { id: 'ddpm', options: { steps: 30 } },
    engine: 'eager',
    metrics: [],
    samples: 40,
    chunk: 280,
    freeEnergy: options,
  };

  it('gives every method its free energy, in table, JSON and report, and again from the run folder', async () => {
    const out = join(folder, 'run');
    const { json, table, report: page } = await compare({ recipe, out });
    const [{ rows, barrier }] = json.freeEnergy as [NonNullable<typeof json.freeEnergy>[number]];
    const [exact, none] = rows.map(({ result }) => result) as [(typeof rows)[0]['result'], (typeof rows)[0]['result']];
    expect(barrier).toBeCloseTo(5.04, 1);
    expect(exact.maxWindowMeanError).toBeLessThan(0.4);
    expect(none.maxWindowMeanError).toBeGreaterThan(2);
    expect(json.rows).toEqual([]);
    expect(table).toContain('Wells: 7 measurements, 40 samples each');
    expect(table).toMatch(/windows, sigmaY 0\.5: free energy from umbrella windows, in kT; true barrier 5\.0\d/);
    const text = readFileSync(page, 'utf8');
    expect(text).toContain('Free energy −ln p, in kT');
    expect(text).toContain('7 measurements of shape');
    expect((await report(out)).json.freeEnergy).toEqual(json.freeEnergy);
  });

  it.each<[string, Partial<ExperimentInput>, string]>([
    ['a metric without a truth', { metrics: ['psnr'] }, 'nothing can be scored'],
    [
      'more measurements than there are',
      { images: { count: 8, measurements: windows.map((centre) => [centre, 0]) } },
      'measurements 1 to 8 are wanted, there are 7',
    ],
    [
      'a measurement of another size',
      { images: { count: 1, measurements: [[1]] } },
      "the measurement has 1 number, the operator's measurements [1, 2, 1] have 2",
    ],
    ['no measurements', { images: { from: 'prior', count: 2 } }, 'the windows are measurements, and none are given'],
    [
      'an operator that sees everything',
      { operators: ['identity'] },
      'operator "identity" does not observe entry 0, and that alone',
    ],
    ['the hidden entry', { freeEnergy: { ...options, entry: 1 } }, 'does not observe entry 1, and that alone'],
    [
      'an entry that is not there',
      { freeEnergy: { ...options, entry: 2 } },
      'there is no entry 2 in images of 2 entries',
    ],
    ['windows without width', { sigmaY: 0 }, 'sigmaY is the width of the windows, and it is 0'],
    ['an empty histogram', { freeEnergy: { from: 1, to: 1, bins: 4 } }, 'the histogram from 1 to 1 is empty'],
  ])('refuses %s', async (_, change, message) => {
    await expect(compare({ recipe: { ...recipe, ...change }, out: join(folder, 'bad') })).rejects.toThrow(message);
  });
});
