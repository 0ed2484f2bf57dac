import { eagerEngine, type Image, type Level, type Scheduler, type ScoreModel } from '@tweedie/core';
import {
  bind,
  lawOfStep,
  mixturePrior,
  namedImages,
  randomProblems,
  sampleRows,
  stepOnce,
  testContainer,
} from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const imageShape = [4, 5, 3] as const;
const container = testContainer();
const operator = await container.plugin('operator', { id: 'identity' }, { imageShape });
const smooth = await mixturePrior({ imageShape, components: 5, variances: 0.1 });
const schedulerOf = (id: string, options: object): Promise<Scheduler> =>
  container.plugin('scheduler', { id, options: { ...options } });
const learned = await schedulerOf('ddpm', { steps: 100, variance: 'learned-range' });

const image = namedImages(imageShape, 2);

async function step(options: object, index = 40) {
  const seen: number[] = [];
  /** Predicts a variance that differs from pixel to pixel, and notes the levels it is asked at. */
  const model: ScoreModel = {
    ...smooth,
    predictsVariance: true,
    predict(xt, level) {
      seen.push(level.sigma.dataSync()[0]!);
      return { ...smooth.predict(xt, level), varianceFraction: xt.mul(4) };
    },
  };
  const guidance = await container.plugin('guidance', { id: 'dmap', options: { ...options } });
  const { bound } = await bind(guidance, { engine: eagerEngine(), model, operator, scheduler: learned });
  const problem = { y: image('y', 0.5), sigmaY: 0.1, drawn: {} };
  const taken = await stepOnce(bound, { index, problem, xt: () => image('state'), noise: image });
  const levels = [...seen];
  return { ...taken, ...lawOfStep({ model, scheduler: learned }, taken), levels };
}
const lengths = (x: Image) => [...x.square().sum([1, 2, 3]).sqrt().dataSync()];

describe('guidance/dmap', () => {
  it.each([{ scale: 0 }, {}, { scale: 100, inner: 1 }, { form: 'squared', scale: 2 }])(
    '%o: each sample is as far from the mean as the noise of the step is long',
    async (options) => {
      const { xNext, mean, std } = await step(options);
      lengths(xNext.sub(mean)).forEach((length, row) => expect(length / lengths(std)[row]!).toBeCloseTo(1, 5));
    },
  );

  it('asks the network at xt once, then at the candidates, one level on', async () => {
    const { levels, at, cost } = await step({ inner: 4 });
    const near = (level: Level) => expect.closeTo(level.sigma, 5);
    expect(levels).toEqual([near(at.level), ...new Array(4).fill(near(at.next))]);
    expect(cost).toEqual({ forwards: 10, vjps: 8, operatorCalls: 16 });
  });

  it('the misfit of the candidates falls from one inner step to the next', async () => {
    const norms = [];
    for (const inner of [1, 2, 3, 4])
      norms.push((await step({ inner, scale: 0.05 })).scalars!['residualNorm']!.dataSync()[0]!);
    expect(norms).toEqual(norms.toSorted((a, b) => b - a));
    expect(norms[3]).toBeLessThan(norms[0]! - 1e-3);
  });

  it('the last step is the mean, for one forward', async () => {
    const { xNext, mean, cost } = await step({}, 0);
    expect(Math.max(...xNext.sub(mean).abs().dataSync())).toBe(0);
    expect(cost).toEqual({ forwards: 2, vjps: 0, operatorCalls: 0 });
  });

  it('the squared form takes 2 ||r|| times the step of the norm', async () => {
    const norm = (await step({ inner: 1 })).scalars!['residualNorm']!.dataSync()[0]!;
    const squared = await step({ inner: 1, form: 'squared', scale: 0.1 });
    const same = await step({ inner: 1, scale: 0.2 * norm });
    const first = (x: Image) => x.slice([0, 0, 0, 0], [1, -1, -1, -1]).dataSync();
    first(squared.xNext).forEach((value, i) => expect(value).toBeCloseTo(first(same.xNext)[i]!, 5));
  });

  it('refuses a deterministic scheduler', async () => {
    const guidance = await container.plugin('guidance', { id: 'dmap' });
    expect(
      guidance.refuses!({ model: smooth, operator, scheduler: await schedulerOf('ddim', { steps: 20, eta: 0 }) }, 0.1),
    ).toBe(
      "it moves within the noise of the scheduler's steps, and they have none; use ddpm, or ddim with eta above 0",
    );
  });

  it.each([0, 3, 5])('inner %d over 20 steps: the last one has no inner steps', async (inner) => {
    const scheduler = await schedulerOf('ddpm', { steps: 20 });
    const guidance = await container.plugin('guidance', { id: 'dmap', options: { inner } });
    const run = await bind(guidance, { engine: eagerEngine(), model: smooth, operator, scheduler });
    const { cost } = await sampleRows(run, randomProblems(operator, imageShape, 2, 0.1));
    expect([cost.forwards, cost.vjps]).toEqual([2 * (20 + 19 * inner), 2 * 19 * inner]);
    expect(guidance.cost!({ model: smooth, operator, scheduler }, run.bound.steps, 0.1)).toEqual({
      forwards: 20 + 19 * inner,
      vjps: 19 * inner,
    });
  });
});
