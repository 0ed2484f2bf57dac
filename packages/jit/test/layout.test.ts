/**
 * Between two convolutions everything runs planar: there is a transpose on the way in and one on the way out, of image
 * and filters.
 */
import { type Image, type Tensor, type TensorTree, tf, vjp } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { draws, expectAgreement } from './agreement.ts';
import { count, operations, tracedValues } from './operations.ts';
import { isFixed } from '../src/passes/fixed.ts';

const { tensor } = draws(11);
const [x, filter, bias] = [tensor([2, 8, 8, 3]) as Image, tensor([3, 3, 3, 3]) as tf.Tensor4D, tensor([3])];
const perRow = tensor([2, 1, 1, 3]);
const conv = (image: Image): Image => tf.conv2d(image, filter, 1, 'same');
const between = (work: (image: Image) => Tensor) => (image: Image) => conv(work(conv(image)) as Image);

const transposes = (fn: (...args: never[]) => TensorTree): number =>
  tracedValues(fn, x).filter(
    (value) => value.source.kind === 'operation' && value.source.op === 'Transpose' && !isFixed(value),
  ).length;

const works: [string, (image: Image) => Tensor][] = [
  ['elementwise work', (v) => v.square().add(1).relu()],
  ['an operand per channel, per image, a number', (v) => v.mul(bias).add(perRow).sub(tf.scalar(0.3))],
  ['two branches', (v) => v.tanh().mul(v.sigmoid())],
  ['concat', (v) => tf.concat([v, v.neg()], 3).slice([0, 0, 0, 2], [-1, -1, -1, 3])],
  [
    'slice and pad',
    (v) =>
      v.slice([0, 1, 2, 0], [-1, 5, 4, -1]).pad([
        [0, 0],
        [1, 0],
        [2, 1],
        [0, 0],
      ]),
  ],
  ['reversal', (v) => v.reverse([1, 2])],
  ['a mean over the image', (v) => v.sub(v.mean([1, 2], true))],
  ['a maximum over the channels', (v) => v.sub(v.max(3, true))],
  ['an average pool', (v) => tf.avgPool(v, 2, 2, 'valid')],
  ['a maximum pool', (v) => tf.maxPool(v, 3, 2, 'same')],
  ['an enlargement', (v) => tf.image.resizeNearestNeighbor(v, [16, 24])],
  ['an enlargement by no whole number', (v) => tf.image.resizeNearestNeighbor(v, [12, 9])],
  ['an interpolation', (v) => tf.image.resizeBilinear(v, [12, 9])],
  [
    'a mirrored edge',
    (v) =>
      tf.mirrorPad(
        v,
        [
          [0, 0],
          [1, 2],
          [2, 1],
          [0, 0],
        ],
        'reflect',
      ),
  ],
];

describe('the planar layout', () => {
  it.each(works)('holds through %s', async (_, work) => {
    expect(transposes(between(work))).toBe(2);
    await expectAgreement(between(work), [x]);
  });

  // A sum over channels is a product with ones, whose rows have to lie interleaved; TensorFlow.js has the gradient of a
  // mirrored edge wrong.
  it.each(works.filter(([name]) => !/over the channels|mirrored/.test(name)))(
    'holds through the gradient of %s',
    async (name, work) => {
      const gradient = (image: Image) => vjp((z) => between(work)(z).square().sum(), image);
      expect(transposes(gradient)).toBe(2);
      // TensorFlow.js's gradient of an enlargement reads the wrong image for all but the first.
      await expectAgreement(gradient, [/enlargement/.test(name) ? x.slice(0, 1) : x], 1e-4);
    },
  );

  it('costs nothing where there is no convolution', () => {
    for (const [, work] of works.slice(0, 7)) expect(count(operations(work, x), 'Transpose')).toBe(0);
  });
});
