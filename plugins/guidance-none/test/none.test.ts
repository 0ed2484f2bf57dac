import {
  bindGuidance,
  clampTo,
  eagerEngine,
  type Image,
  keyedRandom,
  type StepRandom,
  tf,
  traced,
} from '@tweedie/core';
import { mixturePrior, testContainer } from '@tweedie/testing';
import { expect, it } from 'vitest';

const imageShape = [2, 3, 1] as const;
const container = testContainer();
const model = await mixturePrior({ imageShape, components: 3, variances: 0.1 });
const image = (name: string): Image => tf.tensor4d(keyedRandom(name).normal('x', 12), [2, ...imageShape]);
const random: StepRandom = { normal: (purpose) => image(purpose), uniform: () => tf.zeros([1]) };
const problem = (y: Image) => ({ y, sigmaY: 0.1, drawn: {} });

async function bound(options: object = {}, range?: readonly [number, number]) {
  const guidance = await container.plugin('guidance', { id: 'none', options: { ...options } });
  const operator = await container.plugin('operator', { id: 'identity' }, { imageShape });
  const scheduler = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 20 } });
  return {
    scheduler,
    ...(await bindGuidance(guidance, {
      engine: eagerEngine(),
      model: { ...model, ...(range && { range }) },
      operator,
      scheduler,
    })),
  };
}

it('is the step of the scheduler, whatever was measured, at one forward a row', async () => {
  const { sampler, steps, scheduler, cost } = await bound();
  const step = steps[8]!;
  const first = await sampler.step(image('state'), step, problem(image('y')), random);
  const other = await sampler.step(image('state'), step, problem(image('another y')), random);
  expect((first.state as Image).dataSync()).toEqual((other.state as Image).dataSync());
  const { mean, std } = scheduler.transition(
    image('state'),
    model.predict(image('state'), traced(step.level)),
    traced(step),
  );
  expect(
    Math.max(
      ...tf
        .sub(mean.add(image('step').mul(std)), first.state as Image)
        .abs()
        .dataSync(),
    ),
  ).toBeLessThan(1e-6);
  expect(cost()).toEqual({ forwards: 4, vjps: 0, operatorCalls: 0 });
});

it('clamps x0hat where the model has a pixel range, unless told not to', async () => {
  const x0hatOf = async (options: object, range?: readonly [number, number]) => {
    const { sampler, steps } = await bound(options, range);
    return (await sampler.step(image('state'), steps[15]!, problem(image('y')), random)).x0hat!;
  };
  const free = await x0hatOf({});
  expect(Math.max(...free.abs().dataSync())).toBeGreaterThan(0.2);
  expect((await x0hatOf({}, [-0.2, 0.2])).dataSync()).toEqual(clampTo([-0.2, 0.2], free).dataSync());
  expect((await x0hatOf({ clamp: false }, [-0.2, 0.2])).dataSync()).toEqual(free.dataSync());
});
