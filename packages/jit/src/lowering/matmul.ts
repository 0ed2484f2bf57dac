import type { Graph, Value } from '../graph.ts';
import { add, matmul, transpose } from '../ops.ts';
import { activate } from './elementwise.ts';
import type { KernelAttributes, Lowerings } from './lowering.ts';

/** Swaps the last two axes. */
function transposed(g: Graph, x: Value): Value {
  const rank = x.shape.length;
  return transpose(g, x, x.shape.map((_, axis) => (axis === rank - 2 ? rank - 1 : axis === rank - 1 ? rank - 2 : axis)));
}

const product = (g: Graph, a: Value, b: Value, { transposeA = false, transposeB = false }: KernelAttributes): Value =>
  matmul(g, transposeA ? transposed(g, a) : a, transposeB ? transposed(g, b) : b);

/** The shape of an einsum without ellipsis: each letter of the result has the length that it has in an operand. */
function einsumShape(equation: string, operands: readonly Value[]): number[] {
  const [terms = '', result = ''] = equation.replaceAll(' ', '').split('->');
  const lengths = new Map(terms.split(',').flatMap((term, i) => [...term].map((letter, axis) => [letter, operands[i]?.shape[axis] ?? 1] as const)));
  return [...result].map((letter) => lengths.get(letter) ?? 1);
}

export const products: Lowerings = {
  BatchMatMul: (g, { a, b }, attributes) => product(g, a, b, attributes),
  _FusedMatMul(g, { a, b, bias, preluActivationWeights }, attributes) {
    const biased = bias === undefined ? product(g, a, b, attributes) : add(g, product(g, a, b, attributes), bias);
    return activate(g, biased, attributes.activation, attributes.leakyreluAlpha ?? 0.2, preluActivationWeights);
  },
  Einsum: (g, _, { equation = '' }, all) => g.operation('Einsum', all, { shape: einsumShape(equation, all), dtype: all[0]?.dtype ?? 'float32' }, { equation }),
};
