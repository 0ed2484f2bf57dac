import { type Scalar, type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jit, sessionPool } from '../src/index.ts';

const numbers = (x: Tensor): number[] => Array.from(x.dataSync());
const weights = tf.range(0, 2048).reshape([2, 1024]);

/** As a method is written: the number comes from a closure and is an argument of the compiled function. */
const scaled = (pool: ReturnType<typeof sessionPool>, scale: number, power = 2) => {
  const compiled = jit((x: Tensor, factor: Scalar) => x.matMul(weights).pow(power).mul(factor).sum(), { pool });
  return { run: async (x: Tensor) => numbers(await compiled(x, scale)), dispose: compiled.dispose };
};

describe('a pool of sessions', () => {
  const x = tf.tensor2d([[1, 0]]);
  const sumOf = (power: number): number => Array.from({ length: 1024 }, (_, i) => i ** power).reduce((a, b) => a + b, 0);

  it('makes one for functions that differ in numbers among their arguments alone', async () => {
    const pool = sessionPool();
    for (const scale of [1, 2, 3]) {
      const method = scaled(pool, scale);
      expect((await method.run(x))[0]).toBeCloseTo(scale * sumOf(2), -3);
      method.dispose();
      await new Promise(setImmediate);
    }
    expect(pool.made).toBe(1);
    pool.dispose();
  });

  it('never shares one that is in use', async () => {
    const pool = sessionPool();
    const [a, b] = [scaled(pool, 1), scaled(pool, 2)];
    await a.run(x);
    await b.run(x);
    expect(pool.made).toBe(2);
  });

  it('tells graphs apart by what they do, their constants and their shapes', async () => {
    const pool = sessionPool();
    const dispose = async (method: ReturnType<typeof scaled>): Promise<void> => {
      method.dispose();
      await new Promise(setImmediate);
    };
    const square = scaled(pool, 1);
    await square.run(x);
    await dispose(square);
    const cube = scaled(pool, 1, 3);
    expect((await cube.run(x))[0]).toBeCloseTo(sumOf(3), -7);
    await dispose(cube);
    const batch = scaled(pool, 1, 3);
    await batch.run(tf.tensor2d([[1, 0], [1, 0]]));
    expect(pool.made).toBe(3);
    await dispose(batch);
    // What was compiled before something else is gone.
    await scaled(pool, 1, 3).run(x);
    expect(pool.made).toBe(4);
  });
});
