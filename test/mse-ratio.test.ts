/**
 * Necessary conditions of a posterior sampler, docs/methods.md 6.4: the MSE of a sample is twice that of the
 * posterior's mean, and residuals are distributed like the noise. What is known in closed form about the problems drawn
 * (x0 and y) is averaged exactly: as they stand the numbers would need 4000 problems to settle.
 */
import {
  drawFromMixture,
  type GaussianMixture,
  keyedRandom,
  makeProblem,
  mixtureModel,
  mixtureMoments,
  noiseProcess,
  posteriorMixture,
} from '@tweedie/core';
import { bind, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const imageShape = [1, 2, 1] as const;
const sigmaY = 0.6;
const problemCount = 250;
/** One sample is judged, the mean of the others estimates the posterior's. */
const K = 39;
const prior: GaussianMixture = {
  weights: Float64Array.of(0.5, 0.5),
  means: Float64Array.of(-2, -1, 2, 1),
  covariance: { kind: 'isotropic', variances: Float64Array.of(0.5 ** 2, 0.7 ** 2) },
};

const context = testContainer();
const engine = await context.plugin('engine', { id: 'onnxruntime' });
const operator = await context.plugin('operator', { id: 'identity' }, { imageShape });
const scheduler = await context.plugin('scheduler', { id: 'ddpm', options: { steps: 1000, variance: 'fixed-small' } });
const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => prior });
await model.load?.();

const problems = Array.from({ length: problemCount }, (_, index) => {
  const { x0 } = drawFromMixture(prior, keyedRandom(`double well ${index}`));
  return makeProblem({
    name: `double-well-${index}`,
    x0,
    imageShape,
    operator,
    operatorKey: 'identity',
    sigmaY,
    seed: 0,
  });
});

const average = <T>(items: readonly T[], of: (item: T) => number) =>
  items.reduce((sum, item) => sum + of(item), 0) / items.length;

/** One entry of one problem: its measurement, its samples, and mean and variance of its exact posterior. */
type Entry = {
  readonly y: number;
  readonly samples: readonly number[];
  readonly mean: number;
  readonly variance: number;
};

async function sampled(method: { readonly id: string; readonly options?: Record<string, unknown> }): Promise<Entry[]> {
  const guidance = await context.plugin('guidance', method);
  const run = await bind(guidance, { engine, model, operator, scheduler });
  const numbers = Array.from({ length: K + 1 }, (_, sample) => sample);
  const { rows } = await sampleRows(
    run,
    problems.flatMap((problem) => numbers.map(() => problem)),
    problems.flatMap(() => numbers),
  );
  run.bound.dispose();
  return problems.flatMap((problem, index) => {
    const y = Float64Array.from(problem.y.dataSync());
    const { mean, covariance } = mixtureMoments(posteriorMixture(prior, Float64Array.of(1, 0, 0, 1), y, sigmaY));
    return [0, 1].map((i) => ({
      y: y[i]!,
      samples: rows.slice(index * (K + 1), (index + 1) * (K + 1)).map((row) => row[i]!),
      mean: mean[i]!,
      variance: covariance[i * 3]!,
    }));
  });
}

/**
 * Sum of the samples' squared errors over that of the mean of K others; E (x0 - a)^2 = (mean - a)^2 + variance given y.
 */
function mseRatio(entries: readonly Entry[]): number {
  const error = ({ mean, variance }: Entry, estimate: number) => (mean - estimate) ** 2 + variance;
  const sample = average(entries, (entry) => average(entry.samples, (value) => error(entry, value)));
  return (
    sample /
    average(entries, (entry) =>
      error(
        entry,
        average(entry.samples.slice(1), (value) => value),
      ),
    )
  );
}

/** Standard deviation of r = y - x, and its correlation with the sample x, over all problems. */
function residuals(entries: readonly Entry[]) {
  // A moment over the joint distribution is its exact value plus what the samples add to their exact value given y.
  const moment = (truth: number, of: (x: number, y: number) => number, given: (entry: Entry) => number) =>
    truth + average(entries, (entry) => average(entry.samples, (x) => of(x, entry.y)) - given(entry));
  const { covariance } = mixtureMoments(prior);
  const second = ({ mean, variance }: Entry) => mean ** 2 + variance;
  const r = moment(
    0,
    (x, y) => y - x,
    ({ mean, y }) => y - mean,
  );
  const x = moment(
    0,
    (x) => x,
    ({ mean }) => mean,
  );
  const rr = moment(
    sigmaY ** 2,
    (x, y) => (y - x) ** 2,
    ({ mean, variance, y }) => (y - mean) ** 2 + variance,
  );
  const xx = moment((covariance[0]! + covariance[3]!) / 2, (x) => x ** 2, second);
  const rx = moment(
    0,
    (x, y) => (y - x) * x,
    (entry) => entry.y * entry.mean - second(entry),
  );
  const std = Math.sqrt(rr - r ** 2);
  return { std, correlation: (rx - r * x) / (std * Math.sqrt(xx - x ** 2)) };
}

describe('double well, A = I, sigmaY 0.6, 1000 steps, 40 samples a problem', () => {
  it('exact: ratio 1.90 to 2.02, residual std 0.59 to 0.61, no correlation', async () => {
    const entries = await sampled({ id: 'exact' });
    const { std, correlation } = residuals(entries);
    expect.soft(mseRatio(entries)).toBeGreaterThan(1.9);
    expect.soft(mseRatio(entries)).toBeLessThan(2.02);
    expect.soft(std).toBeGreaterThan(0.59);
    expect.soft(std).toBeLessThan(0.61);
    expect.soft(Math.abs(correlation)).toBeLessThan(0.03);
  });

  it('DPS: not', async () => {
    const entries = await sampled({ id: 'dps', options: { form: 'likelihood', scale: 1 } });
    expect(mseRatio(entries)).toBeLessThan(1.8);
    expect(residuals(entries).std).toBeLessThan(0.55);
  });
});
