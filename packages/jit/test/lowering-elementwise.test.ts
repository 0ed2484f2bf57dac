import { type Tensor, tf } from '@tweedie/core';
import { describe, it } from 'vitest';
import { draws, expectAgreement } from './agreement.ts';

const { tensor, integers, bools, shape, withGradients } = draws(20240601);

type Unary = (x: Tensor) => Tensor;
const unaries: [string, Unary, number?, number?][] = [
  ['abs', tf.abs],
  ['neg', tf.neg],
  ['square', tf.square],
  ['exp', tf.exp],
  ['expm1', tf.expm1],
  ['expm1, large', tf.expm1, -30, 30],
  ['expm1, small', tf.expm1, -1e-4, 1e-4],
  ['sigmoid', tf.sigmoid],
  ['sigmoid, tail', tf.sigmoid, -40, 2],
  ['tanh', tf.tanh],
  ['sin', tf.sin, -30, 30],
  ['cos', tf.cos, -30, 30],
  ['relu', tf.relu],
  ['relu6', tf.relu6, -2, 8],
  ['softplus', tf.softplus, -30, 30],
  ['elu', tf.elu],
  ['selu', tf.selu],
  ['logSigmoid', tf.logSigmoid],
  ['mish', (x) => x.mul(tf.tanh(tf.softplus(x)))],
  ['leakyRelu', tf.leakyRelu],
  ['erf', tf.erf],
  ['atan', tf.atan],
  ['asinh', tf.asinh],
  ['sinh', tf.sinh],
  ['cosh', tf.cosh],
  ['sqrt', tf.sqrt, 0.01, 9],
  ['rsqrt', tf.rsqrt, 0.01, 9],
  ['log', tf.log, 0.001, 50],
  ['log1p', tf.log1p, -0.9, 50],
  ['log1p, small', tf.log1p, -1e-4, 1e-4],
  ['reciprocal', tf.reciprocal, 0.2, 3],
  ['tan', tf.tan, -1, 1],
  ['asin', tf.asin, -0.9, 0.9],
  ['acos', tf.acos, -0.9, 0.9],
  ['acosh', tf.acosh, 1.5, 9],
  ['atanh', tf.atanh, -0.9, 0.9],
  ['clip', (x) => tf.clipByValue(x, -0.5, 0.7)],
  ['step', (x) => tf.step(x, 0.1)],
  ['sign', tf.sign],
  ['floor', tf.floor],
  ['ceil', tf.ceil],
  ['round', tf.round],
  ['pow 3', (x) => tf.pow(x, 3), 0.1, 3],
  ['pow -0.5', (x) => tf.pow(x, -0.5), 0.1, 3],
  ['pow 2', (x) => x.pow(2)],
  ['softmax', (x) => tf.softmax(x), -4, 4],
  ['logSoftmax', (x) => tf.logSoftmax(x), -9, 9],
  ['logSumExp', (x) => tf.logSumExp(x), -9, 9],
  ['sum', (x) => x.sum()],
  ['mean', (x) => x.mean()],
  ['max', (x) => x.max()],
  ['min', (x) => x.min()],
  ['cumsum', (x) => tf.cumsum(x, x.rank - 1)],
  ['reverse', (x) => tf.reverse(x, 0)],
  ['onesLike', (x) => x.mul(tf.onesLike(x))],
  ['zerosLike', (x) => x.add(tf.zerosLike(x))],
  ['prod', (x) => tf.prod(x.reshape([-1]).slice(0, Math.min(4, x.size)))],
];

const binaries: [string, (a: Tensor, b: Tensor) => Tensor][] = [
  ['add', tf.add],
  ['sub', tf.sub],
  ['mul', tf.mul],
  ['div', tf.div],
  ['pow', tf.pow],
  ['atan2', tf.atan2],
];
/** TensorFlow.js has no gradient of these where they broadcast, or none at all. */
const rigid: [string, (a: Tensor, b: Tensor) => Tensor][] = [
  ['prelu', tf.prelu],
  ['mod', (a, b) => tf.mod(a, b)],
  ['maximum', tf.maximum],
  ['minimum', tf.minimum],
  ['squaredDifference', tf.squaredDifference],
  ['where', (a, b) => tf.where(tf.greater(tf.tensor2d([[1], [3], [2]]), 2), a.mul(2), b)],
];
const flat: [string, (a: Tensor, b: Tensor) => Tensor][] = [
  ...rigid,
  ['divNoNan', tf.divNoNan],
  ['mod, negative', (a, b) => tf.mod(a, b.neg())],
  ['floorDiv', tf.floorDiv],
  ['atan2, negative', (a, b) => tf.atan2(a, b.neg())],
];
const broadcasts = [
  [
    [3, 4],
    [3, 4],
  ],
  [
    [384, 3, 3],
    [384, 3, 1],
  ],
  [[2, 3, 4], [4]],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[], [3, 3]],
  [[3, 5], []],
] as const;

describe('elementwise kernels agree with the cpu backend, and so do their gradients', () => {
  it.each(unaries)('%s', async (_, fn, low = -2, high = 2) => {
    for (let i = 0; i < 3; i++) await withGradients(fn, [tensor(shape(), low, high)]);
  });

  it.each(binaries)('%s, with broadcasting', async (_, fn) => {
    // Terms of the sums in these gradients may cancel.
    for (const [a, b] of broadcasts) await withGradients(fn, [tensor([...a], 0.3, 3), tensor([...b], 0.3, 3)], 3e-5);
  });
  it.each(rigid)('%s', async (_, fn) => withGradients(fn, [tensor([3, 4]), tensor([3, 4])]));
  it.each(flat)('%s, value, with broadcasting', async (_, fn) => {
    for (const [a, b] of broadcasts) await expectAgreement(fn, [tensor([...a]), tensor([...b], 0.3, 3)]);
  });

  it('sums, extremes and comparisons of int32 and bool', async () => {
    const fn = (i: Tensor, j: Tensor, p: Tensor, q: Tensor) => ({
      arithmetic: [
        i.add(j),
        i.sub(j),
        i.mul(j),
        i.maximum(j),
        i.minimum(j),
        i.neg(),
        i.abs(),
        i.square(),
        i.sum(1),
        i.max(0),
        i.min(1),
        tf.floorDiv(i, j),
        i.div(j),
        tf.mod(i, j),
        tf.squaredDifference(i, j),
      ],
      order: [i.equal(j), i.notEqual(j), i.greater(j), i.greaterEqual(j), i.less(j), i.lessEqual(j), p.equal(q)],
      logic: [
        p.logicalAnd(q),
        tf.logicalOr(p, q),
        p.logicalNot(),
        tf.logicalXor(p, q),
        tf.all(p, 0),
        tf.any(p, 1),
        p.sum(1),
        p.mean(0),
      ],
      casts: [
        i.cast('float32'),
        i.cast('bool'),
        p.cast('int32'),
        p.cast('float32'),
        i.cast('float32').mul(1.7).cast('int32'),
      ],
      choice: [tf.where(p, i, j), tf.where(p, p, q), tf.where(p, tf.scalar(1), i.cast('float32'))],
      indices: [i.argMax(1), tf.argMin(i, 0), tf.oneHot(i.abs(), 7), tf.gather(j, tf.tensor1d([1, 0, 2, 2], 'int32'))],
      generated: [tf.range(0, 5, 1, 'int32'), tf.linspace(0, 1, 4), tf.fill([2, 2], 3)],
    });
    await expectAgreement(fn, [integers([3, 5], -6, 6), integers([3, 5], 1, 6), bools([3, 5]), bools([3, 5])]);
  });

  it('nan and infinity', async () => {
    const special = tf.tensor1d([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -1, 1]);
    const other = tf.tensor1d([1, 1, 1, Number.NaN, Number.NaN, Number.NaN]);
    const fn = (x: Tensor, y: Tensor) => ({
      tests: [tf.isNaN(x), tf.isInf(x), tf.isFinite(x), x.equal(x), x.notEqual(x), x.greater(y), x.lessEqual(y)],
      unary: [
        x.abs(),
        x.exp(),
        tf.expm1(x),
        x.tanh(),
        x.sigmoid(),
        x.relu(),
        tf.clipByValue(x, -0.5, 0.5),
        x.square(),
        tf.softplus(x),
        x.sqrt(),
        x.log(),
        tf.log1p(x),
        tf.atan(x),
        tf.asin(x),
        tf.acos(x),
        tf.selu(x),
      ],
      binary: [x.add(y), x.mul(y), x.maximum(y), x.minimum(y), x.div(y), tf.atan2(y, x)],
      reductions: [x.sum(), y.slice(0, 3).max()],
    });
    await expectAgreement(fn, [special, other]);
  });

  it('angles in all quarters, on the axes and at the origin', async () => {
    const [a, b] = [tf.tensor1d([0, 0, 1, -1, 1, -1, 1, -1, 0]), tf.tensor1d([1, -1, 0, 0, 1, 1, -1, -1, 0])];
    await expectAgreement((x: Tensor, y: Tensor) => tf.atan2(x, y), [a, b]);
  });

  it('whole quotients of real numbers, to the last one', async () => {
    const fn = (x: Tensor, y: Tensor) => tf.floorDiv(x, y);
    await expectAgreement(fn, [tf.tensor1d([6, 0.6, 3, 0.9, -0.6, 100]), tf.tensor1d([0.1, 0.1, 0.3, 0.3, 0.2, 0.01])]);
    await expectAgreement(fn, [tf.tensor1d([2 ** 30 + 1, 2 ** 31 - 1], 'int32'), tf.tensor1d([1, 3], 'int32')]);
  });

  it('functions of whole numbers', async () => {
    const fn = (i: Tensor, j: Tensor, p: Tensor) => ({
      signs: [tf.sign(i), tf.step(i, 2), tf.clipByValue(i, -2, 3), tf.relu(i), tf.relu6(i)],
      tests: [tf.isNaN(i), tf.isInf(i), tf.isFinite(i), tf.isFinite(p)],
      pairs: [
        tf.bitwiseAnd(i, j),
        tf.pow(j, tf.scalar(2, 'int32')),
        tf.addN([i, j, i]),
        tf.onesLike(i),
        tf.zerosLike(p),
      ],
    });
    await expectAgreement(fn, [integers([3, 4], -6, 6), integers([3, 4], 0, 9), bools([3, 4])]);
  });
});
