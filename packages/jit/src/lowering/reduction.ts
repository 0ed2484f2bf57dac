import type { Dtype, Graph, Value } from '../graph/graph.ts';
import { sizeOf } from '../graph/graph.ts';
import { cast, concat, div, fill, matmul, mul, reduce, reshape, reverse, sliceAxis } from '../graph/ops.ts';
import type { KernelAttributes, Lowering, Lowerings } from './lowering.ts';

/** The named axes counted from the front; all axes where none is named. */
export function axesOf(axis: number | readonly number[] | null | undefined, rank: number): number[] {
  if (axis === null || axis === undefined) return Array.from({ length: rank }, (_, i) => i);
  return (typeof axis === 'number' ? [axis] : axis).map((i) => (i < 0 ? i + rank : i));
}

const over = (x: Value, { axis, reductionIndices }: KernelAttributes): number[] =>
  axesOf(axis ?? reductionIndices, x.shape.length);

/** A reduction computed in `dtype`, its result in `result`. */
const reduction =
  (op: string, dtype: (x: Value) => Dtype, result: (x: Value) => Dtype = dtype): Lowering =>
  (g, { x }, attributes) =>
    cast(g, reduce(g, op, cast(g, x, dtype(x)), over(x, attributes), attributes.keepDims), result(x));

const numeric = (x: Value): Dtype => (x.dtype === 'bool' ? 'int32' : x.dtype);
const extremum = (op: string): Lowering => reduction(op, numeric, (x) => x.dtype);

/**
 * A sum over the last axes is a product with a column of ones: ONNX Runtime's ReduceSum adds a row in an order that
 * depends on where the row lies in memory, so that the bits of a sample would depend on its place in the batch. A
 * matrix product treats all rows alike.
 */
export function sum(g: Graph, x: Value, axes: readonly number[], keepDims = false): Value {
  const long = x.shape.map((_, axis) => axis).filter((axis) => x.shape[axis] !== 1);
  const summed = long.filter((axis) => axes.includes(axis));
  const rows = long.slice(0, long.length - summed.length);
  if (x.dtype !== 'float32' || summed.length === 0 || rows.length === 0 || rows.some((axis) => axes.includes(axis)))
    return reduce(g, 'ReduceSum', x, axes, keepDims);
  const length = sizeOf(summed.map((axis) => x.shape[axis] ?? 1));
  const totals = matmul(g, reshape(g, x, [sizeOf(x.shape) / length, length]), fill(g, 1, 'float32', [length, 1]));
  return reshape(
    g,
    totals,
    keepDims
      ? x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n))
      : x.shape.filter((_, axis) => !axes.includes(axis)),
  );
}

const mean: Lowering = (g, { x }, attributes) => {
  const axes = over(x, attributes);
  const count = sizeOf(axes.map((axis) => x.shape[axis] ?? 1));
  return div(g, sum(g, cast(g, x, 'float32'), axes, attributes.keepDims), fill(g, count, 'float32'));
};

const argExtremum =
  (op: string): Lowering =>
  (g, { x }, { axis }) => {
    const [along = 0] = axesOf(axis ?? 0, x.shape.length);
    const shape = x.shape.filter((_, i) => i !== along);
    return cast(
      g,
      g.operation(op, [cast(g, x, numeric(x))], { shape, dtype: 'int64' }, { axis: along, keepdims: 0 }),
      'int32',
    );
  };

const shifted = (g: Graph, x: Value, axis: number, by: number): Value => {
  const length = x.shape[axis] ?? 1;
  const ones = fill(
    g,
    1,
    x.dtype,
    x.shape.map((n, i) => (i === axis ? Math.min(by, length) : n)),
  );
  return by >= length ? ones : concat(g, [ones, sliceAxis(g, x, axis, 0, length - by)], axis);
};

/**
 * Running products by doubling: after each round an entry holds the product of twice as many. ONNX has no operation for
 * it.
 */
function cumulativeProduct(g: Graph, x: Value, axis: number, exclusive: boolean, backwards: boolean): Value {
  let product = backwards ? reverse(g, x, [axis]) : x;
  if (exclusive) product = shifted(g, product, axis, 1);
  for (let by = 1; by < (x.shape[axis] ?? 1); by *= 2) product = mul(g, product, shifted(g, product, axis, by));
  return backwards ? reverse(g, product, [axis]) : product;
}

export const reductions: Lowerings = {
  Sum: (g, { x }, attributes) => sum(g, cast(g, x, numeric(x)), over(x, attributes), attributes.keepDims),
  Mean: mean,
  Max: extremum('ReduceMax'),
  Min: extremum('ReduceMin'),
  Prod: reduction('ReduceProd', numeric),
  All: reduction(
    'ReduceMin',
    () => 'int32',
    () => 'bool',
  ),
  Any: reduction(
    'ReduceMax',
    () => 'int32',
    () => 'bool',
  ),
  ArgMax: argExtremum('ArgMax'),
  ArgMin: argExtremum('ArgMin'),

  Softmax: (g, { logits }, { dim }) =>
    g.operation('Softmax', [logits], logits, { axis: dim ?? logits.shape.length - 1 }),
  LogSoftmax: (g, { logits }, { axis }) =>
    g.operation('LogSoftmax', [logits], logits, { axis: axesOf(axis ?? -1, logits.shape.length)[0] ?? 0 }),

  Cumsum(g, { x }, { axis, exclusive = false, reverse: backwards = false }) {
    const [along = 0] = axesOf(axis ?? 0, x.shape.length);
    const position = g.constant(BigInt64Array.of(BigInt(along)), { shape: [], dtype: 'int64' });
    return g.operation('CumSum', [x, position], x, { exclusive: exclusive ? 1 : 0, reverse: backwards ? 1 : 0 });
  },
  Cumprod(g, { x }, { axis, exclusive = false, reverse: backwards = false }) {
    const [along = 0] = axesOf(axis ?? 0, x.shape.length);
    return cumulativeProduct(g, x, along, exclusive, backwards);
  },
};
