import { tf } from '@tweedie/core';
import { type Dtype, type Graph, sizeOf, type Value } from '../graph.ts';
import { cast, concat, expand, pad, reshape, reverse, slice, sliceAxis, table, transpose } from '../ops.ts';
import type { KernelAttributes, Lowerings } from './lowering.ts';
import { axesOf } from './reduction.ts';

const asList = (value: number | number[] | undefined): number[] => (value === undefined ? [] : typeof value === 'number' ? [value] : value);

/** Copies side by side: a broadcast, where need be after each axis is split in (copies, length). */
function tile(g: Graph, x: Value, reps: readonly number[]): Value {
  const shape = x.shape.map((n, axis) => n * (reps[axis] ?? 1));
  if (x.shape.every((n, axis) => n === 1 || n === shape[axis])) return expand(g, x, shape);
  const split = reshape(g, x, x.shape.flatMap((n) => [1, n]));
  return reshape(g, expand(g, split, x.shape.flatMap((n, axis) => [reps[axis] ?? 1, n])), shape);
}

function gather(g: Graph, x: Value, indices: Value, { axis, batchDims = 0 }: KernelAttributes): Value {
  const [along = 0] = axesOf(axis ?? 0, x.shape.length);
  const shape = [...x.shape.slice(0, along), ...indices.shape.slice(batchDims), ...x.shape.slice(along + 1)];
  if (batchDims === 0) return g.operation('Gather', [x, indices], { shape, dtype: x.dtype }, { axis: along });
  if (along !== batchDims) throw new Error(`jit: gather with batchDims ${batchDims} needs axis ${batchDims}, got ${along}. Transpose first, or run with --engine eager.`);
  const positions = cast(g, reshape(g, indices, [...indices.shape, 1]), 'int64');
  return g.operation('GatherND', [x, positions], { shape, dtype: x.dtype }, { batch_dims: batchDims });
}

function stridedSlice(g: Graph, x: Value, attributes: KernelAttributes): Value {
  const { begin, end = [], strides, beginMask = 0, endMask = 0, ellipsisMask = 0, newAxisMask = 0, shrinkAxisMask = 0 } = attributes;
  const info = tf.slice_util.sliceInfo([...x.shape], asList(begin), end, asList(strides), beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask);
  return reshape(g, slice(g, x, info.begin, info.end, info.strides), info.finalShape);
}

function split(g: Graph, x: Value, { numOrSizeSplits = 1, axis }: KernelAttributes): Value[] {
  const [along = 0] = axesOf(axis ?? 0, x.shape.length);
  const length = x.shape[along] ?? 1;
  const sizes = typeof numOrSizeSplits === 'number' ? Array<number>(numOrSizeSplits).fill(length / numOrSizeSplits) : numOrSizeSplits;
  const known = sizes.reduce((sum, n) => sum + Math.max(n, 0), 0);
  let from = 0;
  return sizes.map((size) => {
    const to = from + (size < 0 ? length - known : size);
    const part = sliceAxis(g, x, along, from, to);
    from = to;
    return part;
  });
}

export const shapes: Lowerings = {
  Reshape: (g, { x }, { shape = [] }) => reshape(g, x, tf.util.inferFromImplicitShape(shape, sizeOf(x.shape))),
  ExpandDims(g, { input }, { dim = 0 }) {
    const at = dim < 0 ? dim + input.shape.length + 1 : dim;
    return reshape(g, input, [...input.shape.slice(0, at), 1, ...input.shape.slice(at)]);
  },
  Transpose: (g, { x }, { perm = [] }) => transpose(g, x, perm),
  Tile: (g, { x }, { reps = [] }) => tile(g, x, reps),
  BroadcastTo: (g, { x }, { shape = [] }) => expand(g, x, shape),
  Reverse: (g, { x }, attributes) => reverse(g, x, axesOf(asList(attributes.dims), x.shape.length)),

  Concat(g, _, { axis }, all) {
    const [along = 0] = axesOf(axis ?? 0, all[0]?.shape.length ?? 1);
    const filled = all.filter((x) => sizeOf(x.shape) > 0);
    return concat(g, filled.length === 0 ? all.slice(0, 1) : filled, along);
  },
  Pack(g, _, { axis }, all) {
    const [along = 0] = axesOf(axis ?? 0, (all[0]?.shape.length ?? 0) + 1);
    return concat(g, all.map((x) => reshape(g, x, [...x.shape.slice(0, along), 1, ...x.shape.slice(along)])), along);
  },
  Unpack(g, _, { axis }, all) {
    const [x] = all;
    if (x === undefined) throw new Error('jit: unstack needs a tensor.');
    const [along = 0] = axesOf(axis ?? 0, x.shape.length);
    const shape = x.shape.filter((_, i) => i !== along);
    return Array.from({ length: x.shape[along] ?? 1 }, (_, i) => reshape(g, sliceAxis(g, x, along, i, i + 1), shape));
  },
  SplitV: (g, { x }, attributes) => split(g, x, attributes),

  Slice(g, { x }, { begin, size }) {
    const [starts, sizes] = [asList(begin), asList(size)];
    const from = x.shape.map((_, axis) => starts[axis] ?? 0);
    return slice(g, x, from, x.shape.map((n, axis) => ((sizes[axis] ?? -1) < 0 ? n : (from[axis] ?? 0) + (sizes[axis] ?? 0))));
  },
  StridedSlice: (g, { x }, attributes) => stridedSlice(g, x, attributes),
  PadV2: (g, { x }, { paddings = [], constantValue = 0 }) => pad(g, x, paddings, constantValue),
  GatherV2: (g, { x, indices }, attributes) => gather(g, x, indices, attributes),

  Range(g, _, { start = 0, stop = 0, step = 1, dtype = 'float32' }) {
    const length = Math.max(0, Math.ceil((stop - start) / step));
    return table(g, Array.from({ length }, (__, i) => start + i * step), dtype as Dtype);
  },
  LinSpace: (g, _, { start = 0, stop = 0, num = 1 }) => table(g, Array.from({ length: num }, (__, i) => start + (num === 1 ? 0 : (i * (stop - start)) / (num - 1))), 'float32'),
};

