import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { draws, expectAgreement, relativeError } from './agreement.ts';

const { tensor, integers, bools, distinct, withGradients } = draws(20240606);
const places = (list: number[]): tf.Tensor1D => tf.tensor1d(list, 'int32');

describe('taking', () => {
  it('along any axis, entries named twice too, and the gradient', async () => {
    for (const axis of [0, 1, 2]) {
      await withGradients((x) => tf.gather(x, places([1, 0, 1, 1]), axis), [tensor([2, 3, 4])]);
      await withGradients(
        (x) =>
          tf
            .gather(
              x,
              tf.tensor2d(
                [
                  [1, 0],
                  [0, 0],
                ],
                [2, 2],
                'int32',
              ),
              axis,
            )
            .sum(-1),
        [tensor([2, 3, 4])],
      );
      await expectAgreement((x: Tensor, i: Tensor) => tf.gather(x, i, axis), [tensor([2, 3, 4]), integers([5], 0, 1)]);
    }
  });

  it('in each entry of a batch', async () => {
    await withGradients(
      (x) =>
        tf.gather(
          x,
          tf.tensor2d(
            [
              [1, 0],
              [2, 2],
            ],
            [2, 2],
            'int32',
          ),
          1,
          1,
        ),
      [tensor([2, 3, 4])],
    );
    await expectAgreement(
      (x: Tensor, i: Tensor) => tf.gather(x, i, 2, 1),
      [tensor([2, 3, 4, 2]), integers([2, 5], 0, 3)],
    );
    await expectAgreement(
      (x: Tensor, i: Tensor) => tf.gather(x, i, 2, 2),
      [bools([2, 3, 4]), integers([2, 3, 2], 0, 3)],
    );
  });

  it('by coordinates', async () => {
    for (const depth of [1, 2, 3])
      await expectAgreement(
        (x: Tensor, i: Tensor) => tf.gatherND(x, i),
        [tensor([2, 3, 4]), integers([5, 2, depth], 0, 1)],
      );
  });

  it('the largest, of equal ones the first', async () => {
    const fn = (x: Tensor) => {
      const { values, indices } = tf.topk(x, 3);
      return [values, indices];
    };
    await expectAgreement(fn, [distinct([2, 3, 7])]);
    await expectAgreement(fn, [integers([4, 9], 0, 3)]);
    await expectAgreement(
      (x: Tensor) => [tf.topk(x, 1).values, tf.topk(x, 6).indices],
      [integers([4, 6], 0, 2).mul(tf.scalar(0.5))],
    );
  });

  it('the place in a sorted row', async () => {
    const sorted = tf.tensor2d([
      [1, 2, 2, 5],
      [0, 0, 3, 3],
    ]);
    await expectAgreement(
      (v: Tensor) => [tf.lowerBound(sorted, v), tf.upperBound(sorted, v), tf.searchSorted(sorted, v, 'right')],
      [
        tf.tensor2d([
          [0, 2, 6],
          [0, 1, 3],
        ]),
      ],
    );
  });
});

describe('putting', () => {
  it('adds what goes to one place', async () => {
    await expectAgreement(
      (i: Tensor, u: Tensor) => tf.scatterND(i, u, [4, 3]),
      [integers([6, 1], 0, 3), tensor([6, 3])],
    );
    await expectAgreement(
      (i: Tensor, u: Tensor) => tf.scatterND(i, u, [4, 3]),
      [integers([6, 2], 0, 2), integers([6], -9, 9)],
    );
  });

  it('writes over what is there, the last of equal places', async () => {
    await expectAgreement(
      (x: Tensor, i: Tensor, u: Tensor) => tf.tensorScatterUpdate(x, i, u),
      [tensor([4, 3]), integers([6, 1], 0, 3), tensor([6, 3])],
    );
    await expectAgreement(
      (x: Tensor, i: Tensor, u: Tensor) => tf.tensorScatterUpdate(x, i, u),
      [bools([4, 3]), integers([6, 2], 0, 2), bools([6])],
    );
    await expectAgreement(
      (i: Tensor, u: Tensor) => [
        tf.sparseToDense(i, u, [4, 3], 0.5),
        tf.sparseToDense(places([1, 3]), u.slice(0, 2), [5]),
      ],
      [
        tf.tensor2d(
          [
            [0, 1],
            [2, 2],
            [3, 0],
          ],
          [3, 2],
          'int32',
        ),
        tensor([3]),
      ],
    );
  });

  it('by segments, where those that do not exist swallow their rows', async () => {
    const fn = (x: Tensor, s: Tensor) => tf.unsortedSegmentSum(x, s as tf.Tensor1D, 4);
    await expectAgreement(fn, [tensor([6, 3]), integers([6], 0, 3)]);
    await expectAgreement(fn, [tensor([6, 2, 2]), integers([6], -2, 6)]);
    await withGradients((x) => tf.unsortedSegmentSum(x, places([1, -1, 0, 1, 3]), 4), [tensor([5, 3])]);
  });

  it('counts', async () => {
    const none = tf.tensor([], [0], 'float32');
    await expectAgreement(
      (x: Tensor, w: Tensor) => [
        tf.bincount(x as tf.Tensor1D, w as tf.Tensor1D, 4),
        tf.bincount(x as tf.Tensor1D, none as tf.Tensor1D, 4),
      ],
      [integers([9], 0, 5), tensor([9])],
    );
    await expectAgreement(
      (x: Tensor, w: Tensor) => [
        tf.denseBincount(x as tf.Tensor2D, w as tf.Tensor2D, 4),
        tf.denseBincount(x as tf.Tensor2D, none as tf.Tensor2D, 4),
        tf.denseBincount(x as tf.Tensor2D, none as tf.Tensor2D, 4, true),
      ],
      [integers([3, 5], 0, 5), tensor([3, 5])],
    );
  });

  it('adds without a race of threads, run for run', async () => {
    // ONNX Runtime's ScatterND loses additions when several threads name one row.
    const count = 50_000;
    const segments = tf.zeros([count], 'int32') as tf.Tensor1D;
    for (const fn of [
      (x: Tensor) => tf.unsortedSegmentSum(x, segments, 2),
      (x: Tensor) => tf.scatterND(segments.reshape([count, 1]), x, [2, 3]),
    ]) {
      const compiled = jit(fn, { threads: 3, sharedFrom: 0 });
      for (let i = 0; i < 5; i++)
        expect(relativeError((await compiled(tf.ones([count, 3]))).dataSync(), [count, count, count, 0, 0, 0])).toBe(0);
      compiled.dispose();
    }
  });
});
