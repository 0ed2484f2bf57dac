import { eagerEngine, leavesOf, sizeOf, type Tensor, tf, type TensorTree } from '@tweedie/core';
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

/** Random tensors from one seed. */
export function draws(seed: number) {
  const random = seeded(seed);
  const between = (low: number, high: number): number => low + (high - low) * random();
  const integer = (low: number, high: number): number => Math.floor(between(low, high + 1));
  const tensor = (shape: readonly number[], low = -2, high = 2): Tensor =>
    tf.tensor(
      Float32Array.from({ length: sizeOf(shape) }, () => between(low, high)),
      [...shape],
    );
  const integers = (shape: readonly number[], low: number, high: number): Tensor =>
    tf.tensor(
      Int32Array.from({ length: sizeOf(shape) }, () => integer(low, high)),
      [...shape],
      'int32',
    );
  const bools = (shape: readonly number[]): Tensor =>
    tf.tensor(
      Uint8Array.from({ length: sizeOf(shape) }, () => integer(0, 1)),
      [...shape],
      'bool',
    );
  const shape = (): number[] => Array.from({ length: integer(1, 4) }, () => integer(1, 5));
  /** All different, a step apart, in random order. */
  const distinct = (of: readonly number[], step = 0.1): Tensor => {
    const list = Float32Array.from({ length: sizeOf(of) }, (_, i) => i * step);
    for (let i = list.length - 1; i > 0; i--) {
      const j = integer(0, i);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return tf.tensor(list, [...of]);
  };

  /** Value and, against every argument, gradient along a random direction, compiled and on the cpu backend. */
  async function withGradients(fn: (...xs: Tensor[]) => Tensor, args: Tensor[], tolerance = 1e-5): Promise<void> {
    const weights = tensor([...tf.tidy(() => fn(...args)).shape]);
    await expectAgreement(
      (...xs: Tensor[]) => ({
        value: fn(...xs),
        gradients: tf.grads((...ys: Tensor[]) =>
          fn(...ys)
            .mul(weights)
            .sum(),
        )(xs),
      }),
      args,
      tolerance,
    );
  }

  /**
   * Value as on the cpu backend, and the gradient along a random direction as differences of values say: for functions
   * that are linear between kinks, and whose gradient TensorFlow.js has wrong.
   */
  async function withTrueGradient(fn: (x: Tensor) => Tensor, x: Tensor, step: number, tolerance = 2e-4): Promise<void> {
    await expectAgreement(fn, [x]);
    const dy = tensor([...tf.tidy(() => fn(x)).shape]);
    const compiled = jit((v: Tensor) => tf.grad((z) => fn(z).mul(dy).sum())(v));
    const actual = await compiled(x);
    compiled.dispose();
    expect(actual.shape).toEqual(x.shape);
    const at = x.dataSync();
    const along = (i: number, sign: number): Tensor =>
      tf.tensor(
        Float32Array.from(at, (value, j) => value + (i === j ? sign * step : 0)),
        x.shape,
      );
    const expected = Array.from(at, (_, i) =>
      tf.tidy(
        () =>
          fn(along(i, 1))
            .sub(fn(along(i, -1)))
            .mul(dy)
            .sum()
            .div(2 * step)
            .dataSync()[0]!,
      ),
    );
    expect(relativeError(actual.dataSync(), expected)).toBeLessThan(tolerance);
  }

  return { between, integer, tensor, integers, bools, shape, distinct, withGradients, withTrueGradient };
}

/**
 * Largest difference of two lists of numbers, relative to the size of the entry or, for small entries, of the typical
 * one.
 */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const list = Array.from(expected);
  const finite = list.filter(Number.isFinite);
  const typical = Math.sqrt(finite.reduce((sum, x) => sum + x * x, 0) / Math.max(1, finite.length));
  return Math.max(
    0,
    ...list.map((x, i) => {
      const y = actual[i] ?? Number.NaN;
      if (Object.is(x, y) || x === y) return 0;
      return Number.isFinite(x) && Number.isFinite(y)
        ? Math.abs(x - y) / Math.max(Math.abs(x), typical * 0.1, 1e-30)
        : Number.POSITIVE_INFINITY;
    }),
  );
}

/** Runs a function compiled and on the plain `cpu` backend, and expects the same types, shapes and numbers. */
export async function expectAgreement(
  fn: (...args: never[]) => TensorTree,
  args: readonly TensorTree[],
  tolerance = 1e-5,
): Promise<void> {
  const compiled = jit(fn as (...args: readonly TensorTree[]) => TensorTree);
  const plain = eagerEngine().compile(fn as (...args: readonly TensorTree[]) => TensorTree);
  const actual = leavesOf(await compiled(...args)) as Tensor[];
  const expected = leavesOf(await plain(...args)) as Tensor[];
  compiled.dispose();
  expect(actual.map((x) => [x.dtype, x.shape])).toEqual(expected.map((x) => [x.dtype, x.shape]));
  actual.forEach((x, i) =>
    expect(relativeError(x.dataSync(), expected[i]!.dataSync()), `result ${i}`).toBeLessThan(tolerance),
  );
  tf.dispose([actual, expected]);
}
