/** Resampling with a filter, as NVlabs/edm does it between levels. */
import { type Image, tf } from '@tweedie/core';
import { double, halve } from '../resample.ts';

export type Resampler = { readonly down: (x: Image) => Image; readonly up: (x: Image) => Image };

const isBox = (filter: readonly number[]): boolean => filter.length === 2 && filter[0] === filter[1];
const padded = (x: Image, before: number, after: number): Image =>
  tf.pad(x as tf.Tensor4D, [
    [0, 0],
    [before, after],
    [before, after],
    [0, 0],
  ]) as Image;

/** The same filter over rows and columns of every channel, without padding. */
function filtered(x: Image, taps: readonly number[], stride: number): Image {
  const channels = x.shape[3];
  const outer = taps.flatMap((a) => taps.flatMap((b) => Array.from({ length: channels }, () => a * b)));
  const kernel = tf.tensor4d(outer, [taps.length, taps.length, channels, 1]);
  return tf.depthwiseConv2d(x as tf.Tensor4D, kernel, stride, 'valid') as Image;
}

/** A filter of stride 2 without zeros around the image; what a residual encoder does behind its convolution. */
export const filteredDown = (x: Image, filter: readonly number[]): Image => filtered(x, normalised(filter), 2);

const normalised = (filter: readonly number[]): readonly number[] => {
  const sum = filter.reduce((total, tap) => total + tap, 0);
  return filter.map((tap) => tap / sum);
};
/** Zeros around an image so that a filter stands in its middle. */
export const paddingOf = (filter: readonly number[]): number => Math.floor((filter.length - 1) / 2);

/**
 * Half and twice the size with a filter f of length K and sum 1, p = (K - 1) / 2 rounded down, zeros outside:
 *   down   y_m = sum_k f_k x_{2m + k - p}
 *   up     zeros between the pixels, then 2 f per direction
 */
export function resampler(filter: readonly number[]): Resampler {
  if (isBox(filter)) return { down: halve, up: double };
  const taps = normalised(filter);
  const p = paddingOf(filter);
  return {
    down: (x) => filtered(padded(x, p, p), taps, 2),
    up: (x) => {
      const [, height, width] = x.shape;
      const grid = Array.from({ length: 4 * height * width }, (_, i) =>
        Number(i % 2 === 0 && Math.floor(i / (2 * width)) % 2 === 0),
      );
      const spread = double(x).mul(tf.tensor4d(grid, [1, 2 * height, 2 * width, 1])) as Image;
      const turned = taps.map((tap) => 2 * tap).reverse();
      return filtered(padded(spread, taps.length - 1 - p, p), turned, 1);
    },
  };
}
