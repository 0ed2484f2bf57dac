/**
 * Images stay [batch, height, width, channels] in user code. ONNX convolves [batch, channels, height, width]: the transposes placed
 * around each operation are cancelled by ONNX Runtime, whose blocked kernels then run near peak when the filter is a constant.
 */
import { tf } from '@tweedie/core';
import { type Graph, sizeOf, type Value } from '../graph.ts';
import { interleaved, planar } from '../layout.ts';
import { add, concat, matmul, reshape, reverse, transpose } from '../ops.ts';
import { activate } from './elementwise.ts';
import { type KernelAttributes, type Lowering, type Lowerings, refusePlanar } from './lowering.ts';
import { behind, taps, transposedConvolution, type Windows } from './windows.ts';

export type Shape4 = [number, number, number, number];
export const shape4 = ({ shape: [a = 1, b = 1, c = 1, d = 1] }: Value): Shape4 => [a, b, c, d];
export const pair = (value: number | number[] | undefined): [number, number] => (typeof value === 'number' ? [value, value] : [value?.[0] ?? 1, value?.[1] ?? 1]);

type Info = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

export function windowsOf(info: Info, [, height = 1, width = 1]: readonly number[]): Windows {
  const { top, left } = info.padInfo;
  return {
    kernel: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    before: [top, left],
    after: [
      behind(height, top, info.outHeight, info.strideHeight, info.effectiveFilterHeight),
      behind(width, left, info.outWidth, info.strideWidth, info.effectiveFilterWidth),
    ],
    count: [info.outHeight, info.outWidth],
  };
}

export function geometry(inputShape: Shape4, filterShape: Shape4, { strides, dilations, pad: padding = 'valid', dimRoundingMode }: KernelAttributes, depthwise = false) {
  const info = tf.backend_util.computeConv2DInfo(inputShape, filterShape, pair(strides), pair(dilations), padding, dimRoundingMode, depthwise);
  const { before: [top = 0, left = 0], after: [bottom = 0, right = 0] } = windowsOf(info, inputShape);
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
export const windows = ({ kernel, strides, dilations, pads, outShape }: Geometry): Windows =>
  ({ kernel, strides, dilations, before: [pads.top, pads.left], after: [pads.bottom, pads.right], count: [outShape[1], outShape[2]] });
/** How far a filter reaches with its gaps. */
const reach = ({ kernel, dilations }: Geometry): [number, number] => [(kernel[0] - 1) * dilations[0] + 1, (kernel[1] - 1) * dilations[1] + 1];

export function convolve(g: Graph, x: Value, filter: Value, to: Geometry, group = 1): Value {
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
  const [down, across] = reach(by);
  const { top, bottom, left, right } = by.pads;
  if (by.strides[0] === 1 && by.strides[1] === 1 && top < down && left < across && bottom < down && right < across) {
    const turned = transpose(g, reverse(g, filter, [0, 1]), [2, 3, 0, 1]);
    const pads = { top: down - 1 - top, bottom: down - 1 - bottom, left: across - 1 - left, right: across - 1 - right };
    return convolve(g, dy, turned, { ...by, outShape: [batch, height, width, channels], pads });
  }
  return interleaved(g, transposedConvolution(g, planar(g, dy), transpose(g, filter, [3, 2, 0, 1]), windows(by), [height, width]));
}

/** The gradient with respect to the filter: for each of its taps one matrix product of what it saw with dy. */
export function filterGradient(g: Graph, x: Value, dy: Value, filterShape: readonly number[], by: Windows): Value {
  const [inputs, outputs] = [x.shape.at(-1) ?? 1, dy.shape.at(-1) ?? 1];
  const rows = sizeOf(dy.shape) / outputs;
  const columns = reshape(g, dy, [rows, outputs]);
  const products = taps(g, x, by).map((seen) => reshape(g, matmul(g, transpose(g, reshape(g, seen, [rows, inputs]), [1, 0]), columns), [1, inputs, outputs]));
  return reshape(g, concat(g, products, 0), filterShape);
}

/** A kernel written for [batch, height, width, channels], for [batch, channels, height, width] too. */
const inEitherLayout = (lowering: Lowering): Lowering => (g, inputs, attributes, all) => {
  if (attributes.dataFormat !== 'NCHW') return lowering(g, inputs, attributes, all);
  const turn = (name: 'x' | 'dy'): { [name: string]: Value } => (inputs[name] === undefined ? {} : { [name]: interleaved(g, inputs[name]) });
  const [batch = 1, channels = 1, height = 1, width = 1] = attributes.inputShape ?? [];
  const turned = { ...attributes, dataFormat: 'NHWC', ...(attributes.inputShape && { inputShape: [batch, height, width, channels] }) } as KernelAttributes;
  const result = lowering(g, { ...inputs, ...turn('x'), ...turn('dy') }, turned, all) as Value;
  return attributes.filterShape === undefined ? planar(g, result) : result;
};

const convolution: Lowering = (g, { x, filter }, attributes) => convolve(g, x, transpose(g, filter, [3, 2, 0, 1]), geometry(shape4(x), shape4(filter), attributes));

export const fusedWith = (convolved: Lowering): Lowering => (g, inputs, attributes, all) => {
  const result = convolved(g, inputs, attributes, all) as Value;
  const biased = inputs.bias === undefined ? result : add(g, result, inputs.bias);
  return activate(g, biased, attributes.activation, attributes.leakyreluAlpha ?? 0.2, inputs.preluActivationWeights);
};

export const convolutions: Lowerings = {
  Conv2D: inEitherLayout(convolution),
  FusedConv2D(g, inputs, attributes, all) {
    refusePlanar(attributes);
    return fusedWith(convolution)(g, inputs, attributes, all);
  },
  Conv2DBackpropInput: inEitherLayout((g, { dy, filter }, attributes) => {
    const inputShape = (attributes.inputShape ?? shape4(dy)) as Shape4;
    return convolveBack(g, dy, filter, inputShape, geometry(inputShape, shape4(filter), attributes));
  }),
  Conv2DBackpropFilter: inEitherLayout((g, { x, dy }, attributes) => {
    const filterShape = (attributes.filterShape ?? shape4(x)) as Shape4;
    return filterGradient(g, x, dy, filterShape, windows(geometry(shape4(x), filterShape, attributes)));
  }),
};
