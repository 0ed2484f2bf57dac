import { bindGuidance, eagerEngine, type Image, type Scheduler, type ScoreModel } from '@tweedie/core';
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
const d = 60;
const container = testContainer();
const operator = await container.plugin('operator', { id: 'identity' }, { imageShape });
const smooth = await mixturePrior({ imageShape, components: 5, variances: 0.1 });
/** Predicts a variance that differs from pixel to pixel and from sample to sample. */
const model: ScoreModel = {
  ...smooth,
  predictsVariance: true,
  predict: (xt, level) => ({ ...smooth.predict(xt, level), varianceFraction: xt.mul(4) }),
};
const schedulerOf = (id: string, options: object): Promise<Scheduler> =>
  container.plugin('scheduler', { id, options: { steps: 100, ...options } });
const learned = await schedulerOf('ddpm', { variance: 'learned-range' });

const image = namedImages(imageShape, 2);
const noise = image('step');

async function step(id: string, options: object, { index = 40, scheduler = learned, unit = 1 } = {}) {
  const guidance = await container.plugin('guidance', { id, options: { ...options } });
  const scaled = { ...operator, forward: (x: Image) => x.mul(unit) };
  const bound = await bindGuidance(guidance, { engine: eagerEngine(), model, operator: scaled, scheduler });
  const problem = { y: image('y', unit / 2), sigmaY: 0.1, drawn: {} };
  const taken = await stepOnce(bound, { index, problem, xt: () => image('state'), noise: () => noise });
  return { ...taken, ...lawOfStep({ model, scheduler }, taken) };
}
const distance = (a: Image, b: Image) => Math.max(...a.sub(b).abs().dataSync());
const lengths = (x: Image) => [...x.square().sum([1, 2, 3]).sqrt().dataSync()];
const expectClose = (got: readonly number[], expected: readonly number[]) =>
  got.forEach((value, i) => expect(value / expected[i]!).toBeCloseTo(1, 5));

describe('guidance/dsg', () => {
  it.each([0, 0.2, 1])('rate %d: the step is as long as the noise of each sample should be', async (rate) => {
    const { xNext, mean, std } = await step('dsg', { rate });
    expectClose(lengths(xNext.sub(mean)), lengths(std));
  });

  it('variant reference: sqrt(d) times the std of the first pixel, which is another length', async () => {
    const { xNext, mean, std } = await step('dsg', { variant: 'reference' });
    const expected = [0, 1].map((row) => Math.sqrt(d) * std.dataSync()[row * d]!);
    expectClose(lengths(xNext.sub(mean)), expected);
    expected.forEach((radius, row) => expect(Math.abs(radius / lengths(std)[row]! - 1)).toBeGreaterThan(0.01));
  });

  it('rate 0 keeps the direction of the noise', async () => {
    const { xNext, mean, std } = await step('dsg', { rate: 0 });
    const offset = xNext.sub(mean);
    const drawn = noise.mul(std);
    const cosine = offset
      .mul(drawn)
      .sum([1, 2, 3])
      .dataSync()
      .map((dot, row) => dot / lengths(offset)[row]! / lengths(drawn)[row]!);
    expectClose([...cosine], [1, 1]);
  });

  it("a step that is not guided is the scheduler's, without a vjp", async () => {
    const { xNext, cost } = await step('dsg', { interval: 3 });
    expect(distance(xNext, (await step('none', {})).xNext)).toBe(0);
    expect(cost).toEqual({ forwards: 2, vjps: 0, operatorCalls: 0 });
  });

  it('a guided step costs 1 forward, 1 vjp and 2 operator calls a row', async () => {
    expect((await step('dsg', { interval: 5 })).cost).toEqual({ forwards: 2, vjps: 2, operatorCalls: 4 });
  });

  it('the unit of y does not matter', async () => {
    expect(distance((await step('dsg', {})).xNext, (await step('dsg', {}, { unit: 10 })).xNext)).toBeLessThan(1e-5);
  });

  it('the last step: without noise it is the mean; variant reference moves by the predicted std', async () => {
    const still = await step('dsg', { rate: 1 }, { index: 0 });
    expect(distance(still.xNext, still.mean)).toBeLessThan(1e-12);
    const moved = await step('dsg', { rate: 1, variant: 'reference' }, { index: 0 });
    lengths(moved.xNext.sub(moved.mean)).forEach((length) => expect(length).toBeGreaterThan(0.001));
    const ddim = await step(
      'dsg',
      { rate: 1, variant: 'reference' },
      { index: 0, scheduler: await schedulerOf('ddim', { eta: 1 }) },
    );
    expect(distance(ddim.xNext, ddim.mean)).toBeLessThan(1e-12);
  });

  it('refuses a deterministic scheduler', async () => {
    const guidance = await container.plugin('guidance', { id: 'dsg' });
    expect(guidance.refuses!({ model, operator, scheduler: await schedulerOf('ddim', { eta: 0 }) }, 0.1)).toBe(
      "it turns the noise of the scheduler's steps, and they have none; use ddpm, or ddim with eta above 0",
    );
    expect(guidance.refuses!({ model, operator, scheduler: learned }, 0.1)).toBeUndefined();
  });

  it.each([
    [1, 20],
    [3, 7],
    [20, 1],
  ])('interval %d over 20 steps: %d vjps a sample, as it says', async (interval, vjps) => {
    const scheduler = await schedulerOf('ddpm', { steps: 20 });
    const guidance = await container.plugin('guidance', { id: 'dsg', options: { interval } });
    const run = await bind(guidance, { engine: eagerEngine(), model, operator, scheduler });
    const { cost } = await sampleRows(run, randomProblems(operator, imageShape, 2, 0.1));
    expect([cost.forwards, cost.vjps]).toEqual([40, 2 * vjps]);
    expect(guidance.cost!({ model, operator, scheduler }, run.bound.steps, 0.1)).toEqual({ forwards: 20, vjps });
  });
});
