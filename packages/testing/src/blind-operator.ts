import { type Image, type ImageShape, type Operator, tf } from '@tweedie/core';

/**
 * The operator A = 0 with every capability: y is noise alone, and the posterior is the prior.
 * [B, H, W, C] -> [B, H, W, C].
 */
export function blindOperator(imageShape: ImageShape): Operator {
  const [height, width, channels] = imageShape;
  const entries = height * width * channels;
  const nothing = (x: tf.Tensor): Image => x.mul(0);
  return {
    linear: true,
    measurementShape: imageShape,
    draw: () => ({}),
    forward: nothing,
    adjoint: nothing,
    pseudoInverse: nothing,
    solve: (y, ridge) => y.div(ridge),
    svd: () => ({
      basis: 'pixels',
      singularValues: tf.zeros([1, entries]),
      toSpectral: (x) => x.reshape([-1, entries]),
      fromSpectral: (c) => c.reshape([-1, height, width, channels]),
      measurementToSpectral: (y) => nothing(y).reshape([-1, entries]),
    }),
    denoisingReference: (y) => ({
      reference: nothing(y),
      mask: tf.zeros([1, 1, 1, 1]),
      entriesPerObserved: tf.ones([y.shape[0] ?? 1]),
      factor: 1,
      sharesGradient: true,
    }),
  };
}
