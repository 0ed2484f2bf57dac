/**
 * Images stay [batch, height, width, channels] in user code. ONNX convolves [batch, channels, height, width]: of the
 * transposes placed around each operation those between two convolutions vanish (layout.ts), and ONNX Runtime's blocked
 * kernels run near peak (passes/blocked.ts).
 */
import { tf } from '@tweedie/core';
import type { Graph, Value } from '../graph/graph.ts';
import { interleaved, planar } from '../graph/layout.ts';
import { add } from '../graph/ops.ts';
import { activate } from './elementwise.ts';
import { filterGradient, filterPlanes, turnedPlanes } from './filters.ts';
import { type KernelAttributes, type Lowering, type Lowerings, refusePlanar } from './lowering.ts';
import { behind, transposedConvolution, type Windows } from './windows.ts';

export type Shape4 = [number, number, number, number];
export const shape4 = ({ shape: [a = 1, b = 1, c = 1, d = 1] }: Value): Shape4 => [a, b, c, d];
export const pair = (value: number | number[] | undefined): [number, number] =>
  typeof value === 'number' ? [value, value] : [value?.[0] ?? 1, value?.[1] ?? 1];

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

export function windows(
  inputShape: Shape4,
  filterShape: Shape4,
  { strides, dilations, pad: padding = 'valid', dimRoundingMode }: KernelAttributes,
  depthwise = false,
): Windows {
  return windowsOf(
    tf.backend_util.computeConv2DInfo(
      inputShape,
      filterShape,
      pair(strides),
      pair(dilations),
      padding,
      dimRoundingMode,
      depthwise,
    ),
    inputShape,
  );
}

/**
 * The convolution of images or volumes [batch, ...space, channels in] with `filter` [channels out, channels in of a
 * group, ...kernel].
 */
export function convolve(
  g: Graph,
  x: Value,
  filter: Value,
  { kernel, strides, dilations, before, after, count }: Windows,
  group = 1,
): Value {
  const type = { shape: [x.shape[0] ?? 1, filter.shape[0] ?? 1, ...count], dtype: 'float32' } as const;
  return interleaved(
    g,
    g.operation('Conv', [planar(g, x), filter], type, {
      kernel_shape: kernel,
      strides,
      dilations,
      pads: [...before, ...after],
      group,
    }),
  );
}

/**
 * The gradient of a convolution with respect to its input: with stride 1 again a convolution, with the filter turned by
 * 180 degrees and its channel axes swapped (when the model is written, see fixed.ts); otherwise ONNX's transposed
 * convolution. `filter` is that of TensorFlow.js, [height, width, in, out], `planes` the same as `convolve` takes it.
 */
export function convolveBack(
  g: Graph,
  dy: Value,
  filter: Value,
  planes: Value,
  [, ...rest]: Shape4,
  by: Windows,
  group = 1,
): Value {
  const space = rest.slice(0, -1);
  const overhang = by.kernel.map((n, axis) => (n - 1) * (by.dilations[axis] ?? 1));
  const opposite = (pads: readonly number[]): number[] => overhang.map((n, axis) => n - (pads[axis] ?? 0));
  const [before, after] = [opposite(by.before), opposite(by.after)];
  if (by.strides.every((n) => n === 1) && [...before, ...after].every((n) => n >= 0)) {
    return convolve(g, dy, turnedPlanes(g, filter), { ...by, before, after, count: space }, group);
  }
  return interleaved(g, transposedConvolution(g, planar(g, dy), planes, by, space, group));
}

/** Makes a kernel that is written for [batch, height, width, channels] take [batch, channels, height, width] too. */
const inEitherLayout =
  (lowering: Lowering): Lowering =>
  (g, inputs, attributes, all) => {
    if (attributes.dataFormat !== 'NCHW') return lowering(g, inputs, attributes, all);
    const turn = (name: 'x' | 'dy'): { [name: string]: Value } =>
      inputs[name] === undefined ? {} : { [name]: interleaved(g, inputs[name]) };
    const [batch = 1, channels = 1, height = 1, width = 1] = attributes.inputShape ?? [];
    const turned = {
      ...attributes,
      dataFormat: 'NHWC',
      ...(attributes.inputShape && { inputShape: [batch, height, width, channels] }),
    } as KernelAttributes;
    const result = lowering(g, { ...inputs, ...turn('x'), ...turn('dy') }, turned, all) as Value;
    return attributes.filterShape === undefined ? planar(g, result) : result;
  };

const convolution: Lowering = (g, { x, filter }, attributes) =>
  convolve(g, x, filterPlanes(g, filter), windows(shape4(x), shape4(filter), attributes));

export const fusedWith =
  (convolved: Lowering): Lowering =>
  (g, inputs, attributes, all) => {
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
    return convolveBack(
      g,
      dy,
      filter,
      filterPlanes(g, filter),
      inputShape,
      windows(inputShape, shape4(filter), attributes),
    );
  }),
  Conv2DBackpropFilter: inEitherLayout((g, { x, dy }, attributes) => {
    const filterShape = (attributes.filterShape ?? shape4(x)) as Shape4;
    return filterGradient(g, x, dy, filterShape, windows(shape4(x), filterShape, attributes));
  }),
};
