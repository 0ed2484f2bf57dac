import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit } from '../src/index.ts';
import { operations } from './operations.ts';

const x = tf.linspace(-60, 60, 4001);
const swish = (v: Tensor): Tensor => v.mul(v.sigmoid());
const gradient = (v: Tensor, w: Tensor): Tensor => tf.grad((z) => swish(z).mul(w).sum())(v);

describe('x * sigmoid(x)', () => {
  it('is one operation, and its gradient few', () => {
    expect(operations(swish, x)).toEqual(['QuickGelu']);
    expect(operations((v: Tensor) => v.sigmoid().mul(v), x)).toEqual(['QuickGelu']);
    expect(operations(gradient, x, x).sort()).toEqual(['Add', 'Mul', 'Mul', 'QuickGelu', 'Sigmoid']);
  });

  it('and its slope are off by 2.5e-6 at most (the cpu backend by 1.5e-6), for x from -60 to 60', async () => {
    const slope = (v: number): number => (1 + v / (1 + Math.exp(v))) / (1 + Math.exp(-v));
    const truths: [(v: Tensor) => Tensor, (v: number) => number][] = [
      [swish, (v) => v / (1 + Math.exp(-v))],
      [(v) => gradient(v, tf.scalar(2)).div(2), slope],
    ];
    for (const [fn, truth] of truths) {
      const compiled = jit(fn);
      const actual = (await compiled(x)).dataSync();
      compiled.dispose();
      expect(Math.max(...Array.from(x.dataSync(), (v, i) => Math.abs(actual[i]! - truth(v))))).toBeLessThan(2.5e-6);
    }
  });

  it('is not seen where it is not: sigmoids alone and of something else stay exact', async () => {
    const y = tf.scalar(-40);
    const other = (v: Tensor, z: Tensor): Tensor => v.mul(z.sigmoid());
    expect(operations(other, x, y)).not.toContain('QuickGelu');
    expect(operations((v: Tensor) => v.mul(v.neg().sigmoid()), x)).not.toContain('QuickGelu');
    expect(operations((v: Tensor) => tf.grad((z) => z.sigmoid().sum())(v), x)).not.toContain('Sigmoid');
    const compiled = jit(other);
    const [value] = (await compiled(tf.scalar(1), y)).dataSync();
    compiled.dispose();
    expect(value! / Math.exp(-40)).toBeCloseTo(1, 5);
  });
});
