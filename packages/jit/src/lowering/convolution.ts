/**
 * Images stay [batch, height, width, channels] in user code. ONNX convolves [batch, channels, height, width]: the transposes placed
 * around each operation are cancelled by ONNX Runtime, whose blocked kernels then run near peak when the filter is a constant.
 */
import { tf } from '@tweedie/core';
import { type Graph, sizeOf, type Value } from '../graph.ts';
import { add, concat, div, expand, fill, matmul, pad, reduce, reshape, reverse, slice, transpose } from '../ops.ts';
import { interleaved, planar } from '../layout.ts';
import { activate } from './elementwise.ts';
import type { KernelAttributes, Lowering, Lowerings } from './lowering.ts';

type Shape4 = [number, number, number, number];
const shape4 = ({ shape: [a = 1, b = 1, c = 1, d = 1] }: Value): Shape4 => [a, b, c, d];
const pair = (value: number | number[] | undefined): [number, number] => (typeof value === 'number' ? [value, value] : [value?.[0] ?? 1, value?.[1] ?? 1]);

function geometry(inputShape: Shape4, filterShape: Shape4, { strides, dilations, pad: padding = 'valid', dimRoundingMode, dataFormat }: KernelAttributes, depthwise = false) {
  if (dataFormat === 'NCHW') throw new Error('jit: images are [batch, height, width, channels] here (NHWC); convolutions in NCHW cannot be compiled.');
  const info = tf.backend_util.computeConv2DInfo(inputShape, filterShape, pair(strides), pair(dilations), padding, dimRoundingMode, depthwise);
  const { top, bottom, left, right } = info.padInfo;
  return {
    outShape: info.outShape,
    strides: [info.strideHeight, info.strideWidth] as const,
    dilations: [info.dilationHeight, info.dilationWidth] as const,
    kernel: [info.filterHeight, info.filterWidth] as const,
    pads: { top, bottom, left, right },
  };
}
type Geometry = ReturnType<typeof geometry>;
const padList = ({ pads }: Geometry): number[] => [pads.top, pads.left, pads.bottom, pads.right];

function convolve(g: Graph, x: Value, filter: Value, to: Geometry, group = 1): Value {
  const [batch, height, width, channels] = to.outShape;
  const convolved = g.operation(
    'Conv',
    [planar(g, x), filter],
    { shape: [batch, channels, height, width], dtype: 'float32' },
    { kernel_shape: to.kernel, strides: to.strides, dilations: to.dilations, pads: padList(to), group },
  );
  return interleaved(g, convolved);
}

/**
 * The gradient of a convolution with respect to its input: with stride 1 again a convolution, with the filter turned by 180 degrees and
 * its channel axes swapped (folded when the session is made); otherwise ONNX's transposed convolution.
 */
function convolveBack(g: Graph, dy: Value, filter: Value, inputShape: Shape4, by: Geometry): Value {
  const [batch, height, width, channels] = inputShape;
  const [kernelHeight, kernelWidth] = by.kernel;
  const { top, bottom, left, right } = by.pads;
  const { strides } = by;
  if (strides[0] === 1 && strides[1] === 1 && top < kernelHeight && left < kernelWidth && bottom < kernelHeight && right < kernelWidth) {
    const turned = transpose(g, reverse(g, filter, [0, 1]), [2, 3, 0, 1]);
    const pads = { top: kernelHeight - 1 - top, bottom: kernelHeight - 1 - bottom, left: kernelWidth - 1 - left, right: kernelWidth - 1 - right };
    return convolve(g, dy, turned, { ...by, outShape: [batch, height, width, channels], pads });
  }
  const [, dyHeight = 1, dyWidth = 1] = dy.shape;
  const missing = [
    height + top + bottom - (dyHeight - 1) * strides[0] - kernelHeight,
    width + left + right - (dyWidth - 1) * strides[1] - kernelWidth,
  ];
  const spread = g.operation(
    'ConvTranspose',
    [planar(g, dy), transpose(g, filter, [3, 2, 0, 1])],
    { shape: [batch, channels, height, width], dtype: 'float32' },
    { kernel_shape: by.kernel, strides, pads: padList(by), output_padding: missing },
  );
  return interleaved(g, spread);
}

/** The gradient with respect to the filter: for each of its taps one matrix product of the shifted input with dy. */
function filterGradient(g: Graph, x: Value, dy: Value, filterShape: Shape4, by: Geometry): Value {
  const { top, bottom, left, right } = by.pads;
  const padded = pad(g, x, [[0, 0], [top, bottom], [left, right], [0, 0]]);
  const [height, width, inputs, outputs] = filterShape;
  const [batch = 1, dyHeight = 1, dyWidth = 1] = dy.shape;
  const columns = reshape(g, dy, [batch * dyHeight * dyWidth, outputs]);
  const [down, across] = by.strides;
  const taps = Array.from({ length: height * width }, (_, tap) => {
    const [i, j] = [Math.floor(tap / width), tap % width];
    const seen = slice(g, padded, [0, i, j, 0], [batch, i + (dyHeight - 1) * down + 1, j + (dyWidth - 1) * across + 1, inputs], [1, down, across, 1]);
    const rows = reshape(g, seen, [batch * dyHeight * dyWidth, inputs]);
    return reshape(g, matmul(g, transpose(g, rows, [1, 0]), columns), [1, inputs, outputs]);
  });
  return reshape(g, concat(g, taps, 0), filterShape);
}

const convolution: Lowering = (g, { x, filter }, attributes) => convolve(g, x, transpose(g, filter, [3, 2, 0, 1]), geometry(shape4(x), shape4(filter), attributes));

function pooling(x: Value, { filterSize, strides, pad: padding = 'valid', dimRoundingMode }: KernelAttributes): Geometry {
  const [height, width] = pair(filterSize);
  const channels = shape4(x)[3];
  return geometry(shape4(x), [height, width, channels, 1], { strides: pair(strides), pad: padding, ...(dimRoundingMode && { dimRoundingMode }) }, true);
}

const averagePool: Lowering = (g, { x }, attributes) => {
  const by = pooling(x, attributes);
  const [batch, height, width, channels] = by.outShape;
  const type = { shape: [batch, channels, height, width], dtype: 'float32' } as const;
  return interleaved(g, g.operation('AveragePool', [planar(g, x)], type, { kernel_shape: by.kernel, strides: by.strides, pads: padList(by) }));
};

/** Each entry of dy, divided by the area, goes back to the entries it was the mean of. */
const averagePoolGradient: Lowering = (g, { dy, input }, attributes) => {
  const by = pooling(input, attributes);
  const [height, width] = by.kernel;
  const [batch, inputHeight, inputWidth, channels] = shape4(input);
  const share = div(g, dy, fill(g, height * width, 'float32'));
  const disjoint = height === by.strides[0] && width === by.strides[1] && sizeOf(dy.shape) * height * width === sizeOf(input.shape);
  if (disjoint) return repeat(g, share, height, width);
  // Channels as batch entries: each is spread on its own by a filter of ones.
  const planes = reshape(g, planar(g, share), [batch * channels, dy.shape[1] ?? 1, dy.shape[2] ?? 1, 1]);
  const spread = convolveBack(g, planes, fill(g, 1, 'float32', [height, width, 1, 1]), [batch * channels, inputHeight, inputWidth, 1], by);
  return interleaved(g, reshape(g, spread, [batch, channels, inputHeight, inputWidth]));
};

/** Every pixel `down` times below and `across` times beside itself. */
function repeat(g: Graph, x: Value, down: number, across: number): Value {
  const [batch, height, width, channels] = shape4(x);
  const spread = expand(g, reshape(g, x, [batch, height, 1, width, 1, channels]), [batch, height, down, width, across, channels]);
  return reshape(g, spread, [batch, height * down, width * across, channels]);
}

/** The whole-number factors of a nearest-neighbour enlargement. */
function factors(from: Value, to: readonly number[], { alignCorners = false }: KernelAttributes): [number, number] {
  const [, height, width] = shape4(from);
  const [down, across] = [(to[0] ?? 1) / height, (to[1] ?? 1) / width];
  if (alignCorners || !Number.isInteger(down) || !Number.isInteger(across)) {
    throw new Error(`jit: resizeNearestNeighbor compiles for whole-number factors without alignCorners, got [${height}, ${width}] to [${to.join(', ')}]. Or run with --engine eager.`);
  }
  return [down, across];
}

export const convolutions: Lowerings = {
  Conv2D: convolution,
  FusedConv2D(g, inputs, attributes, all) {
    const convolved = convolution(g, inputs, attributes, all) as Value;
    const biased = inputs.bias === undefined ? convolved : add(g, convolved, inputs.bias);
    return activate(g, biased, attributes.activation, attributes.leakyreluAlpha ?? 0.2, inputs.preluActivationWeights);
  },
  Conv2DBackpropInput: (g, { dy, filter }, attributes) => {
    const inputShape = attributes.inputShape ?? shape4(dy);
    return convolveBack(g, dy, filter, inputShape, geometry(inputShape, shape4(filter), attributes));
  },
  Conv2DBackpropFilter: (g, { x, dy }, attributes) => {
    const filterShape = attributes.filterShape ?? shape4(x);
    return filterGradient(g, x, dy, filterShape, geometry(shape4(x), filterShape, attributes));
  },
  AvgPool: averagePool,
  AvgPoolGrad: averagePoolGradient,
  ResizeNearestNeighbor(g, { images }, attributes) {
    const size = pair(attributes.size);
    return repeat(g, images, ...factors(images, size, attributes));
  },
  ResizeNearestNeighborGrad(g, { dy, images }, attributes) {
    const [batch, height, width, channels] = shape4(images);
    const [down, across] = factors(images, dy.shape.slice(1, 3), attributes);
    return reduce(g, 'ReduceSum', reshape(g, dy, [batch, height, down, width, across, channels]), [2, 4]);
  },
};
