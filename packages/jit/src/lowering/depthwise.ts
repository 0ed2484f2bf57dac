/**
 * Convolutions in which every channel has filters of its own, [height, width, channels, filters of a channel], and
 * their gradients.
 */
import { sizeOf, type Graph, type Value } from '../graph/graph.ts';
import { concat, mul, reduce, reshape, transpose } from '../graph/ops.ts';
import { convolve, convolveBack, fusedWith, type Shape4, shape4, windows } from './convolution.ts';
import { type KernelAttributes, type Lowering, type Lowerings, refusePlanar } from './lowering.ts';
import { taps, type Windows } from './windows.ts';

function windowsOver(inputShape: Shape4, filterShape: Shape4, attributes: KernelAttributes): Windows {
  refusePlanar(attributes);
  return windows(inputShape, filterShape, attributes, true);
}

/** The filters stacked one after the other: [channels * filters, 1, height, width]. */
function stacked(g: Graph, filter: Value): Value {
  const [height, width, channels, filters] = shape4(filter);
  return reshape(g, transpose(g, filter, [2, 3, 0, 1]), [channels * filters, 1, height, width]);
}

const forward: Lowering = (g, { x, filter }, attributes) =>
  convolve(g, x, stacked(g, filter), windowsOver(shape4(x), shape4(filter), attributes), x.shape[3] ?? 1);

const inputGradient: Lowering = (g, { dy, filter }, attributes) => {
  const inputShape = (attributes.inputShape ?? shape4(dy)) as Shape4;
  return convolveBack(
    g,
    dy,
    filter,
    stacked(g, filter),
    inputShape,
    windowsOver(inputShape, shape4(filter), attributes),
    inputShape[3],
  );
};

/**
 * The gradient with respect to the filter: for each tap the products of what it saw with dy, summed over batch and
 * windows.
 */
const filterGradient: Lowering = (g, { x, dy }, attributes) => {
  const filterShape = (attributes.filterShape ?? shape4(x)) as Shape4;
  const [, , channels, filters] = filterShape;
  const by = windowsOver(shape4(x), filterShape, attributes);
  const rows = sizeOf(dy.shape) / (channels * filters);
  const columns = reshape(g, dy, [rows, channels, filters]);
  const sums = taps(g, x, by).map((seen) =>
    reduce(g, 'ReduceSum', mul(g, reshape(g, seen, [rows, channels, 1]), columns), [0], true),
  );
  return reshape(g, concat(g, sums, 0), filterShape);
};

export const depthwise: Lowerings = {
  DepthwiseConv2dNative: forward,
  FusedDepthwiseConv2D: fusedWith(forward),
  DepthwiseConv2dNativeBackpropInput: inputGradient,
  DepthwiseConv2dNativeBackpropFilter: filterGradient,
};
