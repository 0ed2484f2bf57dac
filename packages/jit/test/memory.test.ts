/** A compiled function may be called for days. */
import { disposeTree, type Scalar, type Tensor, tf } from '@tweedie/core';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { jit } from '../src/index.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
/** In MB. */
const residentMemory = (): number => {
  collectGarbage();
  return process.memoryUsage().rss / 2 ** 20;
};

it('holds no memory from call 100 to call 1000, in turn with several shapes', { timeout: 120_000 }, async () => {
  const weights = tf.randomNormal([3, 3, 8, 8], 0, 0.1, 'float32', 1) as tf.Tensor4D;
  const network = (x: Tensor): Tensor => tf.conv2d(x as tf.Tensor4D, weights, 1, 'same').relu();
  const f = jit(
    (x: Tensor, s: Scalar) =>
      [
        tf
          .grad((z) => network(network(z)).square().sum())(x)
          .mul(s),
        network(x),
      ] as const,
  );
  const inputs = [
    [1, 16, 16, 8],
    [2, 16, 16, 8],
    [1, 24, 16, 8],
  ].map((shape) => tf.randomNormal(shape, 0, 1, 'float32', 2));
  const call = async (i: number): Promise<void> => disposeTree(await f(inputs[i % 3]!, i));
  for (let i = 0; i < 100; i++) await call(i);
  const [tensors, memory] = [tf.memory().numTensors, residentMemory()];
  for (let i = 100; i < 1000; i++) {
    await call(i);
    // V8 would let 30 MB of results lie, which is no leak.
    if (i % 50 === 0) collectGarbage();
  }
  expect(f.compilations).toBe(3);
  expect(tf.memory().numTensors).toBe(tensors);
  expect(residentMemory() - memory).toBeLessThan(20);
  f.dispose();
});
