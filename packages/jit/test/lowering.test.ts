import { type Tensor, tf, type TensorTree } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { expectAgreement, relativeError, seeded } from './agreement.ts';

const random = seeded(20240601);
const between = (low: number, high: number): number => low + (high - low) * random();
const integer = (low: number, high: number): number => Math.floor(between(low, high + 1));
const tensor = (shape: number[], low = -2, high = 2): Tensor => tf.tensor(Float32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => between(low, high)), shape);
const integers = (shape: number[], low: number, high: number): Tensor => tf.tensor(Int32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => integer(low, high)), shape, 'int32');
const bools = (shape: number[]): Tensor => tf.tensor(Uint8Array.from({ length: shape.reduce((p, n) => p * n, 1) }, () => integer(0, 1)), shape, 'bool');
const shape = (): number[] => Array.from({ length: integer(1, 4) }, () => integer(1, 5));

/** Value and, against every argument, gradient along a random direction. */
async function withGradients(fn: (...xs: Tensor[]) => Tensor, args: Tensor[], tolerance = 1e-5): Promise<void> {
  const weights = tensor([...tf.tidy(() => fn(...args)).shape]);
  await expectAgreement((...xs: Tensor[]) => ({ value: fn(...xs), gradients: tf.grads((...ys: Tensor[]) => fn(...ys).mul(weights).sum())(xs) }) as TensorTree, args, tolerance);
}

type Unary = (x: Tensor) => Tensor;
const unaries: [string, Unary, number?, number?][] = [
  ['abs', tf.abs], ['neg', tf.neg], ['square', tf.square], ['exp', tf.exp], ['expm1', tf.expm1], ['expm1, large', tf.expm1, -30, 30], ['expm1, small', tf.expm1, -1e-4, 1e-4], ['sigmoid', tf.sigmoid],
  ['sigmoid, tail', tf.sigmoid, -40, 2], ['tanh', tf.tanh], ['sin', tf.sin, -30, 30], ['cos', tf.cos, -30, 30], ['relu', tf.relu], ['relu6', tf.relu6, -2, 8],
  ['softplus', tf.softplus, -30, 30], ['elu', tf.elu], ['leakyRelu', tf.leakyRelu], ['erf', tf.erf], ['atan', tf.atan], ['asinh', tf.asinh], ['sinh', tf.sinh], ['cosh', tf.cosh],
  ['sqrt', tf.sqrt, 0.01, 9], ['rsqrt', tf.rsqrt, 0.01, 9], ['log', tf.log, 0.001, 50], ['log1p', tf.log1p, -0.9, 50], ['log1p, small', tf.log1p, -1e-4, 1e-4],
  ['reciprocal', tf.reciprocal, 0.2, 3], ['tan', tf.tan, -1, 1], ['asin', tf.asin, -0.9, 0.9], ['acos', tf.acos, -0.9, 0.9], ['acosh', tf.acosh, 1.5, 9], ['atanh', tf.atanh, -0.9, 0.9],
  ['clip', (x) => tf.clipByValue(x, -0.5, 0.7)], ['step', (x) => tf.step(x, 0.1)], ['sign', tf.sign], ['floor', tf.floor], ['ceil', tf.ceil], ['round', tf.round], ['pow 3', (x) => tf.pow(x, 3), 0.1, 3],
  ['pow -0.5', (x) => tf.pow(x, -0.5), 0.1, 3], ['pow 2', (x) => x.pow(2)], ['softmax', (x) => tf.softmax(x), -9, 9], ['logSoftmax', (x) => tf.logSoftmax(x), -9, 9], ['logSumExp', (x) => tf.logSumExp(x), -9, 9],
  ['sum', (x) => x.sum()], ['mean', (x) => x.mean()], ['max', (x) => x.max()], ['min', (x) => x.min()], ['cumsum', (x) => tf.cumsum(x, x.rank - 1)],
  ['reverse', (x) => tf.reverse(x, 0)], ['onesLike', (x) => x.mul(tf.onesLike(x))], ['zerosLike', (x) => x.add(tf.zerosLike(x))], ['prod', (x) => tf.prod(x.reshape([-1]).slice(0, Math.min(4, x.size)))],
];

const binaries: [string, (a: Tensor, b: Tensor) => Tensor][] = [['add', tf.add], ['sub', tf.sub], ['mul', tf.mul], ['div', tf.div], ['pow', tf.pow]];
/** TensorFlow.js has no gradient of these where they broadcast, or none at all. */
const rigid: [string, (a: Tensor, b: Tensor) => Tensor][] = [
  ['maximum', tf.maximum], ['minimum', tf.minimum], ['squaredDifference', tf.squaredDifference], ['where', (a, b) => tf.where(tf.greater(tf.tensor2d([[1], [3], [2]]), 2), a.mul(2), b)],
];
const flat: [string, (a: Tensor, b: Tensor) => Tensor][] = [...rigid, ['divNoNan', tf.divNoNan], ['mod', (a, b) => tf.mod(a, b.neg())], ['floorDiv', tf.floorDiv], ['prelu', tf.prelu]];
const broadcasts = [[[3, 4], [3, 4]], [[2, 3, 4], [4]], [[2, 1, 4], [3, 1]], [[], [3, 3]], [[3, 5], []]] as const;

describe('lowerings agree with the cpu backend, and so do their gradients', () => {
  it.each(unaries)('%s', async (_, fn, low = -2, high = 2) => {
    for (let i = 0; i < 3; i++) await withGradients(fn, [tensor(shape(), low, high)]);
  });

  it.each(binaries)('%s, with broadcasting', async (_, fn) => {
    for (const [a, b] of broadcasts) await withGradients(fn, [tensor([...a], 0.3, 3), tensor([...b], 0.3, 3)]);
  });
  it.each(rigid)('%s', async (_, fn) => withGradients(fn, [tensor([3, 4]), tensor([3, 4])]));
  it.each(flat)('%s, value, with broadcasting', async (_, fn) => {
    for (const [a, b] of broadcasts) await expectAgreement(fn, [tensor([...a]), tensor([...b], 0.3, 3)]);
  });

  it.each(['sum', 'mean', 'max', 'min', 'prod'] as const)('%s over some axes', async (name) => {
    for (const axes of [[0], [2], [1, 2], [0, 2], [-1]]) {
      for (const keepDims of [false, true]) {
        const fn = (x: Tensor) => tf[name](x, axes, keepDims);
        // The gradient of prod in TensorFlow.js wants the product of one axis; max and min put the gradient on every tie.
        if (name === 'prod') await expectAgreement(fn, [tensor([2, 3, 4])]);
        else await withGradients(fn, [tensor([2, 3, 4])]);
      }
    }
  });

  it('sums, extremes and comparisons of int32 and bool', async () => {
    const fn = (i: Tensor, j: Tensor, p: Tensor, q: Tensor) => ({
      arithmetic: [i.add(j), i.sub(j), i.mul(j), i.maximum(j), i.minimum(j), i.neg(), i.abs(), i.square(), i.sum(1), i.max(0), i.min(1), tf.floorDiv(i, j), i.div(j), tf.mod(i, j), tf.squaredDifference(i, j)],
      order: [i.equal(j), i.notEqual(j), i.greater(j), i.greaterEqual(j), i.less(j), i.lessEqual(j), p.equal(q)],
      logic: [p.logicalAnd(q), tf.logicalOr(p, q), p.logicalNot(), tf.logicalXor(p, q), tf.all(p, 0), tf.any(p, 1), p.sum(1), p.mean(0)],
      casts: [i.cast('float32'), i.cast('bool'), p.cast('int32'), p.cast('float32'), i.cast('float32').mul(1.7).cast('int32')],
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
      unary: [x.abs(), x.exp(), tf.expm1(x), x.tanh(), x.sigmoid(), x.relu(), tf.clipByValue(x, -0.5, 0.5), x.square(), tf.softplus(x), x.sqrt(), x.log(), tf.log1p(x)],
      binary: [x.add(y), x.mul(y), x.maximum(y), x.minimum(y), x.div(y)],
      reductions: [x.sum(), y.slice(0, 3).max()],
    });
    await expectAgreement(fn, [special, other]);
  });

  it('matrix products of every orientation', async () => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const a = transposeA ? [4, 3] : [3, 4];
        const b = transposeB ? [5, 4] : [4, 5];
        const fn = (x: Tensor, y: Tensor) => tf.matMul(x, y, transposeA, transposeB);
        await withGradients(fn, [tensor(a), tensor(b)]);
        await withGradients(fn, [tensor([2, ...a]), tensor([2, ...b])]);
        await expectAgreement(fn, [tensor([2, ...a]), tensor(b)]);
      }
    }
    await withGradients((x, v) => tf.dot(x, v), [tensor([3, 4]), tensor([4])]);
    await expectAgreement((x: Tensor, y: Tensor) => tf.einsum('bij,bjk->bik', x, y), [tensor([2, 3, 4]), tensor([2, 4, 5])]);
    await expectAgreement((x: Tensor, y: Tensor, b: Tensor) => tf.fused.matMul({ a: x as tf.Tensor2D, b: y as tf.Tensor2D, bias: b, activation: 'relu' }), [tensor([3, 4]), tensor([4, 5]), tensor([5])]);
  });

  it('shapes', async () => {
    const x = tensor([2, 3, 4]);
    await withGradients((v) => tf.transpose(v, [2, 0, 1]), [x]);
    await withGradients((v) => v.reshape([6, -1]).transpose(), [x]);
    await withGradients((v) => v.expandDims(1).expandDims(-1).squeeze(), [x]);
    await withGradients((v) => tf.tile(v, [2, 1, 3]), [x]);
    await withGradients((v) => tf.broadcastTo(v, [5, 2, 3]), [tensor([2, 1])]);
    await withGradients((v) => tf.reverse(v, [0, 2]), [x]);
    await withGradients((v) => tf.pad(v, [[1, 0], [0, 2], [1, 1]], 0.5), [x]);
    await withGradients((v) => v.slice([0, 1, 1], [2, -1, 2]), [x]);
    await withGradients((v, w) => tf.concat([v, w, v], 1), [x, tensor([2, 5, 4])]);
    await withGradients((v, w) => tf.stack([v, w], 1), [x, tensor([2, 3, 4])]);
    await withGradients((v) => tf.unstack(v, 1).reduce((sum, part, i) => sum.add(part.mul(i + 1)), tf.scalar(0)), [x]);
    await withGradients((v) => tf.split(v, [1, 3], 2).reduce((sum, part, i) => sum.add(part.sum([2]).mul(i + 1)), tf.scalar(0)), [x]);
    await withGradients((v) => tf.gather(v, tf.tensor1d([2, 0, 2], 'int32'), 1), [x]);
    await expectAgreement((v: Tensor, i: Tensor) => tf.gather(v, i as tf.Tensor1D, 1, 1), [x, integers([2, 2], 0, 2)]);
    await expectAgreement((v: Tensor) => tf.stridedSlice(v, [0, 2, 3], [2, 0, 0], [1, -1, -2]), [x]);
    await expectAgreement((v: Tensor) => tf.cumsum(v, 1, true, true), [x]);
    await withGradients((v) => tf.cumprod(v.abs(), 2).mean(), [x]).catch(() => expectAgreement((v: Tensor) => [tf.cumprod(v, 1), tf.cumprod(v, 2, true), tf.cumprod(v, 0, false, true)], [x]));
  });

  it('convolutions, forward and both gradients', async () => {
    for (const [height, strides, padding] of [[3, 1, 'same'], [3, 1, 'valid'], [1, 1, 'same'], [3, 2, 'same'], [2, 2, 'valid'], [3, 2, 'valid'], [5, 1, 2]] as const) {
      const fn = (x: Tensor, w: Tensor) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, strides, padding) as Tensor;
      await withGradients(fn, [tensor([2, 6, 7, 3]), tensor([height, height, 3, 4])]);
    }
    await expectAgreement((x: Tensor, w: Tensor) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same', 'NHWC', 2), [tensor([2, 6, 7, 3]), tensor([3, 3, 3, 4])]);
    await expectAgreement(
      (x: Tensor, w: Tensor, bias: Tensor) => tf.fused.conv2d({ x: x as tf.Tensor4D, filter: w as tf.Tensor4D, strides: 1, pad: 'same', bias, activation: 'relu' }),
      [tensor([2, 5, 5, 3]), tensor([3, 3, 3, 4]), tensor([4])],
    );
  });

  it('pooling and resizing', async () => {
    for (const [size, strides, padding] of [[2, 2, 'valid'], [3, 1, 'valid'], [3, 2, 'same'], [3, 1, 'same']] as const) {
      await withGradients((x) => tf.avgPool(x as tf.Tensor4D, size, strides, padding), [tensor([2, 6, 8, 3])]);
    }
    await withGradients((x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, [6, 12]), [tensor([1, 3, 4, 3])]);
  });

  it('the gradient of a resize, image by image', async () => {
    // TensorFlow.js's own kernel reads the wrong image for all but the first of a batch.
    const gradient = (x: Tensor, dy: Tensor) => tf.grad((v) => tf.image.resizeNearestNeighbor(v as tf.Tensor4D, [6, 12]).mul(dy))(x);
    const [x, dy] = [tensor([3, 3, 4, 2]), tensor([3, 6, 12, 2])];
    const together = await jit(gradient)(x, dy);
    for (let b = 0; b < 3; b++) {
      const [alone] = tf.unstack(gradient(x.slice(b, 1), dy.slice(b, 1)));
      expect(relativeError(together.slice(b, 1).dataSync(), alone!.dataSync())).toBeLessThan(1e-5);
    }
  });
});
