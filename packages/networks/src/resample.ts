import { type Image, tf } from '@tweedie/core';

/** An image of half the size: the mean of each 2 x 2 block. */
export const halve = (x: Image): Image => tf.avgPool(x, 2, 2, 'valid');

/**
 * An image of twice the size: every pixel four times. The transpose is written out, four times the mean of each block,
 * because TensorFlow.js's `cpu` kernel for it reads the wrong image of a batch.
 */
export const double: (x: Image) => Image = tf.customGrad((x) => doubled(x as Image));

function doubled(x: Image): { value: Image; gradFunc: (dy: Image) => Image } {
  const [, height, width] = x.shape;
  return { value: tf.image.resizeNearestNeighbor(x, [2 * height, 2 * width]), gradFunc: (dy) => halve(dy).mul(4) };
}

/** Blocks of `patch` x `patch` pixels as channels (pixel unshuffle): [B, H, W, C] becomes [B, H / p, W / p, p p C]. */
export function fold(x: Image, patch: number): Image {
  if (patch === 1) return x;
  const [batch, height, width, channels] = x.shape;
  const [down, across] = [height / patch, width / patch];
  return x
    .reshape([batch, down, patch, across, patch, channels])
    .transpose([0, 1, 3, 2, 4, 5])
    .reshape([batch, down, across, patch * patch * channels]);
}

/** The inverse of `fold` (pixel shuffle). */
export function unfold(x: Image, patch: number): Image {
  if (patch === 1) return x;
  const [batch, down, across, folded] = x.shape;
  const channels = folded / patch ** 2;
  return x
    .reshape([batch, down, across, patch, patch, channels])
    .transpose([0, 1, 3, 2, 4, 5])
    .reshape([batch, down * patch, across * patch, channels]);
}
