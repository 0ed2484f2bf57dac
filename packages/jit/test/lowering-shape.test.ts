import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { draws, expectAgreement } from './agreement.ts';

const { tensor, integers, bools, integer, shape, withGradients, withTrueGradient } = draws(20240605);

describe('shapes agree with the cpu backend, and so do their gradients', () => {
  it('moved, repeated, cut and joined', async () => {
    const x = tensor([2, 3, 4]);
    await withGradients((v) => tf.transpose(v, [2, 0, 1]), [x]);
    await withGradients((v) => v.reshape([6, -1]).transpose(), [x]);
    await withGradients((v) => v.expandDims(1).expandDims(-1).squeeze(), [x]);
    await withGradients((v) => tf.tile(v, [2, 1, 3]), [x]);
    await withGradients((v) => tf.broadcastTo(v, [5, 2, 3]), [tensor([2, 1])]);
    await withGradients((v) => tf.reverse(v, [0, 2]), [x]);
    await withGradients(
      (v) =>
        tf.pad(
          v,
          [
            [1, 0],
            [0, 2],
            [1, 1],
          ],
          0.5,
        ),
      [x],
    );
    await withGradients((v) => v.slice([0, 1, 1], [2, -1, 2]), [x]);
    await withGradients((v, w) => tf.concat([v, w, v], 1), [x, tensor([2, 5, 4])]);
    await withGradients((v, w) => tf.stack([v, w], 1), [x, tensor([2, 3, 4])]);
    await withGradients((v) => tf.unstack(v, 1).reduce((sum, part, i) => sum.add(part.mul(i + 1)), tf.scalar(0)), [x]);
    await withGradients(
      (v) => tf.split(v, [1, 3], 2).reduce((sum, part, i) => sum.add(part.sum([2]).mul(i + 1)), tf.scalar(0)),
      [x],
    );
    await expectAgreement((v: Tensor) => tf.stridedSlice(v, [0, 2, 3], [2, 0, 0], [1, -1, -2]), [x]);
    await expectAgreement((v: Tensor) => tf.cumsum(v, 1, true, true), [x]);
    await withGradients((v) => tf.cumprod(v.abs(), 2).mean(), [x]).catch(() =>
      expectAgreement((v: Tensor) => [tf.cumprod(v, 1), tf.cumprod(v, 2, true), tf.cumprod(v, 0, false, true)], [x]),
    );
  });

  it('of any rank and size', async () => {
    for (let i = 0; i < 8; i++) {
      const of = shape();
      const axis = integer(0, of.length - 1);
      const reps = of.map(() => integer(1, 3));
      const paddings = of.map(() => [integer(0, 2), integer(0, 2)] as [number, number]);
      const begin = of.map((n) => integer(0, n - 1));
      const perm = of.map((_, a) => a).sort((a, b) => ((a * 7 + i) % 5) - ((b * 7 + i) % 5) || a - b);
      await withGradients((x) => tf.tile(x, reps), [tensor(of)]);
      await withGradients((x) => tf.pad(x, paddings), [tensor(of)]);
      await withGradients(
        (x) =>
          x.slice(
            begin,
            of.map((n, a) => n - begin[a]!),
          ),
        [tensor(of)],
      );
      await withGradients((x) => tf.reverse(x.transpose(perm), axis), [tensor(of)]);
      await withGradients((x, y) => tf.stack([x, y, x], axis), [tensor(of), tensor(of)]);
      await withGradients((x, y) => tf.concat([x, y, x], axis), [tensor(of), tensor(of.with(axis, 3))]);
      // TensorFlow.js mistakes some slices without entries for others.
      const cuts = of.map((n) => {
        const [from, step] = [integer(0, n - 1), integer(1, 2)];
        const to = integer(from + 1, n);
        return integer(0, 1) === 0
          ? { begin: from - integer(0, 1) * n, end: to, step }
          : { begin: to - 1, end: from - 1 - n, step: -step };
      });
      await expectAgreement(
        (x: Tensor) =>
          tf.stridedSlice(
            x,
            cuts.map((cut) => cut.begin),
            cuts.map((cut) => cut.end),
            cuts.map((cut) => cut.step),
          ),
        [tensor(of)],
      );
    }
  });

  it('of whole numbers and booleans', async () => {
    const fn = (x: Tensor): Tensor[] => [
      tf.tile(x, [2, 1]),
      tf.reverse(x, 1),
      tf.transpose(x),
      tf.concat([x, x], 1),
      tf.stack([x, x]),
      x.slice([1, 0], [1, 2]),
      tf.mirrorPad(
        x,
        [
          [1, 1],
          [0, 1],
        ],
        'reflect',
      ),
      ...tf.unstack(x),
      ...tf.split(x, 3, 1),
      tf.broadcastTo(x, [2, 2, 3]),
      tf.stridedSlice(x, [0, 2], [2, 0], [1, -1]),
      tf.gather(x, tf.tensor1d([1, 1, 0], 'int32')),
    ];
    await expectAgreement(fn, [integers([2, 3], -9, 9)]);
    await expectAgreement(fn, [bools([2, 3])]);
    await expectAgreement(
      (x: Tensor) => [
        tf.stridedSlice(x, [0, 1], [1, 3], [1, 1], 1, 2),
        tf.stridedSlice(x, [1, 0], [2, 2], [1, 1], 0, 0, 0, 0, 1),
        tf.stridedSlice(x, [0, 0, 1], [0, 1, 3], [1, 1, 1], 0, 0, 0, 1),
      ],
      [tensor([2, 3])],
    );
    await expectAgreement(
      (x: Tensor) =>
        tf.pad(x, [
          [1, 0],
          [0, 2],
        ]),
      [integers([2, 3], -9, 9)],
    );
    await expectAgreement(
      (x: Tensor) => [
        tf.pad(x, [
          [1, 0],
          [0, 2],
        ]),
        tf.diag(x.reshape([6])),
      ],
      [bools([2, 3])],
    );
  });

  it('of slices that TensorFlow.js refuses: without entries, or one row of it every other entry', async () => {
    const compiled = jit(
      (x: Tensor) =>
        [
          tf.stridedSlice(x, [2, 0], [1, 2], [1, 1]),
          tf.stridedSlice(x, [1, 0], [2, 3], [1, 2], 0, 0, 0, 0, 1),
        ] as const,
    );
    const [none, row] = await compiled(
      tf.tensor2d([
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ]),
    );
    compiled.dispose();
    expect(none.shape).toEqual([0, 2]);
    expect(Array.from(row.dataSync())).toEqual([4, 6]);
  });

  it('mirrored at the ends', async () => {
    for (const mode of ['reflect', 'symmetric'] as const) {
      await expectAgreement(
        (x: Tensor) =>
          tf.mirrorPad(
            x,
            [
              [1, 0],
              [2, 2],
              [0, 1],
            ],
            mode,
          ),
        [tensor([3, 4, 2])],
      );
      await withTrueGradient(
        (x) =>
          tf.mirrorPad(
            x,
            [
              [1, 2],
              [2, 0],
            ],
            mode,
          ),
        tensor([3, 4]),
        0.5,
      );
    }
  });

  it('of blocks: depth, space and batch', async () => {
    await expectAgreement((x: Tensor) => tf.depthToSpace(x as tf.Tensor4D, 2), [tensor([2, 3, 2, 12])]);
    await withGradients(
      (x) =>
        tf.spaceToBatchND(
          x,
          [2, 3],
          [
            [0, 1],
            [1, 0],
          ],
        ),
      [tensor([2, 3, 5, 2])],
    );
    await withGradients(
      (x) =>
        tf.batchToSpaceND(
          x,
          [2, 2],
          [
            [0, 1],
            [1, 0],
          ],
        ),
      [tensor([8, 3, 2, 2])],
    );
    await expectAgreement((x: Tensor) => tf.image.flipLeftRight(x as tf.Tensor4D), [tensor([2, 3, 4, 1])]);
    await expectAgreement(
      (x: Tensor) => [tf.diag(x), tf.eye(3), tf.linalg.bandPart(x.mul(tf.eye(3)) as tf.Tensor2D, 1, 0)],
      [tensor([3, 3])],
    );
    await expectAgreement((x: Tensor) => tf.image.rgbToGrayscale(x as tf.Tensor4D), [tensor([2, 3, 4, 3])]);
    await expectAgreement(
      (a: Tensor, b: Tensor) => tf.broadcastArgs(a, b),
      [tf.tensor1d([2, 1, 4], 'int32'), tf.tensor1d([3, 1], 'int32')],
    );
    await expectAgreement(
      (x: Tensor) => [tf.meshgrid(x, x)[0]!, tf.range(0, 7, 2), tf.linspace(-1, 1, 5)],
      [tensor([3])],
    );
  });
});
