/** Convolutions of volumes, [batch, depth, height, width, channels], and their gradients. */
import { tf } from '@tweedie/core';
import { interleaved, planar } from '../graph/layout.ts';
import { transpose } from '../graph/ops.ts';
import { convolve } from './convolution.ts';
import { filterGradient } from './filters.ts';
import type { KernelAttributes, Lowerings } from './lowering.ts';
import { behind, transposedConvolution, type Windows } from './windows.ts';

export type Shape5 = [number, number, number, number, number];
type Triple = [number, number, number];
export const triple = (value: number | number[] | undefined): Triple =>
  typeof value === 'number' ? [value, value, value] : [value?.[0] ?? 1, value?.[1] ?? 1, value?.[2] ?? 1];

type Info = ReturnType<typeof tf.backend_util.computeConv3DInfo>;

export function windowsOf(info: Info, [, depth = 1, height = 1, width = 1]: readonly number[]): Windows {
  const { front, top, left } = info.padInfo;
  return {
    kernel: [info.filterDepth, info.filterHeight, info.filterWidth],
    strides: [info.strideDepth, info.strideHeight, info.strideWidth],
    dilations: [info.dilationDepth, info.dilationHeight, info.dilationWidth],
    before: [front, top, left],
    after: [
      behind(depth, front, info.outDepth, info.strideDepth, info.effectiveFilterDepth),
      behind(height, top, info.outHeight, info.strideHeight, info.effectiveFilterHeight),
      behind(width, left, info.outWidth, info.strideWidth, info.effectiveFilterWidth),
    ],
    count: [info.outDepth, info.outHeight, info.outWidth],
  };
}

function windows(
  inputShape: readonly number[],
  filterShape: readonly number[],
  { strides, dilations, pad = 'valid' }: KernelAttributes,
): Windows {
  const info = tf.backend_util.computeConv3DInfo(
    [...inputShape] as Shape5,
    [...filterShape] as Shape5,
    triple(strides),
    triple(dilations),
    pad as 'valid',
  );
  return windowsOf(info, inputShape);
}

export const volumes: Lowerings = {
  Conv3D: (g, { x, filter }, attributes) =>
    convolve(g, x, transpose(g, filter, [4, 3, 0, 1, 2]), windows(x.shape, filter.shape, attributes)),
  Conv3DBackpropInputV2(g, { dy, filter }, attributes) {
    const inputShape = attributes.inputShape ?? dy.shape;
    const by = windows(inputShape, filter.shape, attributes);
    return interleaved(
      g,
      transposedConvolution(g, planar(g, dy), transpose(g, filter, [4, 3, 0, 1, 2]), by, inputShape.slice(1, -1)),
    );
  },
  Conv3DBackpropFilterV2(g, { x, dy }, attributes) {
    const filterShape = attributes.filterShape ?? [];
    return filterGradient(g, x, dy, filterShape, windows(x.shape, filterShape, attributes));
  },
};
