import { type Image, type Operator, type OperatorFactory, tf } from '@tweedie/core';

export type IdentityOptions = Readonly<Record<string, never>>;

/**
 * Denoising: y = x0 + sigmaY * noise.
 *   A = A^T = A^+ = I,  [B, H, W, C] -> [B, H, W, C];  (A A^T + ridge I)^-1 y = y / (1 + ridge)
 * Nothing is drawn.
 */
export const identity: OperatorFactory<IdentityOptions> = (_options, { imageShape }) => {
  const [height, width, channels] = imageShape;
  const toSpectral = (x: tf.Tensor) => x.reshape([-1, height * width * channels]);
  const operator: Operator<Readonly<Record<string, never>>> = {
    linear: true,
    identity: true,
    measurementShape: imageShape,
    draw: () => ({}),
    forward: (x) => x.clone(),
    adjoint: (v: Image) => v.clone(),
    pseudoInverse: (y: Image) => y.clone(),
    solve: (y, ridge) => y.div(ridge.add(1)),
    svd: () => ({
      basis: 'pixels',
      singularValues: tf.ones([1, height * width * channels]),
      toSpectral,
      fromSpectral: (c) => c.reshape([-1, height, width, channels]),
      measurementToSpectral: toSpectral,
    }),
    denoisingReference: (y: Image) => ({
      reference: y.clone(),
      mask: tf.ones([1, 1, 1, 1]),
      entriesPerObserved: tf.ones([y.shape[0]]),
      factor: 1,
      sharesGradient: true,
    }),
  };
  return operator;
};
