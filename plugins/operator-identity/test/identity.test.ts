import { type Image, keyedRandom, type Operator, tf } from '@tweedie/core';
import { testOperatorContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { identity } from '../src/index.ts';

const operator = (await identity({}, testOperatorContext([4, 5, 3]))) as Operator<Readonly<Record<string, never>>>;
const numbers = async (x: tf.Tensor) => [...(await x.data())];
const x: Image = tf.tensor4d(keyedRandom('x').normal('x', 120), [2, 4, 5, 3]);

describe('operator/identity', () => {
  it('gives back a copy everywhere', async () => {
    expect(operator.draw(keyedRandom('key'))).toEqual({});
    for (const copy of [operator.forward(x, {}), operator.adjoint!(x, {}), operator.pseudoInverse!(x, {})]) {
      expect(await numbers(copy)).toEqual(await numbers(x));
      copy.dispose();
    }
    expect(x.isDisposed).toBe(false);
    expect([operator.linear, operator.identity, operator.measurementShape, operator.shapeNoise]).toEqual([
      true,
      true,
      [4, 5, 3],
      undefined,
    ]);
  });
});
