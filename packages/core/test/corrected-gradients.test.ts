import { describe, expect, it } from 'vitest';
import { type Tensor, tf } from '../src/index.ts';

/** The inner products of A x with y, and of x with what the gradient says is A^T y. */
function bothSides(fn: (x: Tensor) => Tensor, shape: number[]): [number, number] {
  const x = tf.randomUniform(shape, -1, 1, 'float32', 3);
  const y = tf.randomUniform(fn(x).shape, -1, 1, 'float32', 4);
  const inner = (a: Tensor, b: Tensor): number => a.mul(b).sum().dataSync()[0]!;
  return [inner(fn(x), y), inner(x, tf.grad(fn)(x, y))];
}

describe('gradients that TensorFlow.js has wrong are adjoints', () => {
  it.each(['reflect', 'symmetric'] as const)('mirrorPad, %s', (mode) => {
    const [forward, back] = bothSides(
      (x) =>
        tf.mirrorPad(
          x,
          [
            [2, 1],
            [0, 3],
            [0, 0],
          ],
          mode,
        ),
      [3, 4, 2],
    );
    expect(back).toBeCloseTo(forward, 4);
  });

  it.each([0, 1, 2])('cumsum along axis %i', (axis) => {
    for (const exclusive of [false, true]) {
      for (const reverse of [false, true]) {
        const [forward, back] = bothSides((x) => tf.cumsum(x, axis, exclusive, reverse), [3, 4, 2]);
        expect(back).toBeCloseTo(forward, 4);
      }
    }
  });
});
