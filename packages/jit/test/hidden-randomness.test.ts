/** Random numbers that a compiled function makes itself are refused, by every engine in the same words. */
import { eagerEngine, type Engine, keyedRandom, type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';

const engines: Record<string, Pick<Engine, 'compile'>> = { jit: { compile: (fn) => jit(fn) }, eager: eagerEngine() };
/** The line of this file that calls it. */
const line = (): string =>
  `packages/jit/test/hidden-randomness.test.ts:${/hidden-randomness\.test\.ts:(\d+)/.exec(new Error().stack!.split('\n')[2]!)![1]}`;
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

describe.each(Object.entries(engines))('%s', (_engine, { compile }) => {
  it.each(draws)('refuses %s at %s', async (name, at, fn) => {
    await expect(compile(fn)(tf.ones([2]))).rejects.toThrow(
      `[engine.compile] ${name}, called at ${at}, draws random numbers in a compiled function, which would be drawn once and used in every call. ` +
        'Draw them in `step`, with `random.normal` or `random.uniform` of the StepRandom that it is given, and pass them to the compiled function as an argument.',
    );
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
