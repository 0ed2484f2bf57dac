import fc from 'fast-check';
import { type Tensor, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { fixedElements, isFixed } from '../src/passes/fixed.ts';
import { createGraph } from '../src/graph/create-graph.ts';
import { type Graph, sizeOf, type Value } from '../src/graph/graph.ts';
import { reshape, reverse, slice, table, transpose, unary } from '../src/graph/ops.ts';

type Move = (g: Graph, x: Value, t: Tensor) => readonly [Value, Tensor];

const permutation = (rank: number, seed: number): number[] => {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return Array.from({ length: rank }, (_, i) => axes.splice((seed * (i + 3)) % (rank - i), 1)[0]!);
};

const moves: { readonly [name: string]: (seed: number) => Move } = {
  transpose: (seed) => (g, x, t) => {
    const perm = permutation(t.rank, seed);
    return [transpose(g, x, perm), t.transpose(perm)];
  },
  reverse: (seed) => (g, x, t) => {
    const axes = t.shape.flatMap((_, axis) => ((seed >> axis) & 1 ? [axis] : []));
    return axes.length === 0 ? [x, t] : [reverse(g, x, axes), t.reverse(axes)];
  },
  slice: (seed) => (g, x, t) => {
    const begin = t.shape.map((n, axis) => (seed + axis) % Math.ceil(n / 2));
    const end = t.shape.map((n, axis) => Math.max(begin[axis]! + 1, n - ((seed >> 2) % 2)));
    const steps = t.shape.map((_, axis) => 1 + ((seed >> axis) & 1));
    return [slice(g, x, begin, end, steps), t.stridedSlice(begin, end, steps)];
  },
  reshape: (seed) => (g, x, t) => {
    const shape =
      seed % 2 === 0 ? [...t.shape.slice(0, 1), 1, ...t.shape.slice(1)] : [t.shape[0], sizeOf(t.shape.slice(1))];
    return shape.length > 5 ? [x, t] : [reshape(g, x, shape), t.reshape(shape)];
  },
};

describe('views of constants', () => {
  it('hold the numbers that TensorFlow.js computes', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom(...Object.keys(moves)), fc.nat(30)), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('float32' as const, 'int32' as const),
        steps,
        (shape, dtype, list) => {
          const g = createGraph();
          const numbers = Array.from({ length: sizeOf(shape) }, (_, i) => i + 1);
          let [value, tensor]: readonly [Value, Tensor] = [
            table(g, numbers, dtype, shape),
            tf.tensor(numbers, shape, dtype),
          ];
          for (const [name, seed] of list) {
            const [moved, expected] = moves[name]!(seed)(g, value, tensor);
            // A view that cannot be given as strides is computed by the session.
            if (!isFixed(moved)) continue;
            [value, tensor] = [moved, expected];
          }
          expect(value.shape).toEqual(tensor.shape);
          for (const fleeting of [true, false])
            expect(Array.from(fixedElements(value, fleeting) as Float32Array)).toEqual(Array.from(tensor.dataSync()));
        },
      ),
      { numRuns: 500, seed: 5 },
    );
    tf.disposeVariables();
  });

  it('are the transposes, slices and reversals of constants, and nothing that is computed', () => {
    const g = createGraph();
    const constant = table(g, [1, 2, 3, 4, 5, 6], 'float32', [2, 3]);
    const input = g.input('in0', { shape: [2, 3], dtype: 'float32' });
    expect(isFixed(transpose(g, reverse(g, constant, [0]), [1, 0]))).toBe(true);
    expect(isFixed(transpose(g, input, [1, 0]))).toBe(false);
    expect(isFixed(unary(g, 'Exp', constant))).toBe(false);
    // The rows of a transposed matrix lie apart: no strides make one row of them.
    expect(isFixed(reshape(g, transpose(g, constant, [1, 0]), [6]))).toBe(false);
  });
});
