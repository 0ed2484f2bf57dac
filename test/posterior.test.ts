/** Methods that claim to sample a distribution, against that distribution in closed form. */
import {
  keyedRandom,
  mixtureModel,
  mixtureMoments,
  noiseProcess,
  type Operator,
  posteriorMixture,
  type Problem,
  type ProcessOptions,
  type ScoreModel,
  type Tensor,
} from '@tweedie/core';
import { bind, mixturePrior, randomProblems, sampleRows, testContainer } from '@tweedie/testing';
import { beforeAll, describe, expect, it } from 'vitest';

const imageShape = [1, 6, 1] as const;
const d = 6;
const pixels = Array.from({ length: d }, (_, i) => i);
const pairs = pixels.flatMap((i) => pixels.map((j) => [i, j] as const));
const sigmaY = 0.2;
const variances = [0.04, 0.02, 0.09];

const context = testContainer();
const engine = await context.plugin('engine', { id: 'onnxruntime' });
const inpaint = await context.plugin(
  'operator',
  { id: 'inpaint', options: { pattern: 'random', rate: 0.5 } },
  { imageShape },
);
const problem = randomProblems(inpaint, imageShape, 1, sigmaY)[0]!;

/**
 * Every entry of a mean, then of a covariance, with standard errors from the samples' own second and fourth moments.
 */
type Estimate = { readonly moments: readonly number[]; readonly errors: readonly number[] };

function estimate(rows: readonly Float32Array[]): Estimate {
  const average = (of: (row: Float32Array) => number) => rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const mean = pixels.map((i) => average((row) => row[i]!));
  const product = (row: Float32Array, i: number, j: number) => (row[i]! - mean[i]!) * (row[j]! - mean[j]!);
  const covariance = pairs.map(([i, j]) => average((row) => product(row, i, j)));
  const variance = [
    ...pixels.map((i) => covariance[i * d + i]!),
    ...pairs.map(([i, j], entry) => average((row) => (product(row, i, j) - covariance[entry]!) ** 2)),
  ];
  return { moments: [...mean, ...covariance], errors: variance.map((value) => Math.sqrt(value / rows.length)) };
}

/** The same entries of p(x0 | y) of the problem, its mask as a dense matrix. */
function closedForm(model: ScoreModel): number[] {
  const { mask } = problem.drawn as { readonly mask: Tensor };
  const matrix = new Float64Array(d * d);
  mask.dataSync().forEach((observed, i) => (matrix[i * d + i] = observed));
  const { mean, covariance } = mixtureMoments(
    posteriorMixture(model.mixture!(), matrix, Float64Array.from(problem.y.dataSync()), sigmaY),
  );
  return [...mean, ...covariance];
}

/** Moments of samples `from`, `from` + 1, ... of the problem. */
async function draw(
  method: { readonly id: string; readonly options?: Record<string, unknown> },
  budget: {
    readonly model: ScoreModel;
    readonly steps: number;
    readonly count: number;
    readonly from?: number;
    readonly operator?: Operator;
  },
): Promise<Estimate> {
  const { model, steps, count, from = 0, operator = inpaint } = budget;
  const guidance = await context.plugin('guidance', method);
  const scheduler = await context.plugin('scheduler', { id: 'ddpm', options: { steps, variance: 'fixed-small' } });
  const run = await bind(guidance, { engine, model, operator, scheduler });
  const { rows, failures } = await sampleRows(
    run,
    new Array<Problem>(count).fill(problem),
    Array.from({ length: count }, (_, index) => from + index),
  );
  expect(failures.every((failure) => failure === undefined)).toBe(true);
  run.bound.dispose();
  return estimate(rows);
}

/** Largest | estimate - truth | / limit: below 1 where all entries are within their limits. */
const worst = ({ moments }: Estimate, truth: readonly number[], limit: (entry: number) => number): number =>
  Math.max(...truth.map((expected, entry) => Math.abs(moments[entry]! - expected) / limit(entry)));

describe('inpainting with a mixture prior, 1000 steps, 2000 samples', async () => {
  const model = await mixturePrior({ imageShape, components: 3, variances });
  const truth = closedForm(model);
  let discretisation: readonly number[] = [];
  /** Three standard errors of the run that measures it. */
  const small = 0.015;
  /** Largest error in units of four standard errors plus the discretisation error. */
  const excess = (got: Estimate) =>
    worst(got, truth, (entry) => 4 * got.errors[entry]! + Math.min(small, discretisation[entry]!));

  beforeAll(async () => {
    // With so many samples what remains is the schedule; they are other samples than those that are judged.
    const { moments } = await draw({ id: 'exact' }, { model, steps: 1000, count: 10_000, from: 10_000 });
    discretisation = moments.map((moment, entry) => Math.abs(moment - truth[entry]!));
  });

  it('the discretisation error is too small to hide anything', () => {
    expect(Math.max(...discretisation)).toBeLessThan(small);
  });

  it('exact: every entry of mean and covariance within four standard errors and the discretisation error', async () => {
    expect(excess(await draw({ id: 'exact' }, { model, steps: 1000, count: 2000 }))).toBeLessThan(1);
  });

  it.each([
    { form: 'likelihood', scale: 1 },
    { form: 'norm', scale: 0.3 },
  ])('DPS with the same budget, %o: not', async (options) => {
    expect(excess(await draw({ id: 'dps', options }, { model, steps: 1000, count: 2000 }))).toBeGreaterThan(4);
  });
});

/** Covariances without a common basis. */
async function fullPrior(process: Partial<ProcessOptions>): Promise<ScoreModel> {
  const { weights, means } = (await mixturePrior({ imageShape, components: 3, variances })).mixture!();
  const matrices = Float64Array.from({ length: 3 * d * d }, (_, index) => {
    const [k, i, j] = [Math.floor(index / (d * d)), Math.floor(index / d) % d, index % d];
    const factor = keyedRandom(`covariance ${k}`).normal('factor', d * d);
    return pixels.reduce((sum, l) => sum + (0.1 / d) * factor[i * d + l]! * factor[j * d + l]!, i === j ? 0.01 : 0);
  });
  const model = mixtureModel({
    imageShape,
    process: noiseProcess(process),
    mixture: () => ({ weights, means, covariance: { kind: 'full', matrices } }),
  });
  await model.load?.();
  return model;
}

const ve = { kind: 've', sigmaMax: 30 } as const;
const { svd: _, ...withoutSvd } = inpaint;

describe.each([
  {
    what: 'isotropic covariances, VP, without a spectral form',
    model: await mixturePrior({ imageShape, components: 3, variances }),
    operator: withoutSvd,
  },
  {
    what: 'isotropic covariances, VE',
    model: await mixturePrior({ imageShape, components: 3, variances, process: ve }),
    operator: inpaint,
  },
  { what: 'full covariances, VP', model: await fullPrior({}), operator: inpaint },
  { what: 'full covariances, VE, without a spectral form', model: await fullPrior(ve), operator: withoutSvd },
])('$what, 300 steps, 1500 samples', ({ model, operator }) => {
  const prior = mixtureMoments(model.mixture!());
  const moments = { prior: [...prior.mean, ...prior.covariance], posterior: closedForm(model) };
  const error = (got: Estimate, of: keyof typeof moments) =>
    worst(got, moments[of], (entry) => 4 * got.errors[entry]! + 0.01);

  it('exact: the posterior', async () => {
    const got = await draw({ id: 'exact' }, { model, operator, steps: 300, count: 1500 });
    expect(error(got, 'posterior')).toBeLessThan(1);
    expect(error(got, 'prior')).toBeGreaterThan(4);
  });

  it('none: the prior', async () => {
    const got = await draw({ id: 'none' }, { model, operator, steps: 300, count: 1500 });
    expect(error(got, 'prior')).toBeLessThan(1);
    expect(error(got, 'posterior')).toBeGreaterThan(4);
  });
});
