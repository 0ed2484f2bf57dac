/**
 * Resized images. Along each axis the result is a product of the image with a constant matrix of weights, and the
 * gradient a product with its transpose. Nearest neighbours are copied instead where that is all there is to do.
 */
import { type Graph, sizeOf, type Value } from '../graph/graph.ts';
import { inItsLayout, interleaved, planar } from '../graph/layout.ts';
import { cast, expand, fill, matmul, mul, reduce, reshape, table, transpose } from '../graph/ops.ts';
import type { KernelAttributes, Lowerings } from './lowering.ts';

/** Repeats every entry `times` times beside itself, along each axis of space. */
export const repeat = (g: Graph, x: Value, times: readonly number[]): Value =>
  inItsLayout(g, x, (image, first) =>
    first === 2 && image.dtype === 'float32' ? enlarged(g, image, times) : copied(g, image, first, times),
  );

/** Repeats single numbers of planes with ONNX Runtime's Resize, which is ten times as fast as its broadcast. */
function enlarged(g: Graph, planes: Value, times: readonly number[]): Value {
  const scales = [1, 1, ...times];
  const type = { shape: planes.shape.map((n, axis) => n * (scales[axis] ?? 1)), dtype: planes.dtype };
  const inputs = [planes, table(g, [], 'float32'), table(g, scales, 'float32')];
  return g.operation('Resize', inputs, type, {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  });
}

function copied(g: Graph, x: Value, first: number, times: readonly number[]): Value {
  const space = x.shape.slice(first, first + times.length);
  const around = (lengths: readonly number[]): number[] => [
    ...x.shape.slice(0, first),
    ...lengths,
    ...x.shape.slice(first + times.length),
  ];
  const split = reshape(g, x, around(space.flatMap((n) => [n, 1])));
  const copies = expand(g, split, around(space.flatMap((n, axis) => [n, times[axis] ?? 1])));
  return reshape(g, copies, around(space.map((n, axis) => n * (times[axis] ?? 1))));
}

/** The adjoint of repeating: the sum of each block of `times`. A planar image is averaged by a pool, which is fast. */
const blockSums = (g: Graph, x: Value, times: readonly [number, number]): Value =>
  inItsLayout(g, x, (image, first) => {
    const [height = 1, width = 1] = image.shape.slice(first).map((n, axis) => n / (times[axis] ?? 1));
    if (first === 1)
      return reduce(
        g,
        'ReduceSum',
        reshape(g, image, [image.shape[0] ?? 1, height, times[0], width, times[1], image.shape[3] ?? 1]),
        [2, 4],
      );
    const type = { shape: [...image.shape.slice(0, 2), height, width], dtype: image.dtype };
    const means = g.operation('AveragePool', [image], type, {
      kernel_shape: times,
      strides: times,
      pads: [0, 0, 0, 0],
    });
    return mul(g, means, fill(g, times[0] * times[1], image.dtype));
  });

/** The number of entries along one axis before and after resizing. */
type Axis = { readonly from: number; readonly to: number };
/** An entry that a result is made of, and its weight. */
type Share = readonly [source: number, weight: number];
type Rule = (axis: Axis, i: number, options: KernelAttributes) => readonly Share[];

const scale = ({ from, to }: Axis, alignCorners: boolean): number =>
  alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;

const nearest: Rule = (axis, i, { alignCorners = false, halfPixelCenters = false }) => {
  const place = scale(axis, alignCorners) * (halfPixelCenters ? i + 0.5 : i);
  return [[Math.max(0, Math.min(axis.from - 1, alignCorners ? Math.round(place) : Math.floor(place))), 1]];
};

const linear: Rule = (axis, i, { alignCorners = false, halfPixelCenters = false }) => {
  const ratio = scale(axis, alignCorners);
  const place = Math.max(0, halfPixelCenters ? ratio * (i + 0.5) - 0.5 : ratio * i);
  const below = Math.min(Math.floor(place), axis.from - 1);
  const above = Math.min(below + 1, axis.from - 1);
  return above === below
    ? [[below, 1]]
    : [
        [below, 1 - (place - below)],
        [above, place - below],
      ];
};

/** The weights of one axis as a matrix [from, to], or its transpose. */
function weights(g: Graph, axis: Axis, rule: Rule, options: KernelAttributes, turned: boolean): Value {
  const { from, to } = axis;
  const values = new Array<number>(from * to).fill(0);
  for (let i = 0; i < to; i++)
    for (const [source, weight] of rule(axis, i, options))
      values[turned ? i * from + source : source * to + i] = weight;
  return table(g, values, 'float32', turned ? [to, from] : [from, to]);
}

/**
 * Planes [batch, channels, ...space] times one matrix [from, to] along each axis of space. Every image of a batch is
 * treated alike.
 */
export function alongSpace(g: Graph, planes: Value, matrices: readonly Value[]): Value {
  return matrices.reduce((x, matrix, i) => {
    const [axis, [from = 1, to = 1]] = [i + 2, matrix.shape];
    const shape = x.shape.with(axis, to);
    const [lead, trail] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + 1))];
    if (trail === 1) return reshape(g, matmul(g, reshape(g, x, [lead, from]), matrix), shape);
    return reshape(g, matmul(g, transpose(g, matrix, [1, 0]), reshape(g, x, [lead, from, trail])), shape);
  }, planes);
}

function resample(
  g: Graph,
  x: Value,
  along: readonly Axis[],
  rule: Rule,
  options: KernelAttributes,
  back = false,
): Value {
  return interleaved(
    g,
    alongSpace(
      g,
      planar(g, cast(g, x, 'float32')),
      along.map((axis) => weights(g, axis, rule, options, back)),
    ),
  );
}

const axes = (images: Value, [height = 1, width = 1]: readonly number[]): [Axis, Axis] => [
  { from: images.shape[1] ?? 1, to: height },
  { from: images.shape[2] ?? 1, to: width },
];
const sizeFrom = ({ size }: KernelAttributes): number[] => (typeof size === 'number' ? [size, size] : (size ?? []));

/** Whole-number factors of an enlargement, where each entry becomes a block. */
function factors(
  [down, across]: readonly [Axis, Axis],
  { alignCorners = false }: KernelAttributes,
): readonly [number, number] | undefined {
  const both = [down.to / down.from, across.to / across.from] as const;
  return !alignCorners && both.every(Number.isInteger) ? both : undefined;
}

/** Enlarges by copying rows, then columns. */
function pick(g: Graph, x: Value, along: readonly [Axis, Axis], options: KernelAttributes): Value {
  return along.reduce((image, axis, i) => {
    const from = table(
      g,
      Array.from({ length: axis.to }, (_, k) => nearest(axis, k, options)[0]?.[0] ?? 0),
      'int32',
    );
    return g.operation(
      'Gather',
      [image, from],
      { shape: image.shape.map((n, a) => (a === i + 1 ? axis.to : n)), dtype: x.dtype },
      { axis: i + 1 },
    );
  }, x);
}

export const resizes: Lowerings = {
  ResizeNearestNeighbor(g, { images }, options) {
    const along = axes(images, sizeFrom(options));
    const times = factors(along, options);
    return times === undefined ? pick(g, images, along, options) : repeat(g, images, times);
  },
  ResizeNearestNeighborGrad(g, { dy, images }, options) {
    const along = axes(images, dy.shape.slice(1, 3));
    const times = factors(along, options);
    return times === undefined ? resample(g, dy, along, nearest, options, true) : blockSums(g, dy, times);
  },
  ResizeBilinear: (g, { images }, options) => resample(g, images, axes(images, sizeFrom(options)), linear, options),
  ResizeBilinearGrad: (g, { dy, images }, options) =>
    resample(g, dy, axes(images, dy.shape.slice(1, 3)), linear, options, true),
};
