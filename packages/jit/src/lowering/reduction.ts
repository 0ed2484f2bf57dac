import type { Dtype, Graph, Value } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import { cast, concat, div, fill, mul, reduce, reshape, reverse, sliceAxis, sub, unary } from '../ops.ts';
import type { KernelAttributes, Lowering, Lowerings } from './lowering.ts';

/** Axes counted from the front; none named means all. */
export function axesOf(axis: number | readonly number[] | null | undefined, rank: number): number[] {
  if (axis === null || axis === undefined) return Array.from({ length: rank }, (_, i) => i);
  return (typeof axis === 'number' ? [axis] : axis).map((i) => (i < 0 ? i + rank : i));
}

const over = (x: Value, { axis, reductionIndices }: KernelAttributes): number[] => axesOf(axis ?? reductionIndices, x.shape.length);

/** A reduction computed in `dtype`, its result in `result`. */
const reduction = (op: string, dtype: (x: Value) => Dtype, result: (x: Value) => Dtype = dtype): Lowering => (g, { x }, attributes) =>
  cast(g, reduce(g, op, cast(g, x, dtype(x)), over(x, attributes), attributes.keepDims), result(x));

const numeric = (x: Value): Dtype => (x.dtype === 'bool' ? 'int32' : x.dtype);
const extremum = (op: string): Lowering => reduction(op, numeric, (x) => x.dtype);

export function sum(g: Graph, x: Value, axes: readonly number[], keepDims = false): Value {
  return reduce(g, 'ReduceSum', x, axes, keepDims);
}

const mean: Lowering = (g, { x }, attributes) => {
  const axes = over(x, attributes);
  const count = sizeOf(axes.map((axis) => x.shape[axis] ?? 1));
  return div(g, sum(g, cast(g, x, 'float32'), axes, attributes.keepDims), fill(g, count, 'float32'));
};

const argExtremum = (op: string): Lowering => (g, { x }, { axis }) => {
  const [along = 0] = axesOf(axis ?? 0, x.shape.length);
  const shape = x.shape.filter((_, i) => i !== along);
  return cast(g, g.operation(op, [cast(g, x, numeric(x))], { shape, dtype: 'int64' }, { axis: along, keepdims: 0 }), 'int32');
};

const shifted = (g: Graph, x: Value, axis: number, by: number): Value => {
  const length = x.shape[axis] ?? 1;
  const ones = fill(g, 1, x.dtype, x.shape.map((n, i) => (i === axis ? Math.min(by, length) : n)));
  return by >= length ? ones : concat(g, [ones, sliceAxis(g, x, axis, 0, length - by)], axis);
};

/** Running products by doubling: after each round an entry holds the product of twice as many. ONNX has no operation for it. */
function cumulativeProduct(g: Graph, x: Value, axis: number, exclusive: boolean, backwards: boolean): Value {
  let product = backwards ? reverse(g, x, [axis]) : x;
  if (exclusive) product = shifted(g, product, axis, 1);
  for (let by = 1; by < (x.shape[axis] ?? 1); by *= 2) product = mul(g, product, shifted(g, product, axis, by));
  return backwards ? reverse(g, product, [axis]) : product;
}

export const reductions: Lowerings = {
  Sum: reduction('ReduceSum', numeric),
  Mean: mean,
  Max: extremum('ReduceMax'),
  Min: extremum('ReduceMin'),
  Prod: reduction('ReduceProd', numeric),
  All: reduction('ReduceMin', () => 'int32', () => 'bool'),
  Any: reduction('ReduceMax', () => 'int32', () => 'bool'),
  ArgMax: argExtremum('ArgMax'),
  ArgMin: argExtremum('ArgMin'),

  Softmax: (g, { logits }, { dim }) => g.operation('Softmax', [logits], logits, { axis: dim ?? logits.shape.length - 1 }),
  LogSoftmax(g, { logits }, { axis }) {
    const axes = axesOf(axis ?? -1, logits.shape.length);
    const centred = sub(g, logits, reduce(g, 'ReduceMax', logits, axes, true));
    return sub(g, centred, unary(g, 'Log', sum(g, unary(g, 'Exp', centred), axes, true)));
  },

  Cumsum(g, { x }, { axis, exclusive = false, reverse: backwards = false }) {
    const [along = 0] = axesOf(axis ?? 0, x.shape.length);
    const position = g.constant(BigInt64Array.of(BigInt(along)), { shape: [], dtype: 'int64' });
    return g.operation('CumSum', [x, position], x, { exclusive: exclusive ? 1 : 0, reverse: backwards ? 1 : 0 });
  },
  Cumprod(g, { x }, { axis, exclusive = false, reverse: backwards = false }) {
    const [along = 0] = axesOf(axis ?? 0, x.shape.length);
    return cumulativeProduct(g, x, along, exclusive, backwards);
  },

  /** Rows of x added up by the segment that each belongs to: the gradient of a gather. */
  UnsortedSegmentSum(g, { x, segmentIds }, { numSegments = 0 }) {
    const zeros = fill(g, 0, x.dtype, [numSegments, ...x.shape.slice(segmentIds.shape.length)]);
    const positions = cast(g, reshape(g, segmentIds, [...segmentIds.shape, 1]), 'int64');
    return g.operation('ScatterND', [zeros, positions, x], zeros, { reduction: 'add' });
  },
};

