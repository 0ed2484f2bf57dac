/** Random numbers and times that a compiled function takes itself are refused, by every engine in the same words. */
import { eagerEngine, type Engine, keyedRandom, type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';

const engines: Record<string, Pick<Engine, 'compile'>> = { jit: { compile: (fn) => jit(fn) }, eager: eagerEngine() };
/** The line of this file that calls it. */
const line = (): string =>
  `packages/jit/test/hidden-inputs.test.ts:${/hidden-inputs\.test\.ts:(\d+)/.exec(new Error().stack!.split('\n')[2]!)![1]}`;
const draws: readonly (readonly [name: string, at: string, fn: (x: Tensor) => Tensor])[] = [
  ['Math.random', line(), (x) => x.mul(Math.random())],
  ['tf.randomNormal', line(), (x) => x.add(tf.randomNormal([2]))],
  ['tf.randomNormal', line(), (x) => x.add(tf.randomNormal([2], 0, 1, 'float32', 7))],
  ['tf.randomUniform', line(), (x) => x.add(tf.randomUniform([2]))],
  ['tf.randomUniform', line(), (x) => tf.dropout(x, 0.5)],
  ['tf.truncatedNormal', line(), (x) => x.add(tf.truncatedNormal([2]))],
  ['tf.randomGamma', line(), (x) => x.add(tf.randomGamma([2], 1))],
  ['tf.multinomial', line(), (x) => x.add(tf.multinomial(tf.tensor1d([0.5, 0.5]), 2))],
  ['Math.random', line(), (x) => x.add(tf.rand([2], () => Math.random()))],
  ['Math.random', line(), (x) => tf.grad((z) => z.mul(Math.random()).sum())(x)],
];

const clocks: readonly (readonly [name: string, at: string, fn: (x: Tensor) => Tensor])[] = [
  ['Date.now', line(), (x) => x.mul(Date.now())],
  ['Date', line(), (x) => x.mul(Number(new Date()))],
  ['Date', line(), (x) => x.mul(Date().length)],
  ['performance.now', line(), (x) => x.mul(performance.now())],
  ['process.hrtime', line(), (x) => x.mul(process.hrtime()[1])],
  ['process.hrtime.bigint', line(), (x) => x.mul(Number(process.hrtime.bigint()))],
  ['Date.now', line(), (x) => tf.grad((z) => z.mul(Date.now()).sum())(x)],
];

describe.each(Object.entries(engines))('%s', (_engine, { compile }) => {
  it.each(draws)('refuses %s at %s', async (name, at, fn) => {
    await expect(compile(fn)(tf.ones([2]))).rejects.toThrow(
      `[engine.compile] ${name}, called at ${at}, draws random numbers in a compiled function, which would be drawn once and used in every call. ` +
        'Draw them in `step`, with `random.normal` or `random.uniform` of the StepRandom that it is given, and pass them to the compiled function as an argument.',
    );
  });

  it.each(clocks)('refuses %s at %s', async (name, at, fn) => {
    await expect(compile(fn)(tf.ones([2]))).rejects.toThrow(
      `[engine.compile] ${name}, called at ${at}, reads the clock in a compiled function, which would be read once and used in every call. ` +
        'Read it in `step`, and pass the number to the compiled function as an argument.',
    );
  });

  it('leaves clocks to TensorFlow.js, dates that are given to everybody, and all as it was afterwards', async () => {
    const before = [Date, Date.now, performance.now, process.hrtime, process.hrtime.bigint];
    const year = (x: Tensor): Tensor =>
      x.mul(new Date(2020, 1, 1).getFullYear() + (new Date(0) instanceof Date ? 1 : 0));
    const made = (await compile(year)(tf.ones([2]))) as Tensor;
    expect([...made.dataSync()]).toEqual([2021, 2021]);
    await expect(compile((x: Tensor) => x.mul(tf.util.now()))(tf.ones([2]))).resolves.toBeDefined();
    await expect(compile((x: Tensor) => x.mul(Date.now()))(tf.ones([2]))).rejects.toThrow('Date.now');
    expect([Date, Date.now, performance.now, process.hrtime, process.hrtime.bigint]).toEqual(before);
    expect(Object.hasOwn(performance, 'now')).toBe(false);
    expect(Date.now()).toBeGreaterThan(0);
  });

  it('leaves Math.random and TensorFlow.js as they were, after a refusal too', async () => {
    const { random } = Math;
    await compile((x: Tensor) => x.mul(2))(tf.ones([2]));
    await expect(compile((x: Tensor) => x.mul(Math.random()))(tf.ones([2]))).rejects.toThrow('Math.random');
    expect(Math.random).toBe(random);
    expect(tf.randomNormal([2]).shape).toEqual([2]);
    expect(tf.randomUniform([2]).shape).toEqual([2]);
  });

  it('takes weights that were drawn before, and numbers that a key fixes', async () => {
    const weights = tf.randomNormal([2], 0, 1, 'float32', 3);
    const fn = compile((x: Tensor) => x.add(weights).add(tf.tensor1d(keyedRandom('projection').normal('p', 2))));
    expect((await fn(tf.ones([2]))).shape).toEqual([2]);
  });
});
