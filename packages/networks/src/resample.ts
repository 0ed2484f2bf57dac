import { type Image, tf } from '@tweedie/core';

/** An image of half the size: the mean of each 2 x 2 block. */
export const halve = (x: Image): Image => tf.avgPool(x, 2, 2, 'valid');

/**
 * An image of twice the size: every pixel four times. The transpose is written out, four times the mean of each block,
 * because TensorFlow.js's `cpu` kernel for it reads the wrong image of a batch.
 */
export const double: (x: Image) => Image = tf.customGrad((x) => {
  const [, height, width] = (x as Image).shape;
  return {
    value: tf.image.resizeNearestNeighbor(x as Image, [2 * height, 2 * width]),
    gradFunc: (dy) => halve(dy as Image).mul(4),
  };
});
