import {
  bindGuidance,
  drawBatch,
  eagerEngine,
  type Guidance,
  type Image,
  keyedRandom,
  makeProblem,
  mixtureModel,
  noiseProcess,
  type Operator,
  respacedLevels,
  reverseStep,
  rowsOf,
  type Scheduler,
  type StepTensors,
  tf,
} from '@tweedie/core';
import { expect, it } from 'vitest';
import { randomMixture } from './float64.ts';

const imageShape = [1, 1, 3] as const;
const scheduler: Scheduler = {
  levels: (process) => respacedLevels(process, 3).map((pair) => ({ ...pair, scoreWeight: 1, coefficients: {} })),
  transition: (xt, { x0hat }, { next }) => ({
    mean: x0hat.mul(next.signal).add(xt.mul(next.noise)),
    std: tf.scalar(0),
  }),
};
const operator: Operator = { linear: true, measurementShape: imageShape, draw: () => ({}), forward: (x) => x.mul(2) };
const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => randomMixture('shared', 3, 3) });
await model.load?.();
const guidance: Guidance = {
  bind: ({ engine, model, scheduler }) => {
    const move = engine.compile((xt: Image, step: StepTensors) => reverseStep(scheduler, model.predict, xt, step, xt));
    return { step: (xt, step) => move(xt, step) };
  },
};
const bound = await bindGuidance(guidance, { engine: eagerEngine(), model, operator, scheduler });
const problems = ['a', 'b'].map((name) =>
  makeProblem({
    name,
    x0: keyedRandom(name).normal('x0', 3),
    imageShape,
    operator,
    operatorKey: 'twice',
    sigmaY: 0.1,
    seed: 0,
  }),
);

it('draws the samples asked for, each as it is alone, and leaves no tensor behind', async () => {
  const before = tf.memory().numTensors;
  const draw = (rows: readonly number[], samples: readonly number[]) =>
    drawBatch({ bound, imageShape, problems: rows.map((row) => problems[row]!), samples, seed: 4 }, ({ x }, { y }) => {
      expect(y.shape).toEqual([rows.length, ...imageShape]);
      return rowsOf(x);
    });
  const [first, second, third] = await draw([0, 1, 1], [0, 0, 5]);
  expect(await draw([1], [5])).toEqual([third]);
  expect(await draw([1, 0], [0, 0])).toEqual([second, first]);
  expect(second).not.toEqual(third);
  expect(tf.memory().numTensors).toBe(before);
});

it('leaves no tensor behind where reading fails, and misses no sample number', async () => {
  const before = tf.memory().numTensors;
  const reading = drawBatch({ bound, imageShape, problems, samples: [0, 0], seed: 0 }, () =>
    Promise.reject(new Error('no')),
  );
  await expect(reading).rejects.toThrow('no');
  await expect(drawBatch({ bound, imageShape, problems, samples: [0], seed: 0 }, () => 0)).rejects.toThrow(
    'there is no sample at 1, the list has 1.',
  );
  expect(tf.memory().numTensors).toBe(before);
});
