/** Averages and maxima over sliding windows of images and volumes, and their gradients. */
import { tf } from '@tweedie/core';
import { sizeOf, type Value } from '../graph/graph.ts';
import { interleaved, planar } from '../graph/layout.ts';
import { add, binary, cast, compare, div, expand, fill, mul, table, where } from '../graph/ops.ts';
import { pair, type Shape4, windowsOf as imageWindows } from './convolution.ts';
import type { KernelAttributes, Lowering, Lowerings } from './lowering.ts';
import { alongSpace, repeat } from './resize.ts';
import { type Shape5, triple, windowsOf as volumeWindows } from './volume.ts';
import { overlap, taps, type Windows } from './windows.ts';

function windowsOver(
  { shape }: Value,
  { filterSize, strides, pad = 'valid', dimRoundingMode }: KernelAttributes,
): Windows {
  const { computePool2DInfo, computePool3DInfo } = tf.backend_util;
  return shape.length === 5
    ? volumeWindows(
        computePool3DInfo(
          [...shape] as Shape5,
          triple(filterSize),
          triple(strides),
          1,
          pad as 'valid',
          dimRoundingMode,
        ),
        shape,
      )
    : imageWindows(
        computePool2DInfo([...shape] as Shape4, pair(filterSize), pair(strides), 1, pad, dimRoundingMode),
        shape,
      );
}

const pool =
  (op: 'AveragePool' | 'MaxPool'): Lowering =>
  (g, { x }, attributes) => {
    const by = windowsOver(x, attributes);
    const type = { shape: [x.shape[0] ?? 1, x.shape.at(-1) ?? 1, ...by.count], dtype: 'float32' } as const;
    const pooled = g.operation(op, [planar(g, cast(g, x, 'float32'))], type, {
      kernel_shape: by.kernel,
      strides: by.strides,
      pads: [...by.before, ...by.after],
    });
    return cast(g, interleaved(g, pooled), x.dtype);
  };

/** A matrix [windows, entries] for one axis, with 1 where the entry is in the window. */
function membership({ count, strides, before, kernel }: Windows, axis: number, length: number): number[][] {
  return Array.from({ length: count[axis] ?? 1 }, (_, window) => {
    const from = window * (strides[axis] ?? 1) - (before[axis] ?? 0);
    return Array.from({ length }, (__, entry) => (entry >= from && entry < from + (kernel[axis] ?? 1) ? 1 : 0));
  });
}

/**
 * The gradient of an average pool: each entry of dy, over the number of entries of its window, goes back to those
 * entries.
 */
const averageGradient: Lowering = (g, { dy, input }, attributes) => {
  const by = windowsOver(input, attributes);
  const space = input.shape.slice(1, -1);
  const members = space.map((length, axis) => membership(by, axis, length));
  const sizes = members.map((windows) => windows.map((entries) => entries.reduce((sum, n) => sum + n, 0)));
  const counts = sizes.reduce<number[]>((product, list) => product.flatMap((n) => list.map((m) => n * m)), [1]);
  const share = div(g, dy, table(g, counts, 'float32', [1, ...by.count, 1]));
  const disjoint = by.kernel.every((n, axis) => n === by.strides[axis] && n * (by.count[axis] ?? 1) === space[axis]);
  if (disjoint) return repeat(g, share, by.kernel);
  return interleaved(
    g,
    alongSpace(
      g,
      planar(g, share),
      members.map((windows, axis) => table(g, windows.flat(), 'float32', [windows.length, space[axis] ?? 1])),
    ),
  );
};

/**
 * Each entry of dy goes to the entry that was the largest of its window. Of equal ones TensorFlow.js takes the first in
 * an image and the last in a volume.
 */
const maximumGradient: Lowering = (g, { dy, input }, attributes) => {
  const by = windowsOver(input, attributes);
  const seen = taps(g, input, by, -Infinity);
  const order = seen.map((_, tap) => tap);
  if (input.shape.length === 5) order.reverse();
  const largest = seen.reduce((most, x) => binary(g, 'Max', most, x));
  const none = fill(g, 0, 'float32');
  const parts = [...seen];
  let left = expand(g, dy, largest.shape);
  for (const tap of order) {
    const hit = compare(g, 'Equal', seen[tap] ?? largest, largest);
    parts[tap] = where(g, hit, left, none);
    left = where(g, hit, none, left);
  }
  return overlap(g, parts, by, input.shape.slice(1, -1));
};

/** The maxima and where they lie: the number of the entry in its image, or in the batch. */
const maximumWithPosition: Lowering = (g, { x }, attributes) => {
  const by = windowsOver(x, attributes);
  const [batch = 1, , width = 1, channels = 1] = x.shape;
  const numbers = table(
    g,
    Array.from({ length: sizeOf(x.shape.slice(1)) }, (_, i) => i),
    'int32',
    [1, ...x.shape.slice(1)],
  );
  const positions = taps(g, numbers, by, -1);
  const values = taps(g, x, by, -Infinity);
  let [best, place] = [values[0] ?? x, positions[0] ?? x];
  values.forEach((seen, tap) => {
    const better = compare(g, 'Greater', seen, best);
    place = where(g, better, positions[tap] ?? place, place);
    best = binary(g, 'Max', best, seen);
  });
  const images = mul(
    g,
    table(
      g,
      Array.from({ length: batch }, (_, i) => i),
      'int32',
      [batch, 1, 1, 1],
    ),
    fill(g, sizeOf([x.shape[1] ?? 1, width, channels]), 'int32'),
  );
  const start = attributes.includeBatchInIndex === true ? images : fill(g, 0, 'int32', [batch, 1, 1, 1]);
  return [best, expand(g, add(g, place, start), best.shape)];
};

export const pools: Lowerings = {
  AvgPool: pool('AveragePool'),
  AvgPool3D: pool('AveragePool'),
  AvgPoolGrad: averageGradient,
  AvgPool3DGrad: averageGradient,
  MaxPool: pool('MaxPool'),
  MaxPool3D: pool('MaxPool'),
  MaxPoolGrad: maximumGradient,
  MaxPool3DGrad: maximumGradient,
  MaxPoolWithArgmax: maximumWithPosition,
};
