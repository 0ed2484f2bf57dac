/** Kernels that take, put or look for entries at places that are computed in the graph. */
import { type Graph, sizeOf, type Value } from '../graph/graph.ts';
import {
  cast,
  compare,
  expand,
  fill,
  ints,
  mul,
  reduce,
  reshape,
  sliceAxis,
  table,
  transpose,
  where,
} from '../graph/ops.ts';
import type { KernelAttributes, Lowerings } from './lowering.ts';
import { axesOf } from './reduction.ts';

function gather(g: Graph, x: Value, indices: Value, { axis, batchDims = 0 }: KernelAttributes): Value {
  const [along = 0] = axesOf(axis ?? 0, x.shape.length);
  const picked = indices.shape.slice(batchDims);
  const shape = [...x.shape.slice(0, along), ...picked, ...x.shape.slice(along + 1)];
  if (batchDims === 0) return g.operation('Gather', [x, indices], { shape, dtype: x.dtype }, { axis: along });
  // The axis is moved to the batch axes, and back afterwards.
  const rank = x.shape.length;
  const all = Array.from({ length: rank }, (_, i) => i);
  const front = transpose(g, x, [
    ...all.slice(0, batchDims),
    along,
    ...all.slice(batchDims).filter((i) => i !== along),
  ]);
  const positions = cast(g, reshape(g, indices, [...indices.shape, 1]), 'int64');
  const type = { shape: [...indices.shape, ...front.shape.slice(batchDims + 1)], dtype: x.dtype };
  const taken = g.operation('GatherND', [front, positions], type, { batch_dims: batchDims });
  const outer = along - batchDims;
  const places = type.shape.map((_, i) => i);
  const [index, rest] = [places.slice(batchDims, batchDims + picked.length), places.slice(batchDims + picked.length)];
  return transpose(g, taken, [...places.slice(0, batchDims), ...rest.slice(0, outer), ...index, ...rest.slice(outer)]);
}

function gatherNd(g: Graph, params: Value, indices: Value): Value {
  const depth = indices.shape.at(-1) ?? 1;
  const shape = [...indices.shape.slice(0, -1), ...params.shape.slice(depth)];
  return g.operation(
    'GatherND',
    [params, cast(g, indices, 'int64')],
    { shape, dtype: params.dtype },
    { batch_dims: 0 },
  );
}

/**
 * Writes rows of `updates` [n, length] over, or adds them to, the rows of `target` [rows, length] that `places` [n]
 * name. By ScatterElements, which goes through them in order: ONNX Runtime's ScatterND lets threads race for a row that
 * is named twice.
 */
function scatterRows(g: Graph, target: Value, places: Value, updates: Value, reduction: 'none' | 'add'): Value {
  const indices = expand(g, reshape(g, places, [places.shape[0] ?? 1, 1]), updates.shape);
  return g.operation('ScatterElements', [target, indices, updates], target, { axis: 0, reduction });
}

/** An array with `updates` at the places that the rows of `indices` name, and `base` elsewhere. */
function scatter(g: Graph, base: Value, indices: Value, updates: Value, reduction: 'none' | 'add'): Value {
  const depth = indices.shape.at(-1) ?? 1;
  const [outer, inner] = [base.shape.slice(0, depth), base.shape.slice(depth)];
  const [rows, length, count] = [sizeOf(outer), sizeOf(inner), sizeOf(indices.shape) / depth];
  const strides = table(
    g,
    outer.map((_, axis) => sizeOf(outer.slice(axis + 1))),
    'int32',
  );
  const places = reduce(g, 'ReduceSum', mul(g, reshape(g, indices, [count, depth]), strides), [1]);
  // ScatterElements of ONNX adds numbers only, no booleans.
  const dtype = base.dtype === 'bool' ? 'int32' : base.dtype;
  const flat = expand(g, updates, [...indices.shape.slice(0, -1), ...inner]);
  const written = scatterRows(
    g,
    cast(g, reshape(g, base, [rows, length]), dtype),
    places,
    cast(g, reshape(g, flat, [count, length]), dtype),
    reduction,
  );
  return cast(g, reshape(g, written, base.shape), base.dtype);
}

/**
 * Rows of x added up by the segment that each belongs to: the gradient of a gather. A segment that does not exist
 * swallows its rows.
 */
function segmentSum(g: Graph, x: Value, segments: Value, count: number): Value {
  const inner = x.shape.slice(segments.shape.length);
  const [rows, length] = [sizeOf(segments.shape), sizeOf(inner)];
  const ids = reshape(g, segments, [rows]);
  const { source } = ids;
  const areKnown = source.kind === 'constant' && source.data.every((id) => id >= 0 && id < count);
  const isOne = compare(
    g,
    'And',
    compare(g, 'GreaterOrEqual', ids, fill(g, 0, 'int32')),
    compare(g, 'Less', ids, fill(g, count, 'int32')),
  );
  const places = areKnown ? ids : where(g, isOne, ids, fill(g, count, 'int32'));
  const zeros = fill(g, 0, x.dtype, [areKnown ? count : count + 1, length]);
  const sums = scatterRows(g, zeros, places, reshape(g, x, [rows, length]), 'add');
  return reshape(g, sliceAxis(g, sums, 0, 0, count), [count, ...inner]);
}

/** The largest entries of the last axis and where they are; of equal ones the first, as in TensorFlow.js. */
function largest(g: Graph, x: Value, count: number): Value[] {
  const shape = [...x.shape.slice(0, -1), count];
  const ordered = cast(g, x, x.dtype === 'bool' ? 'int32' : x.dtype);
  const [k, attributes] = [ints(g, [count]), { axis: x.shape.length - 1, largest: 1, sorted: 1 }];
  const values = g.operation('TopK', [ordered, k], { shape, dtype: ordered.dtype }, attributes);
  return [
    cast(g, values, x.dtype),
    cast(g, g.operation('TopK.1', [ordered, k], { shape, dtype: 'int64' }, attributes), 'int32'),
  ];
}

/**
 * How many entries each class has, along axis `axis` of x; or the sum of their weights, or only whether there are any.
 */
function count(g: Graph, x: Value, weights: Value, size: number, isBinary = false): Value {
  const classes = table(
    g,
    Array.from({ length: size }, (_, i) => i),
    'int32',
  );
  const hits = compare(g, 'Equal', reshape(g, x, [...x.shape, 1]), classes);
  const { dtype } = weights;
  const weighed = isBinary || sizeOf(weights.shape) === 0 ? fill(g, 1, dtype) : reshape(g, weights, [...x.shape, 1]);
  const entries = where(g, hits, weighed, fill(g, 0, dtype));
  return reduce(g, isBinary ? 'ReduceMax' : 'ReduceSum', entries, [x.shape.length - 1]);
}

export const indexing: Lowerings = {
  GatherV2: (g, { x, indices }, attributes) => gather(g, x, indices, attributes),
  GatherNd: (g, { params, indices }) => gatherNd(g, params, indices),
  ScatterNd: (g, { indices, updates }, { shape = [] }) =>
    scatter(g, fill(g, 0, updates.dtype, shape), indices, updates, 'add'),
  TensorScatterUpdate: (g, { tensor, indices, updates }) => scatter(g, tensor, indices, updates, 'none'),
  SparseToDense(g, { sparseIndices, sparseValues, defaultValue }, { outputShape = [] }) {
    const base = expand(g, cast(g, defaultValue, sparseValues.dtype), outputShape);
    // The indices are a list of places in a vector, or one place.
    const indices =
      sparseIndices.shape.length === 2 ? sparseIndices : reshape(g, sparseIndices, [sizeOf(sparseIndices.shape), 1]);
    return scatter(g, base, indices, sparseValues, 'none');
  },
  UnsortedSegmentSum: (g, { x, segmentIds }, { numSegments = 0 }) => segmentSum(g, x, segmentIds, numSegments),
  TopK: (g, { x }, { k = 1 }) => largest(g, x, k),
  Bincount: (g, { x, weights }, { size = 0 }) => count(g, x, weights, Number(size)),
  DenseBincount: (g, { x, weights }, { size = 0, binaryOutput = false }) =>
    count(g, x, weights, Number(size), binaryOutput),

  /** The place of a value in a sorted row: how many entries are smaller, or not larger. */
  SearchSorted(g, { sortedSequence, values }, { side = 'left' }) {
    const [rows = 1, length = 1] = sortedSequence.shape;
    const before = compare(
      g,
      side === 'left' ? 'Less' : 'LessOrEqual',
      reshape(g, sortedSequence, [rows, 1, length]),
      reshape(g, values, [...values.shape, 1]),
    );
    return reduce(g, 'ReduceSum', cast(g, before, 'int32'), [2]);
  },

  /** The shape that two shapes broadcast to. */
  BroadcastArgs(g, { s0, s1 }) {
    const rank = Math.max(sizeOf(s0.shape), sizeOf(s1.shape));
    const [a, b] = [s0, s1].map((s) => {
      const led = rank - sizeOf(s.shape);
      return g.operation('Pad', [s, ints(g, [led, 0]), fill(g, 1, 'int32')], { shape: [rank], dtype: 'int32' });
    });
    return a === undefined || b === undefined ? s0 : where(g, compare(g, 'Equal', a, fill(g, 1, 'int32')), b, a);
  },
};
