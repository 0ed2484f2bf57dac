import type { Dtype, Graph, Value } from '../graph/graph.ts';
import { cast, compare, fill, reshape, table, unary, where } from '../graph/ops.ts';
import type { Lowering, Lowerings } from './lowering.ts';

const comparison =
  (op: string): Lowering =>
  (g, { a, b }) => {
    // The comparisons of ONNX order numbers only, no booleans.
    const [x, y] = a.dtype === 'bool' ? [cast(g, a, 'int32'), cast(g, b, 'int32')] : [a, b];
    return compare(g, op, x, y);
  };

/** A question that ONNX answers for real numbers only, such as IsNaN, for any operand. */
const isNaN = (g: Graph, x: Value): Value => unary(g, 'IsNaN', cast(g, x, 'float32'), 'bool');
const isInfinite = (g: Graph, x: Value): Value => unary(g, 'IsInf', cast(g, x, 'float32'), 'bool');

export const logic: Lowerings = {
  Equal: comparison('Equal'),
  NotEqual: (g, { a, b }) => unary(g, 'Not', compare(g, 'Equal', a, b)),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  LogicalAnd: (g, { a, b }) => compare(g, 'And', a, b),
  LogicalOr: (g, { a, b }) => compare(g, 'Or', a, b),
  LogicalXor: (g, { a, b }) => compare(g, 'Xor', a, b),
  LogicalNot: (g, { x }) => unary(g, 'Not', x),
  IsNan: (g, { x }) => isNaN(g, x),
  IsInf: (g, { x }) => isInfinite(g, x),
  IsFinite: (g, { x }) => unary(g, 'Not', compare(g, 'Or', isNaN(g, x), isInfinite(g, x))),

  Select(g, { condition, t, e }) {
    // A condition of rank 1 chooses whole rows.
    const chosen =
      condition.shape.length === 1
        ? reshape(g, condition, [...condition.shape, ...t.shape.slice(1).map(() => 1)])
        : condition;
    return where(g, chosen, t, e);
  },

  OneHot(g, { indices }, { depth = 0, onValue = 1, offValue = 0, dtype = 'int32' }) {
    const classes = table(
      g,
      Array.from({ length: depth }, (_, i) => i),
      'int32',
    );
    const hit = compare(g, 'Equal', reshape(g, indices, [...indices.shape, 1]), classes);
    return where(g, hit, fill(g, onValue, dtype as Dtype), fill(g, offValue, dtype as Dtype));
  },
};
