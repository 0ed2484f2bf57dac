import {
  ConfigError,
  type Image,
  type Operator,
  type OperatorFactory,
  showShape,
  tf,
  type Tensor,
} from '@tweedie/core';

export type ColorizeOptions = {
  readonly channels: 1 | 3;
  readonly weights: readonly number[];
};

/** How far the sum of the weights may be from 1: that of the usual ones is 0.9999. */
const SUM_ROUNDING = 1e-3;

type Weights = readonly [red: number, green: number, blue: number];

/**
 * Colorization: y = (w . x0) in `channels` equal channels + sigmaY * noise, w the weights of red, green and blue in the
 * grey value.
 *   A    [B, H, W, 3] -> [B, H, W, channels];   A^T v = w sum_c v_c
 *   A^+  y = w mean_c(y) / |w|^2
 *   (A A^T + ridge I)^-1 y = (y - mean_c(y)) / ridge + mean_c(y) / (q^2 + ridge), ridge > 0
 * Spectral form: per pixel one singular value q = sqrt(channels) |w| (1.15789 for three channels) and two zeros.
 * Noise is independent in each channel, so three channels show the grey value with a noise of sigmaY / sqrt(3).
 * Reference of DPS-w: y in three channels. Bellchambers 2025, arXiv:2506.13614, Appendix B.3.4; docs/methods.md 5.3.
 * DDRM has one channel and equal weights.
 * Throws ConfigError for images without three channels and for weights whose sum is not 1.
 */
export const colorize: OperatorFactory<ColorizeOptions> = ({ channels, weights }, { imageShape }) => {
  const [height, width, colours] = imageShape;
  if (colours !== 3)
    throw new ConfigError(
      'operator/colorize',
      `images of shape ${showShape(imageShape)} have ${colours} channel${colours === 1 ? '' : 's'}, colour pictures have 3.`,
      'Use a model of colour pictures, or another operator.',
    );
  const [red = 0, green = 0, blue = 0] = weights;
  const sum = red + green + blue;
  if (Math.abs(sum - 1) > SUM_ROUNDING)
    throw new ConfigError(
      'operator/colorize',
      `the weights ${showShape(weights)} have sum ${sum}, so grey would not stay grey.`,
      'Give the parts of red, green and blue in the grey value, for example [0.2989, 0.587, 0.114].',
    );
  const square = red ** 2 + green ** 2 + blue ** 2;
  const singular = Math.sqrt(channels * square);
  const basis = basisFrom([red, green, blue], Math.sqrt(square));

  // Tensors are made at each use: one made while a function is traced belongs to that trace.
  const w = () => tf.tensor1d([red, green, blue]);
  const v = () => tf.tensor2d(basis);
  const first = () => tf.tensor1d([1, 0, 0]);
  const mean = (y: Tensor): Tensor => y.mean(-1, true);
  const flat = (x: Tensor): Tensor => x.reshape([-1, height * width * 3]);
  /** The product of each pixel, a row, with a 3 x 3 matrix. */
  const times = (x: Tensor, matrix: Tensor): Tensor => x.reshape([-1, 3]).matMul(matrix);
  const operator: Operator = {
    linear: true,
    measurementShape: [height, width, channels],
    draw: () => ({}),
    forward: (x) => x.mul(w()).sum(-1, true).tile([1, 1, 1, channels]),
    adjoint: (y) => y.sum(-1, true).mul(w()),
    pseudoInverse: (y) => mean(y).mul(w().div(square)),
    solve: (y, ridge) =>
      y
        .sub(mean(y))
        .div(ridge)
        .add(mean(y).div(ridge.add(singular ** 2))),
    svd: () => ({
      basis: 'fixed',
      singularValues: first()
        .mul(singular)
        .tile([height * width])
        .expandDims(0),
      toSpectral: (x) => flat(times(x, v())),
      fromSpectral: (c) => times(c, v().transpose()).reshape([-1, height, width, 3]),
      measurementToSpectral: (y) => flat(mean(y).mul(first().mul(Math.sqrt(channels)))),
    }),
    denoisingReference: (y: Image) => ({
      reference: y.tile([1, 1, 1, 3 / channels]),
      mask: tf.ones([1, 1, 1, 1]),
      entriesPerObserved: tf.ones([y.shape[0]]),
      factor: 1,
      sharesGradient: false,
    }),
  };
  return operator;
};

/** An orthogonal matrix whose first column is w / |w|: minus the reflection that carries the first axis to -w / |w|. */
function basisFrom([red, green, blue]: Weights, norm: number): number[][] {
  const u = [1 + red / norm, green / norm, blue / norm];
  const half = 1 + red / norm; // |u|^2 / 2
  return [0, 1, 2].map((i) => [0, 1, 2].map((j) => ((u[i] ?? 0) * (u[j] ?? 0)) / half - (i === j ? 1 : 0)));
}
