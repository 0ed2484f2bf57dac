import { sampleNorm, type Scalar, type Tensor, tf, valueAndGrad } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { operations } from './operations.ts';

const x = tf.ones([4, 3]);

describe('what a trace leaves out', () => {
  it('neutral operations', () => {
    expect(
      operations(
        (v: Tensor) =>
          v
            .mul(1)
            .add(0)
            .sub(tf.zeros([4, 3]))
            .div(tf.ones([4, 3]))
            .pow(1)
            .neg()
            .neg(),
        x,
      ),
    ).toEqual([]);
    expect(operations((v: Tensor) => v.reshape([12]).reshape([2, 6]).reshape([4, 3]), x)).toEqual([]);
    expect(operations((v: Tensor) => v.transpose().transpose().cast('float32').slice([0, 0]).tile([1, 1]), x)).toEqual(
      [],
    );
    expect(operations((v: Tensor) => v.expandDims(1).transpose([1, 0, 2]).squeeze(), x)).toEqual([]);
  });

  it('what is not used', () => {
    expect(
      operations((v: Tensor) => {
        v.exp().sum();
        return v.neg();
      }, x),
    ).toEqual(['Neg']);
  });

  it('what was computed before', () => {
    expect(operations((v: Tensor) => [v.exp().add(v), tf.add(v, tf.exp(v))], x)).toEqual(['Exp', 'Add']);
  });

  it('broadcasts that an operation can do itself', () => {
    expect(operations((v: Tensor, s: Tensor) => v.mul(tf.broadcastTo(s, [4, 3])), x, tf.ones([3]))).toEqual(['Mul']);
    expect(operations((v: Tensor) => tf.grad((z) => z.sum())(v), x)).toEqual([]);
    expect(operations((v: Tensor, s: Tensor) => tf.broadcastTo(s, [4, 3]).exp().mul(v), x, tf.ones([3]))).toEqual([
      'Exp',
      'Mul',
    ]);
  });

  it('axes of length 1 of large tensors, around a chain of elementwise operations; leading ones stay', () => {
    const fn = (v: Tensor, s: Tensor) => v.mul(s).exp().add(v);
    expect(operations(fn, tf.ones([4000, 1, 1, 3]), tf.ones([1, 1, 3]))).toEqual([
      'Reshape',
      'Reshape',
      'Mul',
      'Exp',
      'Add',
      'Reshape',
    ]);
    expect(operations(fn, tf.ones([1, 4, 4, 3]), tf.ones([1, 1, 3]))).toEqual(['Mul', 'Exp', 'Add']);
  });

  it('broadcasting along few channels: what has one of them is repeated once for all its uses', () => {
    const masked = (v: Tensor, mask: Tensor) => v.mul(mask).exp().mul(mask);
    expect(operations(masked, tf.ones([1, 32, 32, 3]), tf.ones([32, 32, 1]))).toEqual(['Concat', 'Mul', 'Exp', 'Mul']);
    expect(operations(masked, tf.ones([1, 32, 32, 8]), tf.ones([32, 32, 1]))).toEqual(['Mul', 'Exp', 'Mul']);
    expect(operations(masked, tf.ones([1, 16, 16, 3]), tf.ones([16, 16, 1]))).toEqual(['Mul', 'Exp', 'Mul']);
  });

  it('nothing of the value: a constant that is not one stays', () => {
    expect(operations((v: Tensor) => v.mul(tf.tensor1d([1, 1, 2])), x)).toEqual(['Mul']);
    expect(operations((v: Tensor) => v.add(tf.ones([2, 4, 3])), x)).toEqual(['Add', 'Expand']);
    expect(operations((v: Tensor) => v.add(tf.zeros([2, 4, 3])), x)).toEqual(['Expand']);
  });

  it('in the gradient of a norm: one reverse operation for each forward one', () => {
    const fn = (v: Tensor, s: Scalar) => valueAndGrad((z: Tensor) => [sampleNorm(z.mul(s)), []], v).gradient;
    expect(operations(fn, x, 2).filter((op) => op !== 'Reshape')).toEqual([
      'Mul',
      'Mul',
      'MatMul',
      'Add',
      'Sqrt',
      'Mul',
      'Div',
      'Mul',
      'Mul',
      'Mul',
    ]);
  });

  it('reads only the numbers that are used', () => {
    const fn = (v: Tensor, step: { a: Scalar; b: Scalar; c: Scalar }) => v.mul(step.b);
    expect(operations(fn, x, { a: 1, b: 2, c: 3 })).toEqual(['Slice', 'Reshape', 'Mul']);
  });
});
