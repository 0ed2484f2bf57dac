/** Convolutions in which every channel has filters of its own, [height, width, channels, filters of a channel], and their gradients. */
import { sizeOf, type Graph, type Value } from '../graph.ts';
import { interleaved, planar } from '../layout.ts';
import { concat, mul, reduce, reshape, reverse, transpose } from '../ops.ts';
import { convolve, fusedWith, geometry, type Shape4, shape4, windows } from './convolution.ts';
import { type KernelAttributes, type Lowering, type Lowerings, refusePlanar } from './lowering.ts';
import { taps, transposedConvolution } from './windows.ts';

function geometryOf(inputShape: Shape4, filterShape: Shape4, attributes: KernelAttributes) {
  refusePlanar(attributes);
  return geometry(inputShape, filterShape, attributes, true);
}

/** One filter after the other: [channels * filters, 1, height, width]. */
function stacked(g: Graph, filter: Value): Value {
  const [height, width, channels, filters] = shape4(filter);
  return reshape(g, transpose(g, filter, [2, 3, 0, 1]), [channels * filters, 1, height, width]);
}

const forward: Lowering = (g, { x, filter }, attributes) =>
  convolve(g, x, stacked(g, filter), geometryOf(shape4(x), shape4(filter), attributes), x.shape[3] ?? 1);

/** As in a plain convolution: with stride 1 a convolution with the filters turned by 180 degrees, otherwise a transposed one. */
const inputGradient: Lowering = (g, { dy, filter }, attributes) => {
  const inputShape = (attributes.inputShape ?? shape4(dy)) as Shape4;
  const by = geometryOf(inputShape, shape4(filter), attributes);
  const group = inputShape[3];
  const [down, across] = [(by.kernel[0] - 1) * by.dilations[0], (by.kernel[1] - 1) * by.dilations[1]];
  const { top, bottom, left, right } = by.pads;
  if (by.strides[0] === 1 && by.strides[1] === 1 && Math.max(top, bottom) <= down && Math.max(left, right) <= across) {
    const turned = transpose(g, reverse(g, filter, [0, 1]), [2, 3, 0, 1]);
    return convolve(g, dy, turned, { ...by, outShape: inputShape, pads: { top: down - top, bottom: down - bottom, left: across - left, right: across - right } }, group);
  }
  return interleaved(g, transposedConvolution(g, planar(g, dy), stacked(g, filter), windows(by), inputShape.slice(1, 3), group));
};

/** For each tap the products of what it saw with dy, summed over the batch and the windows. */
const filterGradient: Lowering = (g, { x, dy }, attributes) => {
  const filterShape = (attributes.filterShape ?? shape4(x)) as Shape4;
  const [, , channels, filters] = filterShape;
  const by = geometryOf(shape4(x), filterShape, attributes);
  const rows = sizeOf(dy.shape) / (channels * filters);
  const columns = reshape(g, dy, [rows, channels, filters]);
  const sums = taps(g, x, windows(by)).map((seen) => reduce(g, 'ReduceSum', mul(g, reshape(g, seen, [rows, channels, 1]), columns), [0], true));
  return reshape(g, concat(g, sums, 0), filterShape);
};

export const depthwise: Lowerings = {
  DepthwiseConv2dNative: forward,
  FusedDepthwiseConv2D: fusedWith(forward),
  DepthwiseConv2dNativeBackpropInput: inputGradient,
  DepthwiseConv2dNativeBackpropFilter: filterGradient,
};
