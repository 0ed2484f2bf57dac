import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { sourceLine } from '../src/tracing/source-line.ts';

/** The line of this file that calls it, so that lines may move. */
const line = (offset = 0): string =>
  `packages/jit/test/source-line.test.ts:${Number(/source-line\.test\.ts:(\d+)/.exec(new Error().stack!.split('\n')[2]!)![1]) + offset}`;
const messageOf = (fn: (x: Tensor) => Tensor, x: Tensor = tf.ones([2, 3])): Promise<string> =>
  jit(fn)(x).then(
    () => '',
    (error: Error) => error.message,
  );

describe('the line of the user that is running', () => {
  it('is the one that asks, seen from outside of this package and TensorFlow.js', () => {
    expect(sourceLine()()).toBe(line());
    let inside = (): string => '';
    const fn = tf.customGrad((x) => ({ value: ((inside = sourceLine()), x as Tensor), gradFunc: (dy: Tensor) => dy }));
    tf.grad(fn)(tf.scalar(1));
    expect(inside()).toBe(line(-2));
  });

  it('costs little to take', () => {
    const start = performance.now();
    for (let i = 0; i < 1000; i++) sourceLine();
    expect((performance.now() - start) / 1000).toBeLessThan(1);
  });
});

describe('errors name the operation and the line', () => {
  it('of a kernel without a lowering, with the reason and a way out', async () => {
    const fn = (x: Tensor) => x.mul(tf.unique(x.reshape([-1])).values.sum());
    expect(await messageOf(fn)).toBe(
      `jit: the TensorFlow.js kernel Unique, called at ${line(-2)}, cannot be compiled: the shape of its result depends on the numbers, and a graph has fixed shapes. ` +
        'Compute it outside of the compiled function and pass the result in, or run with --engine eager.',
    );
  });

  it('of a lowering that refuses', async () => {
    const fn = (x: Tensor) => tf.depthToSpace(x as tf.Tensor4D, 2, 'NCHW');
    expect(await messageOf(fn, tf.ones([1, 4, 2, 2]))).toBe(
      `jit: images are [batch, height, width, channels] here (NHWC), got NCHW (kernel DepthToSpace, called at ${line(-2)}).`,
    );
  });

  it('of shapes that do not fit', async () => {
    expect(await messageOf((x) => x.matMul(tf.ones([2, 2])))).toBe(
      `jit: product of matrices of shapes [2, 3] and [2, 2] (kernel BatchMatMul, called at ${line(-1)}).`,
    );
    expect(await messageOf((x) => tf.grad((z) => z.add(tf.ones([4])).sum())(x))).toBe(
      `jit: shapes [2, 3] and [4] do not fit each other (kernel Add, called at ${line(-1)}).`,
    );
    expect(await messageOf((x) => x.slice([0, 1], [2, 3]))).toBe(
      `jit: slice from [0, 1] to [2, 4] of shape [2, 3] (kernel Slice, called at ${line(-1)}).`,
    );
    expect(await messageOf((x) => tf.concat([x, tf.ones([3, 3])], 1))).toContain(
      `(kernel Concat, called at ${line(-1)}).`,
    );
    expect(await messageOf((x) => x.transpose([0]))).toContain(`(refused by TensorFlow.js at ${line()})`);
  });

  it('of a gradient: the line that took it', async () => {
    const broken = (x: Tensor) =>
      tf.grad((z) => tf.conv2d(z as tf.Tensor4D, tf.ones([3, 3, 1, 1]), 1, 'same', 'NHWC', 2).sum())(x);
    expect(await messageOf(broken, tf.ones([1, 8, 8, 1]))).toContain(line(-1));
  });

  it('and leaves errors of the function itself as they are', async () => {
    const error = new Error('stop');
    await expect(
      jit((): Tensor => {
        throw error;
      })(),
    ).rejects.toBe(error);
  });
});
