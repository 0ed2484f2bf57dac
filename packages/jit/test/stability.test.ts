/**
 * At one batch size the bits of a sample depend on its own numbers only: not on its place in the batch, not on its
 * neighbours, not on the run. Held by choice of lowerings; see the README for what is known not to hold.
 */
import { sizeOf, type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { mixtureInputs, mixtureStep } from './mixture.ts';
import { jit } from '../src/index.ts';
import { seeded } from './agreement.ts';

const random = seeded(7);
const values = (length: number, low = -2, high = 2): Float32Array =>
  Float32Array.from({ length }, () => low + (high - low) * random());
const tensor = (shape: number[], low?: number, high?: number): Tensor =>
  tf.tensor(values(sizeOf(shape), low, high), shape);
const bits = (x: Tensor): Int32Array => new Int32Array(Float32Array.from(x.dataSync()).buffer);

type Case = [name: string, rows: number, row: number[], fn: (x: Tensor, w: Tensor) => Tensor, argument?: number[]];
const filter = tensor([3, 3, 3, 8]) as tf.Tensor4D;
const picks = tf.tensor1d([3, 3, 24, 0, 3], 'int32');
const [matrix, vector] = [tensor([25, 7]), tensor([25, 1])];
const cases: Case[] = [
  ...(
    [
      'exp',
      'log',
      'log1p',
      'expm1',
      'sqrt',
      'rsqrt',
      'tanh',
      'sigmoid',
      'sin',
      'cos',
      'softplus',
      'erf',
      'reciprocal',
      'elu',
      'selu',
      'asinh',
      'sinh',
      'cosh',
      'tan',
      'atan',
    ] as const
  ).flatMap((op): Case[] => [
    [op, 13, [1001], (x) => tf[op](x)],
    [op, 997, [1], (x) => tf[op](x)],
  ]),
  ['pow', 13, [1001], (x) => tf.pow(x, 0.37)],
  ...(
    [
      [13, 1001],
      [997, 1],
    ] as const
  ).flatMap(([rows, length]): Case[] => [
    ['swish', rows, [length], (x) => x.mul(x.sigmoid())],
    ['swish gradient', rows, [length], (x) => tf.grad((v) => v.mul(v.sigmoid()).square().sum())(x)],
  ]),
  ...(['asin', 'acos', 'atanh'] as const).map((op): Case => [op, 13, [1001], (x) => tf[op](x.mul(0.3))]),
  ['acosh', 13, [1001], (x) => tf.acosh(x.add(1))],
  ['atan2', 13, [1001], (x) => tf.atan2(x, x.sub(1))],
  ['mod', 13, [1001], (x) => tf.mod(x, 0.37)],
  ...(['sum', 'mean', 'max', 'softmax', 'logSoftmax', 'logSumExp', 'prod'] as const).flatMap((op) =>
    (
      [
        [1000, 25],
        [999, 7],
        [16, 12289],
        [3, 4099],
      ] as const
    ).map(([rows, length]): Case => [
      op,
      rows,
      [length],
      (x) => (op === 'softmax' || op === 'logSoftmax' ? tf[op](x) : tf[op](x, 1)),
    ]),
  ),
  ['norm', 37, [9, 11, 3], (x) => x.square().sum([1, 2, 3]).add(1e-30).sqrt()],
  [
    'sum over some axes',
    37,
    [9, 11, 3],
    (x) =>
      x
        .sum([1, 3])
        .add(x.sum([2, 3]).sum(1, true))
        .add(x.sum([1, 2]).sum(1, true)),
  ],
  ['product with a constant', 37, [25], (x) => x.matMul(matrix)],
  ['product with a constant vector', 37, [25], (x) => x.matMul(vector)],
  ['product with an argument', 37, [25], (x, w) => x.matMul(w), [25, 7]],
  ['product with a vector', 1001, [25], (x, w) => x.matMul(w).add(0.3), [25, 1]],
  ['product from the left', 37, [25], (x, w) => tf.matMul(w, x, true, true).transpose(), [25, 1]],
  ['product of each row', 37, [72], (x) => tf.matMul(x.reshape([37, 8, 9]), x.reshape([37, 9, 8]))],
  [
    'product of each row with a vector of its own',
    37,
    [72],
    (x) => tf.matMul(x.slice([0, 0], [37, 63]).reshape([37, 7, 9]), x.slice([0, 63], [37, 9]).reshape([37, 9, 1])),
  ],
  ['einsum ij,jk->ik', 1001, [25], (x, w) => tf.einsum('ij,jk->ik', x, w).add(0.3), [25, 1]],
  ['einsum jk,ij->ki', 1001, [25], (x, w) => tf.einsum('jk,ij->ki', w, x).transpose(), [25, 1]],
  ['einsum j,ij->i', 1001, [25], (x, w) => tf.einsum('j,ij->i', w, x).add(0.3), [25]],
  ['einsum of each row', 1001, [25], (x) => tf.einsum('ij,ij->i', x, x)],
  ['cumsum', 37, [25], (x) => tf.cumsum(x, 1)],
  ['cumprod', 37, [25], (x) => tf.cumprod(x, 1)],
  ['topk', 37, [25], (x) => tf.topk(x, 5).values],
  ['gather gradient', 37, [25], (x) => tf.grad((v) => tf.gather(v, picks, 1).square())(x)],
  ['batch norm', 5, [9, 7, 3], (x) => tf.batchNorm(x, tf.tensor1d([0.1, 0.2, 0.3]), tf.tensor1d([1, 2, 3]))],
  ['local response', 5, [9, 7, 13], (x) => tf.grad((v) => tf.localResponseNormalization(v as tf.Tensor4D))(x)],
  ['convolution', 5, [17, 15, 3], (x) => tf.conv2d(x as tf.Tensor4D, filter, 1, 'same')],
  [
    'convolution gradient',
    5,
    [17, 15, 3],
    (x) => tf.grad((v) => tf.conv2d(v as tf.Tensor4D, filter, 1, 'same').square())(x),
  ],
  [
    'strided convolution gradient',
    5,
    [17, 15, 3],
    (x) => tf.grad((v) => tf.conv2d(v as tf.Tensor4D, filter, 2, 'same').square())(x),
  ],
  [
    'convolution with a filter that is an argument, gradient',
    5,
    [17, 15, 16],
    (x, w) => tf.grad((v) => tf.conv2d(v as tf.Tensor4D, w as tf.Tensor4D, 1, 'same').square())(x),
    [3, 3, 16, 32],
  ],
  ['dilated convolution', 5, [17, 15, 3], (x) => tf.conv2d(x as tf.Tensor4D, filter, 1, 'same', 'NHWC', 2)],
  [
    'transposed convolution',
    5,
    [9, 7, 8],
    (x) => tf.conv2dTranspose(x as tf.Tensor4D, filter, [5, 18, 14, 3], 2, 'same'),
  ],
  [
    'depthwise convolution',
    5,
    [17, 15, 3],
    (x) => tf.depthwiseConv2d(x as tf.Tensor4D, filter.slice([0, 0, 0, 0], [3, 3, 3, 2]), 1, 'same'),
  ],
  ...[1, 2].map((strides): Case => [
    `depthwise convolution gradient, stride ${strides}`,
    5,
    [17, 15, 3],
    (x) => tf.grad((v) => tf.depthwiseConv2d(v as tf.Tensor4D, filter, strides, 'same').square())(x),
  ]),
  [
    'convolution of volumes',
    3,
    [7, 6, 5, 3],
    (x) => tf.grad((v) => tf.conv3d(v as tf.Tensor5D, filter.expandDims(0) as tf.Tensor5D, 1, 'same').square())(x),
  ],
  ...(['maxPool', 'avgPool'] as const).map((op): Case => [
    `${op} gradient, strided`,
    5,
    [17, 15, 3],
    (x) => tf.grad((v) => tf[op](v as tf.Tensor4D, 3, 2, 'same').square())(x),
  ]),
  ...(['resizeBilinear', 'resizeNearestNeighbor'] as const).map((op): Case => [
    `${op} and gradient`,
    5,
    [16, 13, 3],
    (x) => tf.grad((v) => tf.image[op](v as tf.Tensor4D, [21, 37]).square())(x),
  ]),
  [
    'enlargement between convolutions, gradient',
    5,
    [9, 7, 3],
    (x) =>
      tf.grad((v) => tf.image.resizeNearestNeighbor(tf.conv2d(v as tf.Tensor4D, filter, 1, 'same'), [18, 21]).square())(
        x,
      ),
  ],
  ['pooling gradient', 5, [16, 16, 3], (x) => tf.grad((v) => tf.avgPool(v as tf.Tensor4D, 3, 1, 'same').square())(x)],
];

describe.each([1, 2, 3])('with %i threads', (threads) => {
  it.each(cases)('equal rows give equal bits: %s, %i rows of %s', async (_, rows, shape, fn, argument = [1]) => {
    const f = jit(fn, { threads, sharedFrom: 0 });
    const row = values(sizeOf(shape), 0.05, 3);
    const batch = tf.tensor(
      Float32Array.from({ length: rows * row.length }, (__, i) => row[i % row.length]!),
      [rows, ...shape],
    );
    const result = bits(await f(batch, tensor(argument)));
    f.dispose();
    const length = result.length / rows;
    const first = result.subarray(0, length);
    const moved = Array.from({ length: rows }, (__, b) => b).filter(
      (b) =>
        Buffer.compare(
          Buffer.from(result.slice(b * length, (b + 1) * length).buffer),
          Buffer.from(first.slice().buffer),
        ) !== 0,
    );
    expect(moved).toEqual([]);
  });

  it('a guided step: neighbours, places and runs leave a sample as it is', async () => {
    const rows = 61;
    const step = jit(mixtureStep(), { threads, sharedFrom: 0 });
    const call = async (inputs: ReturnType<typeof mixtureInputs>) =>
      bits((await step(inputs.xt, inputs.y, inputs.noise, { signal: 0.7, std: 0.3, alphaBar: 0.49 }, 1)).state);
    const inputs = mixtureInputs(rows);
    const reference = await call(inputs);
    expect(await call(inputs)).toEqual(reference);
    const order = Array.from({ length: rows }, (_, b) => (b * 7 + 3) % rows);
    const indices = tf.tensor1d(order, 'int32');
    const permuted = await call({
      xt: tf.gather(inputs.xt, indices) as tf.Tensor2D,
      y: tf.gather(inputs.y, indices) as tf.Tensor2D,
      noise: tf.gather(inputs.noise, indices) as tf.Tensor2D,
    });
    order.forEach((b, place) =>
      expect(permuted.slice(place * 8, place * 8 + 8)).toEqual(reference.slice(b * 8, b * 8 + 8)),
    );
    const crowd = tensor([rows - 1, 8], -50, 50);
    const among = await call({ ...inputs, xt: tf.concat([inputs.xt.slice(0, 1), crowd]) as tf.Tensor2D });
    expect(among.slice(0, 8)).toEqual(reference.slice(0, 8));
    step.dispose();
  });
});
