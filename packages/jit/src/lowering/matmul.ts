import { type Graph, isConstant, sizeOf, type Value } from '../graph/graph.ts';
import { add, matmul, mul, reshape, transpose } from '../graph/ops.ts';
import { activate } from './elementwise.ts';
import type { KernelAttributes, Lowerings } from './lowering.ts';
import { sum } from './reduction.ts';

/** Swaps the last two axes. */
function transposed(g: Graph, x: Value): Value {
  const rank = x.shape.length;
  return transpose(
    g,
    x,
    x.shape.map((_, axis) => (axis === rank - 2 ? rank - 1 : axis === rank - 1 ? rank - 2 : axis)),
  );
}

/**
 * A matrix times a vector that is not a constant: ONNX Runtime's kernel treats the rows at the end of the matrix
 * otherwise than the rest, so the bits of a sample would depend on its place in the batch. Products and a sum (see
 * there) do not.
 */
function timesVector(g: Graph, a: Value, vector: Value): Value {
  const row = reshape(g, vector, [vector.shape.at(-2) ?? 1]);
  return sum(g, mul(g, a, row), [a.shape.length - 1], true);
}

export function product(
  g: Graph,
  a: Value,
  b: Value,
  { transposeA = false, transposeB = false }: KernelAttributes = {},
): Value {
  const [left, right] = [transposeA ? transposed(g, a) : a, transposeB ? transposed(g, b) : b];
  const vector =
    right.shape.at(-1) === 1 && sizeOf(right.shape.slice(0, -2)) === 1 && right.shape.length <= left.shape.length;
  if (vector && left.dtype === 'float32' && left.shape.at(-2) !== 1 && !isConstant(right))
    return timesVector(g, left, right);
  // The product is v^T X^T: the samples are the columns.
  if (left.shape.length === 2 && right.shape.length === 2 && left.shape[0] === 1 && transposeB && !isConstant(left))
    return transpose(g, product(g, b, transposed(g, left), {}), [1, 0]);
  return matmul(g, left, right);
}

export const products: Lowerings = {
  BatchMatMul: (g, { a, b }, attributes) => product(g, a, b, attributes),
  _FusedMatMul(g, { a, b, bias, preluActivationWeights }, attributes) {
    const biased = bias === undefined ? product(g, a, b, attributes) : add(g, product(g, a, b, attributes), bias);
    return activate(g, biased, attributes.activation, attributes.leakyreluAlpha ?? 0.2, preluActivationWeights);
  },
};
