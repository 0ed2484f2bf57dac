import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { draws, expectAgreement } from './agreement.ts';

const { tensor, integers, bools, distinct, shape, withGradients, withTrueGradient } = draws(20240603);

describe('reductions, scans and normalisations agree with the cpu backend, and so do their gradients', () => {
  it.each(['sum', 'mean', 'max', 'min', 'prod'] as const)('%s over some axes', async (name) => {
    for (const axes of [[0], [2], [1, 2], [0, 2], [-1]]) {
      for (const keepDims of [false, true]) {
        const fn = (x: Tensor) => tf[name](x, axes, keepDims);
        // The gradient of prod in TensorFlow.js wants the product of one axis; max and min put the gradient on every
        // tie.
        if (name === 'prod') await expectAgreement(fn, [tensor([2, 3, 4])]);
        else await withGradients(fn, [tensor([2, 3, 4])]);
      }
    }
  });

  it('products of all entries and of one axis', async () => {
    await withGradients((x) => tf.prod(x), [tensor([2, 3])]);
    await withGradients((x) => tf.prod(x, 1).square(), [tensor([3, 4])]);
    await expectAgreement((p: Tensor) => [tf.prod(p, 0), tf.all(p, 1, true), tf.any(p)], [bools([3, 4])]);
  });

  it('places of extremes, of equal ones the first', async () => {
    const fn = (x: Tensor) => [tf.argMax(x, 0), tf.argMax(x, -1), tf.argMin(x, 1)];
    await expectAgreement(fn, [distinct([3, 4, 5])]);
    await expectAgreement(fn, [integers([3, 4, 5], 0, 2)]);
    await expectAgreement(fn, [bools([3, 4, 5])]);
  });

  it('running sums and products along any axis', async () => {
    for (const exclusive of [false, true]) {
      for (const reverse of [false, true]) {
        await withGradients((x) => tf.cumsum(x, x.rank - 1, exclusive, reverse), [tensor(shape())]);
        for (const axis of [0, 1])
          await withTrueGradient((x) => tf.cumsum(x, axis, exclusive, reverse), tensor([3, 4]), 0.5);
        for (const axis of [0, 1, 2]) {
          await expectAgreement(
            (x: Tensor) => [tf.cumsum(x, axis, exclusive, reverse), tf.cumprod(x, axis, exclusive, reverse)],
            [tensor([3, 4, 5])],
          );
          await expectAgreement(
            (x: Tensor) => [tf.cumsum(x, axis, exclusive, reverse), tf.cumprod(x, axis, exclusive, reverse)],
            [integers([3, 2, 4], -3, 3)],
          );
        }
      }
    }
  });

  it('running along axis -1, which TensorFlow.js does not know', async () => {
    const compiled = jit(
      (x: Tensor) => [tf.cumsum(x, -1).sub(tf.cumsum(x, 1)), tf.cumprod(x, -1).sub(tf.cumprod(x, 1))] as const,
    );
    for (const difference of await compiled(tensor([3, 4])))
      expect(Array.from(difference.dataSync())).toEqual(new Array(12).fill(0));
    compiled.dispose();
  });

  it('softmax and the like, and moments', async () => {
    await withGradients((x) => tf.softmax(x), [tensor([3, 4, 5], -80, 80)]);
    await withGradients((x) => tf.logSoftmax(x), [tensor([3, 4, 5], -80, 80)]);
    for (const axis of [0, 1, 2]) await withGradients((x) => tf.logSumExp(x, axis, true), [tensor([3, 4, 5], -9, 9)]);
    await withGradients(
      (x) => {
        const { mean, variance } = tf.moments(x, [0, 2]);
        return mean.add(variance.mul(2));
      },
      [tensor([3, 4, 5])],
    );
    for (const order of ['euclidean', 1, Infinity] as const)
      await withGradients((x) => tf.norm(x, order, 1), [distinct([3, 4])]);
  });

  it('batch norm, with and without scale and offset', async () => {
    const statistics = (): Tensor[] => [tensor([3]), tensor([3], 0.1, 2), tensor([3]), tensor([3])];
    await withGradients(
      (x, mean, variance, offset, scale) =>
        tf.batchNorm4d(
          x as tf.Tensor4D,
          mean as tf.Tensor1D,
          variance as tf.Tensor1D,
          offset as tf.Tensor1D,
          scale as tf.Tensor1D,
        ),
      [tensor([2, 3, 4, 3]), ...statistics()],
    );
    // Without a scale TensorFlow.js has no gradient: it saves what is not there.
    await expectAgreement(
      (x: Tensor, mean: Tensor, variance: Tensor) => tf.batchNorm(x, mean, variance),
      [tensor([2, 3, 4, 3]), ...statistics().slice(0, 2)],
    );
    await expectAgreement(
      (x: Tensor, mean: Tensor, variance: Tensor) =>
        tf.batchNorm2d(x as tf.Tensor2D, mean as tf.Tensor1D, variance as tf.Tensor1D, undefined, undefined, 0.1),
      [tensor([5, 3]), ...statistics().slice(0, 2)],
    );
  });

  it('normalisation by neighbouring channels', async () => {
    for (const [radius, bias, alpha, beta] of [
      [5, 1, 1, 0.5],
      [1, 2, 0.3, 0.75],
      [0, 1, 1, 1],
    ] as const) {
      await withGradients(
        (x) => tf.localResponseNormalization(x as tf.Tensor4D, radius, bias, alpha, beta),
        [tensor([2, 3, 2, 7])],
      );
    }
  });
});
