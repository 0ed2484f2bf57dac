/** Free energies from umbrella windows in a double well, methods.md 6.5: a harmonic restraint is inpainting with one hidden entry. */
import { type Guidance, keyedRandom, mixtureModel, mixtureMoments, noiseProcess, posteriorMixture, type Problem, tf } from '@tweedie/core';
import { bind, fixtureReport, readFixtureJson, sampleRows, testContainer } from '@tweedie/testing';
import { expect } from 'vitest';

type Result = {
  readonly maxWindowMeanError: number;
  readonly stdRatioMin: number;
  readonly stdRatioMax: number;
  readonly freeEnergyRmse: number;
  readonly freeEnergyMaxError: number;
  readonly barrier: number;
};
type Fixture = {
  readonly prior: { readonly means: readonly number[][]; readonly standardDeviations: readonly number[]; readonly weights: readonly number[] };
  readonly sigmaY: number;
  readonly windows: readonly number[];
  readonly bins: { readonly from: number; readonly to: number; readonly count: number };
  readonly independentRuns: { readonly samplers: Readonly<Record<string, { readonly mean: Result }>> };
};

const { prior: wells, sigmaY, windows, bins, independentRuns } = readFixtureJson<Fixture>('methods', 'distribution-doublewell.json');
const report = fixtureReport('methods', 'umbrella');
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
async function sampleWindows(method: { readonly id: string; readonly options?: Record<string, unknown> }, count: number, noisyHidden: boolean): Promise<number[][]> {
  const guidance: Guidance = await context.plugin('guidance', method);
  const run = await bind(guidance as never, { engine, model, operator, scheduler });
  const numbers = Array.from({ length: count }, (_, sample) => sample);
  const problems = windows.flatMap((centre) => {
    const shared = windowProblem(centre);
    return numbers.map((sample) => (noisyHidden ? windowProblem(centre, sigmaY * keyedRandom(`hidden ${centre} ${sample}`).normal('y', 1)[0]!, `sample ${sample}`) : shared));
  });
  const { rows } = await sampleRows(run, problems, windows.flatMap(() => numbers));
  expect(run.bound.compilations()).toBe(1);
  run.bound.dispose();
  return windows.map((_, window) => rows.slice(window * count, (window + 1) * count).map((row) => row[0]!));
}

const width = (bins.to - bins.from) / bins.count;
const centres = Array.from({ length: bins.count }, (_, bin) => bins.from + (bin + 0.5) * width);
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const shifted = (energies: readonly number[], over: (bin: number) => boolean) => {
  const lowest = Math.min(...energies.filter((_, bin) => over(bin)));
  return energies.map((energy) => energy - lowest);
};

/** P(b) = sum_k n_k(b) / sum_k N_k exp(f_k - U_k(b)),  f_k = -ln sum_b P(b) exp(-U_k(b)), until f moves less than 1e-9. Gives -ln P. */
function wham(counts: readonly number[][]): number[] {
  const bias = windows.map((centre) => centres.map((x) => Math.exp(-((x - centre) ** 2) / (2 * sigmaY ** 2))));
  const inside = counts.map(sum);
  const totals = centres.map((_, bin) => sum(counts.map((window) => window[bin]!)));
  let f = windows.map(() => 0);
  for (;;) {
    const p = totals.map((total, bin) => total / sum(inside.map((n, k) => n * Math.exp(f[k]!) * bias[k]![bin]!)));
    const next = bias.map((factors) => -Math.log(sum(p.map((value, bin) => value * factors[bin]!))));
    const normalised = next.map((value) => value - next[0]!);
    const moved = Math.max(...normalised.map((value, k) => Math.abs(value - f[k]!)));
    f = normalised;
    if (moved < 1e-9) return p.map((value) => -Math.log(value));
  }
}

function analyse(samples: readonly number[][]): Result {
  const exact = windows.map((centre) => mixtureMoments(posteriorMixture(prior, Float64Array.of(1, 0), Float64Array.of(centre), sigmaY)));
  const means = samples.map((values) => sum(values) / values.length);
  const ratios = samples.map((values, k) => Math.sqrt(sum(values.map((x) => (x - means[k]!) ** 2)) / values.length / exact[k]!.covariance[0]!));

  const counts = samples.map((values) => {
    const histogram = centres.map(() => 0);
    for (const x of values) if (x >= bins.from && x < bins.to) histogram[Math.floor((x - bins.from) / width)]!++;
    return histogram;
  });
  const populated = (bin: number) => sum(counts.map((window) => window[bin]!)) > 20;
  const energy = shifted(wham(counts), populated);
  const truth = shifted(
    centres.map((x) => -Math.log(sum(wells.means.map(([m = 0], k) => (wells.weights[k]! / wells.standardDeviations[k]!) * Math.exp(-((x - m) ** 2) / (2 * wells.standardDeviations[k]! ** 2)))))),
    () => true,
  );
  const errors = centres.flatMap((x, bin) => (Math.abs(x) < 3.4 && populated(bin) ? [energy[bin]! - truth[bin]!] : []));
  return {
    maxWindowMeanError: Math.max(...means.map((mean, k) => Math.abs(mean - exact[k]!.mean[0]!))),
    stdRatioMin: Math.min(...ratios),
    stdRatioMax: Math.max(...ratios),
    freeEnergyRmse: Math.sqrt(sum(errors.map((error) => error ** 2)) / errors.length),
    freeEnergyMaxError: Math.max(...errors.map(Math.abs)),
    barrier: Math.max(...centres.flatMap((x, bin) => (Math.abs(x) < 1.5 && Number.isFinite(energy[bin]) ? [energy[bin]!] : []))),
  };
}

type Ours = { readonly method: { readonly id: string; readonly options?: Record<string, unknown> }; readonly count: number; readonly noisyHidden?: boolean };
const methods: Readonly<Record<string, Ours>> = {
  exact: { method: { id: 'exact' }, count: 1200 },
  'dps-likelihood': { method: { id: 'dps', options: { form: 'likelihood', scale: 1 } }, count: 300 },
  'dps-norm': { method: { id: 'dps', options: { form: 'norm', scale: 0.3 } }, count: 300 },
  'dpsw-x0hat': { method: { id: 'dps-w', options: { hidden: 'x0hat' } }, count: 300 },
  'dpsw-x0hat-noise': { method: { id: 'dps-w', options: { hidden: 'x0hat-noise' } }, count: 300 },
  'dpsw-noise': { method: { id: 'dps-w', options: { hidden: 'measured' } }, count: 300, noisyHidden: true },
  'dpsw-zero': { method: { id: 'dps-w', options: { hidden: 'zero' } }, count: 300 },
};

/** Standard deviation over seeds with 2000 samples a window: what the file says or its seeds show. It grows like 1 / sqrt(samples). */
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
    const got = analyse(await sampleWindows(ours.method, ours.count, ours.noisyHidden === true));
    for (const name of Object.keys(scatter) as (keyof Result)[]) {
      const difference = Math.abs(got[name] - stored[name]);
      expect.soft(difference, `${name} ${got[name]}, stored ${stored[name]}`).toBeLessThan(4 * scatter[name] * Math.sqrt(2000 / ours.count));
    }
    if (sampler === 'exact') expect.soft(got.freeEnergyRmse).toBeLessThan(0.1);
    if (sampler.startsWith('dps-')) expect.soft(got.freeEnergyRmse).toBeGreaterThan(0.5);
  });
}
