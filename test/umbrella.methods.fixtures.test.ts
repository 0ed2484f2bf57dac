/**
 * Free energies from umbrella windows in a double well, docs/methods.md 6.5: a harmonic restraint is inpainting with
 * one hidden entry.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keyedRandom, mixtureModel, noiseProcess, type Problem, tf } from '@tweedie/core';
import { compare, freeEnergy, freeEnergyTruth, readRecipe } from '@tweedie/experiments';
import { bind, sampleRows, testContainer } from '@tweedie/testing';
import { fixtureReport, hasFixture } from '@tweedie/testing/fixtures';
import { describe, expect, it } from 'vitest';

type Result = {
  readonly maxWindowMeanError: number;
  readonly stdRatioMin: number;
  readonly stdRatioMax: number;
  readonly freeEnergyRmse: number;
  readonly freeEnergyMaxError: number;
  readonly barrier: number;
};
type Fixture = {
  readonly prior: {
    readonly means: readonly number[][];
    readonly standardDeviations: readonly number[];
    readonly weights: readonly number[];
  };
  readonly sigmaY: number;
  readonly windows: readonly number[];
  readonly bins: { readonly from: number; readonly to: number; readonly count: number };
  readonly independentRuns: { readonly samplers: Readonly<Record<string, { readonly mean: Partial<Result> }>> };
};

const report = fixtureReport('methods', 'umbrella');
const stored = 'distribution-doublewell.json';
const listed = hasFixture('methods', stored);
const {
  prior: wells,
  sigmaY,
  windows,
  bins,
  independentRuns,
} = report.index<Fixture>(stored, {
  prior: { means: [[0, 0]], standardDeviations: [1], weights: [1] },
  sigmaY: 1,
  windows: [],
  bins: { from: 0, to: 1, count: 1 },
  independentRuns: { samplers: {} },
});
const imageShape = [1, 2, 1] as const;
const prior = {
  weights: Float64Array.from(wells.weights),
  means: Float64Array.from(wells.means.flat()),
  covariance: { kind: 'isotropic', variances: Float64Array.from(wells.standardDeviations, (s) => s ** 2) },
} as const;

const context = testContainer();
const engine = await context.plugin('engine', { id: 'onnxruntime' });
const operator = await context.plugin('operator', { id: 'inpaint' }, { imageShape });
const scheduler = await context.plugin('scheduler', { id: 'ddpm', options: { steps: 1000, variance: 'fixed-small' } });
const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => prior });
await model.load?.();

/** The first entry is observed at the window's centre; what the hidden entry of y holds is zero, or noise. */
const windowProblem = (centre: number, hidden = 0, name = ''): Problem => ({
  hash: `window ${centre} ${name}`,
  name: `window ${centre}`,
  operator: 'inpaint',
  sigmaY,
  x0: tf.zeros([...imageShape]),
  y: tf.tensor3d([centre, hidden], [...imageShape]),
  drawn: { mask: tf.tensor3d([1, 0], [1, 2, 1]) },
});

/** First entries of the samples of every window. */
async function sampleWindows(
  method: { readonly id: string; readonly options?: Record<string, unknown> },
  count: number,
  noisyHidden: boolean,
): Promise<number[][]> {
  const guidance = await context.plugin('guidance', method);
  const run = await bind(guidance, { engine, model, operator, scheduler });
  const numbers = Array.from({ length: count }, (_, sample) => sample);
  const problems = windows.flatMap((centre) => {
    const shared = windowProblem(centre);
    return numbers.map((sample) =>
      noisyHidden
        ? windowProblem(
            centre,
            sigmaY * keyedRandom(`hidden ${centre} ${sample}`).normal('y', 1)[0]!,
            `sample ${sample}`,
          )
        : shared,
    );
  });
  const { rows } = await sampleRows(
    run,
    problems,
    windows.flatMap(() => numbers),
  );
  expect(run.bound.compilations()).toBe(1);
  run.bound.dispose();
  return windows.map((_, window) => rows.slice(window * count, (window + 1) * count).map((row) => row[0]!));
}

const options = {
  entry: 0,
  from: bins.from,
  to: bins.to,
  bins: bins.count,
  errors: [-3.4, 3.4],
  barrier: [-1.5, 1.5],
} as const;
const truth = listed ? freeEnergyTruth(prior, options, windows, sigmaY) : undefined;

type Ours = {
  readonly method: { readonly id: string; readonly options?: Record<string, unknown> };
  readonly count: number;
  readonly noisyHidden?: boolean;
};
const methods: Readonly<Record<string, Ours>> = {
  exact: { method: { id: 'exact' }, count: 1200 },
  'dps-likelihood': { method: { id: 'dps', options: { form: 'likelihood', scale: 1 } }, count: 300 },
  'dps-norm': { method: { id: 'dps', options: { form: 'norm', scale: 0.3 } }, count: 300 },
  'dpsw-x0hat': { method: { id: 'dps-w', options: { hidden: 'x0hat' } }, count: 300 },
  'dpsw-x0hat-noise': { method: { id: 'dps-w', options: { hidden: 'x0hat-noise' } }, count: 300 },
  'dpsw-noise': { method: { id: 'dps-w', options: { hidden: 'measured' } }, count: 300, noisyHidden: true },
  'dpsw-zero': { method: { id: 'dps-w', options: { hidden: 'zero' } }, count: 300 },
};

/**
 * Standard deviation over seeds with 2000 samples a window: what the file says or its seeds show. It grows like 1 /
 * sqrt(samples).
 */
const scatter: Readonly<Record<keyof Result, number>> = {
  maxWindowMeanError: 0.02,
  stdRatioMin: 0.015,
  stdRatioMax: 0.015,
  freeEnergyRmse: 0.03,
  freeEnergyMaxError: 0.08,
  barrier: 0.12,
};

for (const [sampler, { mean: stored }] of Object.entries(independentRuns.samplers)) {
  const ours = methods[sampler];
  if (ours === undefined) {
    report.missing(`variant ${sampler} of a registered method`, [sampler]);
    continue;
  }
  report.case(sampler, async () => {
    const {
      rmse: freeEnergyRmse,
      maxError: freeEnergyMaxError,
      ...others
    } = freeEnergy(await sampleWindows(ours.method, ours.count, ours.noisyHidden === true), options, truth!, sigmaY);
    const got: Result = { ...others, freeEnergyRmse, freeEnergyMaxError };
    for (const name of Object.keys(scatter) as (keyof Result)[]) {
      const value = stored[name];
      if (value === undefined) {
        report.notListed(`${sampler} ${name}`);
        continue;
      }
      const difference = Math.abs(got[name] - value);
      expect
        .soft(difference, `${name} ${got[name]}, stored ${value}`)
        .toBeLessThan(4 * scatter[name] * Math.sqrt(2000 / ours.count));
    }
    if (sampler === 'exact') expect.soft(got.freeEnergyRmse).toBeLessThan(0.1);
    if (sampler.startsWith('dps-')) expect.soft(got.freeEnergyRmse).toBeGreaterThan(0.5);
  });
}

describe('recipes/double-well.yaml', () => {
  const path = fileURLToPath(new URL('../recipes/double-well.yaml', import.meta.url));
  const { input } = readRecipe(path);
  const chosen = input.methods.map((method) => (typeof method === 'string' ? { id: method } : method));

  // Other fixtures may hold another problem.
  it.skipIf(process.env['TWEEDIE_FIXTURES'])(
    'is the problem of the stored numbers, with methods that are checked against them above',
    () => {
      expect(input).toMatchObject({
        model: {
          options: {
            shape: [...imageShape],
            means: wells.means,
            variances: wells.standardDeviations.map((s) => expect.closeTo(s ** 2, 12)),
          },
        },
        images: { measurements: windows.map((centre) => [centre, 0]) },
        sigmaY,
        scheduler: { id: 'ddpm', options: { steps: 1000, variance: 'fixed-small' } },
        freeEnergy: options,
      });
      for (const { id, options = {} } of chosen.filter(({ id }) => ['exact', 'dps', 'dps-w'].includes(id)))
        expect(Object.values(methods).map(({ method }) => ({ options: {}, ...method }))).toContainEqual({
          id,
          options,
        });
    },
  );

  it('runs, and sees that DPS is too narrow in its windows', async () => {
    const out = mkdtempSync(join(tmpdir(), 'tweedie-double-well-'));
    try {
      const {
        json,
        report: page,
        failures,
      } = await compare({ recipe: path, overrides: { samples: 20, steps: 50 }, out });
      expect(failures).toEqual([]);
      const [{ rows }] = json.freeEnergy as [NonNullable<typeof json.freeEnergy>[number]];
      expect(rows).toHaveLength(chosen.length);
      const of = (id: string) => rows.find(({ method }) => method === id)!.result;
      expect(of('dps').maxWindowMeanError).toBeGreaterThan(of('exact').maxWindowMeanError);
      expect(of('dps').stdRatioMin).toBeLessThan(of('exact').stdRatioMin);
      expect(readFileSync(page, 'utf8')).toContain('Free energy −ln p, in kT');
    } finally {
      rmSync(out, { recursive: true });
    }
  });
});
