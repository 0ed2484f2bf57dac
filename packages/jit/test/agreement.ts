import { eagerEngine, leavesOf, type Tensor, tf, type TensorTree } from '@tweedie/core';
import { expect } from 'vitest';
import { jit } from '../src/index.ts';

/** Counter-free numbers in [0, 1) from a seed (mulberry32), for shapes and values of tests. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Largest difference of two lists of numbers, relative to the size of the entry or, for small entries, of the typical one. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const list = Array.from(expected);
  const finite = list.filter(Number.isFinite);
  const typical = Math.sqrt(finite.reduce((sum, x) => sum + x * x, 0) / Math.max(1, finite.length));
  return Math.max(
    0,
    ...list.map((x, i) => {
      const y = actual[i] ?? Number.NaN;
      if (Object.is(x, y) || x === y) return 0;
      return Number.isFinite(x) && Number.isFinite(y) ? Math.abs(x - y) / Math.max(Math.abs(x), typical * 0.1, 1e-30) : Number.POSITIVE_INFINITY;
    }),
  );
}

/** Runs a function compiled and on the plain `cpu` backend, and expects the same types, shapes and numbers. */
export async function expectAgreement(fn: (...args: never[]) => TensorTree, args: readonly TensorTree[], tolerance = 1e-5): Promise<void> {
  const compiled = jit(fn as (...args: readonly TensorTree[]) => TensorTree);
  const plain = eagerEngine().compile(fn as (...args: readonly TensorTree[]) => TensorTree);
  const actual = leavesOf(await compiled(...args)) as Tensor[];
  const expected = leavesOf(await plain(...args)) as Tensor[];
  compiled.dispose();
  expect(actual.map((x) => [x.dtype, x.shape])).toEqual(expected.map((x) => [x.dtype, x.shape]));
  actual.forEach((x, i) => expect(relativeError(x.dataSync(), expected[i]!.dataSync()), `result ${i}`).toBeLessThan(tolerance));
  tf.dispose([actual, expected]);
}
