import { tf } from '@tweedie/core';
import { type Dtype, type Graph, sizeOf, type Value } from '../graph/graph.ts';
import { concat, expand, pad, reshape, reverse, slice, sliceAxis, table, transpose } from '../graph/ops.ts';
import { type KernelAttributes, type Lowerings, refusePlanar } from './lowering.ts';
import { axesOf } from './reduction.ts';

const asList = (value: number | number[] | undefined): number[] =>
  value === undefined ? [] : typeof value === 'number' ? [value] : value;

/** Repeats x `reps` times along each axis: a broadcast, if need be after each axis is split into (copies, length). */
function tile(g: Graph, x: Value, reps: readonly number[]): Value {
  const shape = x.shape.map((n, axis) => n * (reps[axis] ?? 1));
  if (x.shape.every((n, axis) => n === 1 || n === shape[axis])) return expand(g, x, shape);
  const split = reshape(
    g,
    x,
    x.shape.flatMap((n) => [1, n]),
  );
  return reshape(
    g,
    expand(
      g,
      split,
      x.shape.flatMap((n, axis) => [reps[axis] ?? 1, n]),
    ),
    shape,
  );
}

/** Copies entries along each axis, mirrored at its ends; `skip` is 1 where the end itself is not repeated. */
function mirrorPad(g: Graph, x: Value, paddings: readonly (readonly [number, number])[], skip: 0 | 1): Value {
  return paddings.reduce((padded, [before, after], axis) => {
    const length = x.shape[axis] ?? 1;
    if (before === 0 && after === 0) return padded;
    const from = Array.from({ length: before + length + after }, (_, i) => {
      const at = i - before;
      return at < 0 ? skip - 1 - at : at < length ? at : 2 * length - 1 - skip - at;
    });
    const shape = padded.shape.map((n, i) => (i === axis ? from.length : n));
    return g.operation('Gather', [padded, table(g, from, 'int32')], { shape, dtype: x.dtype }, { axis });
  }, x);
}

/** [batch, height, width, block * block * channels] to [batch, height * block, width * block, channels]. */
function depthToSpace(g: Graph, x: Value, block: number): Value {
  const [batch = 1, height = 1, width = 1, depth = 1] = x.shape;
  const channels = depth / (block * block);
  const blocks = reshape(g, x, [batch, height, width, block, block, channels]);
  return reshape(g, transpose(g, blocks, [0, 1, 3, 2, 4, 5]), [batch, height * block, width * block, channels]);
}

/** Moves blocks of space to the batch axis. */
function spaceToBatch(
  g: Graph,
  x: Value,
  block: readonly number[],
  paddings: readonly (readonly [number, number])[],
): Value {
  const padded = pad(
    g,
    x,
    x.shape.map((_, axis) => paddings[axis - 1] ?? [0, 0]),
  );
  const [batch = 1, ...rest] = padded.shape;
  const [space, others] = [rest.slice(0, block.length), rest.slice(block.length)];
  const coarse = space.map((n, i) => n / (block[i] ?? 1));
  const split = reshape(g, padded, [batch, ...coarse.flatMap((n, i) => [n, block[i] ?? 1]), ...others]);
  const perm = [
    ...block.map((_, i) => 2 * i + 2),
    0,
    ...block.map((_, i) => 2 * i + 1),
    ...others.map((_, i) => 2 * block.length + 1 + i),
  ];
  return reshape(g, transpose(g, split, perm), [batch * sizeOf(block), ...coarse, ...others]);
}

/** Moves batch entries back to blocks of space. */
function batchToSpace(
  g: Graph,
  x: Value,
  block: readonly number[],
  crops: readonly (readonly [number, number])[],
): Value {
  const [entries = 1, ...rest] = x.shape;
  const [coarse, others] = [rest.slice(0, block.length), rest.slice(block.length)];
  const batch = entries / sizeOf(block);
  const split = reshape(g, x, [...block, batch, ...coarse, ...others]);
  const perm = [
    block.length,
    ...block.flatMap((_, i) => [block.length + 1 + i, i]),
    ...others.map((_, i) => 2 * block.length + 1 + i),
  ];
  const whole = reshape(g, transpose(g, split, perm), [batch, ...coarse.map((n, i) => n * (block[i] ?? 1)), ...others]);
  const begin = whole.shape.map((_, axis) => crops[axis - 1]?.[0] ?? 0);
  return slice(
    g,
    whole,
    begin,
    whole.shape.map((n, axis) => n - (crops[axis - 1]?.[1] ?? 0)),
  );
}

/** A matrix of zeros with x on its diagonal. */
function diagonal(g: Graph, x: Value): Value {
  const n = sizeOf(x.shape);
  const spaced = pad(g, reshape(g, x, [n, 1]), [
    [0, 0],
    [0, n],
  ]);
  return reshape(g, sliceAxis(g, reshape(g, spaced, [n * (n + 1)]), 0, 0, n * n), [...x.shape, ...x.shape]);
}

function stridedSlice(g: Graph, x: Value, attributes: KernelAttributes): Value {
  const {
    begin,
    end = [],
    strides,
    beginMask = 0,
    endMask = 0,
    ellipsisMask = 0,
    newAxisMask = 0,
    shrinkAxisMask = 0,
  } = attributes;
  const info = tf.slice_util.sliceInfo(
    [...x.shape],
    asList(begin),
    end,
    asList(strides),
    beginMask,
    endMask,
    ellipsisMask,
    newAxisMask,
    shrinkAxisMask,
  );
  return reshape(g, slice(g, x, info.begin, info.end, info.strides), info.finalShape);
}

function split(g: Graph, x: Value, { numOrSizeSplits = 1, axis }: KernelAttributes): Value[] {
  const [along = 0] = axesOf(axis ?? 0, x.shape.length);
  const length = x.shape[along] ?? 1;
  const sizes =
    typeof numOrSizeSplits === 'number'
      ? Array<number>(numOrSizeSplits).fill(length / numOrSizeSplits)
      : numOrSizeSplits;
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
  FlipLeftRight: (g, { image }) => reverse(g, image, [2]),
  Reverse: (g, { x }, attributes) => reverse(g, x, axesOf(asList(attributes.dims), x.shape.length)),

  Concat(g, _, { axis }, all) {
    const [along = 0] = axesOf(axis ?? 0, all[0]?.shape.length ?? 1);
    tf.backend_util.assertParamsConsistent(
      all.map((x) => [...x.shape]),
      along,
    );
    const filled = all.filter((x) => sizeOf(x.shape) > 0);
    return concat(g, filled.length === 0 ? all.slice(0, 1) : filled, along);
  },
  Pack(g, _, { axis }, all) {
    const [along = 0] = axesOf(axis ?? 0, (all[0]?.shape.length ?? 0) + 1);
    return concat(
      g,
      all.map((x) => reshape(g, x, [...x.shape.slice(0, along), 1, ...x.shape.slice(along)])),
      along,
    );
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
    const to = x.shape.map((n, axis) => ((sizes[axis] ?? -1) < 0 ? n : (from[axis] ?? 0) + (sizes[axis] ?? 0)));
    if (to.some((end, axis) => end > (x.shape[axis] ?? 0)))
      throw new Error(`jit: slice from [${from.join(', ')}] to [${to.join(', ')}] of shape [${x.shape.join(', ')}].`);
    return slice(g, x, from, to);
  },
  StridedSlice: (g, { x }, attributes) => stridedSlice(g, x, attributes),
  MirrorPad: (g, { x }, { paddings = [], mode = 'reflect' }) => mirrorPad(g, x, paddings, mode === 'reflect' ? 1 : 0),
  PadV2: (g, { x }, { paddings = [], constantValue = 0 }) => pad(g, x, paddings, constantValue),

  DepthToSpace(g, { x }, { blockSize = 1, ...attributes }) {
    refusePlanar(attributes);
    return depthToSpace(g, x, blockSize);
  },
  SpaceToBatchND: (g, { x }, { blockShape = [], paddings = [] }) => spaceToBatch(g, x, blockShape, paddings),
  BatchToSpaceND: (g, { x }, { blockShape = [], crops = [] }) => batchToSpace(g, x, blockShape, crops),
  Diag: (g, { x }) => diagonal(g, x),

  Range(g, _, { start = 0, stop = 0, step = 1, dtype = 'float32' }) {
    const length = Math.max(0, Math.ceil((stop - start) / step));
    return table(
      g,
      Array.from({ length }, (__, i) => start + i * step),
      dtype as Dtype,
    );
  },
  LinSpace: (g, _, { start = 0, stop = 0, num = 1 }) =>
    table(
      g,
      Array.from({ length: num }, (__, i) => start + (num === 1 ? 0 : (i * (stop - start)) / (num - 1))),
      'float32',
    ),
};
