/**
 * Grey-scale dilation: the maximum of image plus filter in each window. The gradient goes to the tap that was the
 * largest, the first of equal ones.
 */
import { tf } from '@tweedie/core';
import { type Graph, sizeOf, type Value } from '../graph/graph.ts';
import { add, binary, compare, concat, expand, fill, reduce, reshape, sliceAxis, where } from '../graph/ops.ts';
import { type Shape4, windowsOf } from './convolution.ts';
import type { Inputs, KernelAttributes, Lowerings } from './lowering.ts';
import { overlap, taps, type Windows } from './windows.ts';

type Shape3 = [number, number, number];

function windows(x: Value, filter: Value, { strides = 1, pad = 'valid', dilations = 1 }: KernelAttributes): Windows {
  const info = tf.backend_util.computeDilation2DInfo(
    [...x.shape] as Shape4,
    [...filter.shape] as Shape3,
    strides as number,
    pad as 'valid',
    'NHWC',
    dilations as number,
  );
  return windowsOf(info, x.shape);
}

/** For each tap, the entries it sees plus its entry of the filter. */
function raised(g: Graph, x: Value, filter: Value, by: Windows): Value[] {
  const channels = x.shape[3] ?? 1;
  const rows = reshape(g, filter, [sizeOf(by.kernel), channels]);
  return taps(g, x, by, -Infinity).map((seen, tap) =>
    add(g, seen, reshape(g, sliceAxis(g, rows, 0, tap, tap + 1), [channels])),
  );
}

const largest = (g: Graph, parts: readonly Value[]): Value =>
  parts.reduce((most, part) => binary(g, 'Max', most, part));

/** For each tap, the entries of dy of those windows in which it is the first of the largest, else zero. */
function shares(g: Graph, { x, filter, dy }: Inputs, by: Windows): Value[] {
  const parts = raised(g, x, filter, by);
  const most = largest(g, parts);
  const none = fill(g, 0, 'float32');
  let left = expand(g, dy, most.shape);
  return parts.map((part) => {
    const hit = compare(g, 'Equal', part, most);
    const share = where(g, hit, left, none);
    left = where(g, hit, none, left);
    return share;
  });
}

export const dilations: Lowerings = {
  Dilation2D: (g, { x, filter }, attributes) => largest(g, raised(g, x, filter, windows(x, filter, attributes))),
  Dilation2DBackpropInput(g, inputs, attributes) {
    const by = windows(inputs.x, inputs.filter, attributes);
    return overlap(g, shares(g, inputs, by), by, inputs.x.shape.slice(1, -1));
  },
  Dilation2DBackpropFilter(g, inputs, attributes) {
    const by = windows(inputs.x, inputs.filter, attributes);
    const sums = shares(g, inputs, by).map((share) => reduce(g, 'ReduceSum', share, [0, 1, 2]));
    return reshape(g, concat(g, sums, 0), inputs.filter.shape);
  },
};
