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
    expect([operator.linear, operator.identity, operator.measurementShape, operator.shapeNoise]).toEqual([true, true, [4, 5, 3], undefined]);
  });

  it('solves and has a spectral form', async () => {
    const z = await numbers(operator.solve!(x, tf.scalar(0.25), {}));
    (await numbers(x)).forEach((value, k) => expect(z[k]).toBeCloseTo(value / 1.25, 6));
    const form = operator.svd!({});
    expect(form.toSpectral(x).shape).toEqual([2, 60]);
    expect(await numbers(form.fromSpectral(form.measurementToSpectral(x).mul(form.singularValues)))).toEqual(await numbers(x));
  });

  it('is its own reference task', async () => {
    const task = operator.denoisingReference!(x, {});
    expect(await numbers(task.reference.mul(task.mask))).toEqual(await numbers(x));
    expect(await numbers(task.entriesPerObserved)).toEqual([1, 1]);
    expect([task.factor, task.sharesGradient]).toEqual([1, true]);
  });
});
