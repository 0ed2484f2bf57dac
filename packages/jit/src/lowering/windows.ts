/**
 * Windows that slide over images or volumes, [batch, ...space, channels], in any number of dimensions: what each of
 * their taps sees, and the way back. Pools, dilations and the gradients of filters are written with these; ONNX has no
 * operation for most of them.
 */
import { type Graph, sizeOf, type Value } from '../graph/graph.ts';
import { inItsLayout } from '../graph/layout.ts';
import { add, pad, reshape, slice } from '../graph/ops.ts';

/** Sliding windows; each list has one entry for each axis of space. */
export type Windows = {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding ahead of and behind the data. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** How many windows there are. */
  readonly count: readonly number[];
};

/**
 * The padding behind the data with which there are exactly `count` windows. TensorFlow.js counts the windows of a
 * number as padding by the height of the filter along both axes: where that leaves more room than one stride, no
 * padding makes that many.
 */
export function behind(length: number, before: number, count: number, stride: number, reach: number): number {
  const needed = (count - 1) * stride + reach - before - length;
  if (needed <= -stride)
    throw new Error(
      "jit: a number as padding needs a filter as wide as high in TensorFlow.js. Use 'same', 'valid' or a list of paddings",
    );
  return Math.max(needed, 0);
}

const each = (x: Value): number[] => x.shape.slice(1, -1);
const aroundSpace = <T>(first: T, space: readonly T[], last: T): T[] => [first, ...space, last];

/** The places of the taps in a window, the last axis running fastest. */
export function placesOf({ kernel, dilations }: Windows): number[][] {
  return Array.from({ length: sizeOf(kernel) }, (__, tap) => {
    let rest = tap;
    return kernel.map((_, axis) => {
      const inner = sizeOf(kernel.slice(axis + 1));
      const place = Math.floor(rest / inner);
      rest %= inner;
      return place * (dilations[axis] ?? 1);
    });
  });
}

/** For every tap the entries that it sees in all windows, [batch, ...count, channels]; `fill` outside of the data. */
export function taps(g: Graph, x: Value, by: Windows, fill = 0): Value[] {
  const padded = pad(
    g,
    x,
    aroundSpace(
      [0, 0],
      by.before.map((n, axis) => [n, by.after[axis] ?? 0] as const),
      [0, 0],
    ),
    fill,
  );
  const [batch = 1] = x.shape;
  const channels = x.shape.at(-1) ?? 1;
  const steps = aroundSpace(1, by.strides, 1);
  return placesOf(by).map((place) => {
    const end = place.map((from, axis) => from + ((by.count[axis] ?? 1) - 1) * (by.strides[axis] ?? 1) + 1);
    return slice(g, padded, aroundSpace(0, place, 0), aroundSpace(batch, end, channels), steps);
  });
}

/** Puts `stride - 1` zeros between neighbours of each axis of space. */
function spread(g: Graph, x: Value, strides: readonly number[]): Value {
  if (strides.every((n) => n === 1)) return x;
  return inItsLayout(g, x, (image, first) => {
    const space = image.shape.slice(first, first + strides.length);
    const around = <T>(lead: readonly T[], inner: readonly T[]): T[] => [
      ...lead.slice(0, first),
      ...inner,
      ...lead.slice(first + strides.length),
    ];
    const split = reshape(
      g,
      image,
      around(
        image.shape,
        space.flatMap((n) => [n, 1]),
      ),
    );
    const none = image.shape.map(() => [0, 0] as const);
    const filled = pad(
      g,
      split,
      around<readonly [number, number]>(
        none,
        strides.flatMap(
          (n) =>
            [
              [0, 0],
              [0, n - 1],
            ] as const,
        ),
      ),
    );
    return reshape(
      g,
      filled,
      around(
        image.shape,
        space.map((n, axis) => n * (strides[axis] ?? 1)),
      ),
    );
  });
}

/**
 * The adjoint of `taps`: every part returns to the places that its tap saw, where the parts add up. `space` are the
 * lengths of the data.
 */
export function overlap(g: Graph, parts: readonly Value[], by: Windows, space: readonly number[]): Value {
  const padded = space.map((n, axis) => n + (by.before[axis] ?? 0) + (by.after[axis] ?? 0));
  const back = parts.map((part, tap) => {
    const place = placesOf(by)[tap] ?? [];
    const wide = spread(g, part, by.strides);
    const needed = each(part).map((n, axis) => (n - 1) * (by.strides[axis] ?? 1) + 1);
    const [batch = 1] = part.shape;
    const channels = part.shape.at(-1) ?? 1;
    const cut = slice(
      g,
      wide,
      wide.shape.map(() => 0),
      aroundSpace(batch, needed, channels),
    );
    return pad(
      g,
      cut,
      aroundSpace(
        [0, 0],
        place.map((from, axis) => [from, (padded[axis] ?? 0) - from - (needed[axis] ?? 0)] as const),
        [0, 0],
      ),
    );
  });
  const sum = back.reduce((total, part) => add(g, total, part));
  const [batch = 1] = sum.shape;
  const end = space.map((n, axis) => (by.before[axis] ?? 0) + n);
  return slice(g, sum, aroundSpace(0, by.before, 0), aroundSpace(batch, end, sum.shape.at(-1) ?? 1));
}

/**
 * ONNX's transposed convolution on planes, [batch, channels, ...space]: the gradient of a convolution with respect to
 * its input. `filter` is [channels of dy, channels of the result in one group, ...kernel].
 */
export function transposedConvolution(
  g: Graph,
  dy: Value,
  filter: Value,
  by: Windows,
  space: readonly number[],
  group = 1,
): Value {
  const [batch = 1] = dy.shape;
  const reach = by.kernel.map((n, axis) => (n - 1) * (by.dilations[axis] ?? 1) + 1);
  const missing = space.map(
    (n, axis) =>
      n +
      (by.before[axis] ?? 0) +
      (by.after[axis] ?? 0) -
      ((by.count[axis] ?? 1) - 1) * (by.strides[axis] ?? 1) -
      (reach[axis] ?? 1),
  );
  return g.operation(
    'ConvTranspose',
    [dy, filter],
    { shape: [batch, (filter.shape[1] ?? 1) * group, ...space], dtype: 'float32' },
    {
      kernel_shape: by.kernel,
      strides: by.strides,
      dilations: by.dilations,
      pads: [...by.before, ...by.after],
      output_padding: missing,
      group,
    },
  );
}
