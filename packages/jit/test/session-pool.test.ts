import { axisMatrix, type Image, type Scalar, separable, type Tensor, tf } from '@tweedie/core';
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
  const sumOf = (power: number): number =>
    Array.from({ length: 1024 }, (_, i) => i ** power).reduce((a, b) => a + b, 0);

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

  it('tells how threads wait apart, and the numbers are the same', async () => {
    const pool = sessionPool();
    const wide = tf.randomNormal([256, 256], 0, 1, 'float32', 1);
    const results: number[][] = [];
    for (const waiting of ['spin', 'sleep', 'sleep'] as const) {
      const compiled = jit((y: Tensor) => y.matMul(wide).relu().matMul(wide), { pool, waiting, threads: 2 });
      results.push(numbers(await compiled(wide)));
      expect(pool.made).toBe(waiting === 'spin' ? 1 : 2);
      compiled.dispose();
      await new Promise(setImmediate);
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    pool.dispose();
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
    await batch.run(
      tf.tensor2d([
        [1, 0],
        [1, 0],
      ]),
    );
    expect(pool.made).toBe(3);
    await dispose(batch);
    // What was compiled before something else is gone.
    await scaled(pool, 1, 3).run(x);
    expect(pool.made).toBe(4);
  });

  it('knows an operator that treats rows and columns one after the other', async () => {
    const pool = sessionPool();
    const shorter = axisMatrix(16, 64, (output) => [
      [4 * output, 0.5],
      [4 * output + 1, 0.5],
    ]);
    const { forward, solve, pseudoInverse } = separable(shorter, shorter, 1);
    for (const ridge of [1, 2]) {
      const compiled = jit((x: Image, by: Scalar) => pseudoInverse(solve(forward(x, {}), by, {}), {}).sum(), { pool });
      // Half the pixel rows and columns of ones are seen: y is 1, its solution 1 / (1 / 4 + ridge), and the sum of its
      // pseudo-inverse 32^2 times as much.
      expect(numbers(await compiled(tf.ones([1, 64, 64, 1]), ridge))[0]).toBeCloseTo(32 ** 2 / (1 / 4 + ridge), 1);
      compiled.dispose();
      await new Promise(setImmediate);
    }
    expect(pool.made).toBe(1);
    pool.dispose();
  });

  it('keeps nothing once it was disposed of, though a function may give its session back later', async () => {
    const pool = sessionPool();
    let released = 0;
    const take = (name: string) =>
      pool.take({ inputs: [], outputs: [], names: [name] }, {}, async () => ({
        run: async () => [],
        endProfiling: () => undefined,
        dispose: () => void released++,
      }));
    const [idle, used] = [await take('idle'), await take('used')];
    idle.dispose();
    expect(released).toBe(0);
    pool.dispose();
    expect(released).toBe(1);
    used.dispose();
    expect(released).toBe(2);
  });
});
