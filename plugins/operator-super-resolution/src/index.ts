import { ConfigError, type Image, type Operator, type OperatorFactory, separable, tf } from '@tweedie/core';
import { bicubic, block, unchanged } from './kernels.ts';

export type SuperResolutionOptions = {
  readonly factor: number;
  readonly kernel: 'bicubic' | 'block';
  readonly reference: 'nearest' | 'adjoint';
};

const where = 'operator/super-resolution';

/**
 * Super-resolution: y = R x0 C^T + sigmaY * noise for every channel, R and C making columns and rows shorter by
 * `factor`.
 *   A        [B, H, W, c] -> [B, ceil(H / factor), ceil(W / factor), c]; a side of length 1 stays, so a signal
 *            [1, W, 1] loses samples alone
 *   bicubic  4 factor taps of the antialiased Keys cubic (a = -1/2) for every output, rows of sum 1, mirrored at the
 *            border (`kernels.ts`)
 *   block    the mean of each block of factor x factor pixels; A A^T = I / factor^2
 * Adjoint, pseudo-inverse, (A A^T + ridge I)^-1 and spectral form are exact (`separable` of core). The gain of
 * bicubic's A^T is 1 / factor^2.
 * Reference of DPS-w: y replicated to the nearest pixels, or factor^2 A^T y, either with gain 1; its factor is
 * sqrt(entries of x / entries of y).
 * bicubic is the resizer of the DPS program (docs/methods.md 5.1), block the `sr` of DDRM. What DPS calls the transpose
 * is `nearest`: no adjoint.
 * Throws ConfigError for images of one pixel and where block's factor does not divide the image.
 */
export const superResolution: OperatorFactory<SuperResolutionOptions> = (
  { factor, kernel, reference },
  { imageShape },
) => {
  const [height, width, channels] = imageShape;
  if (height * width === 1)
    throw new ConfigError(
      where,
      `an image of 1 x 1 pixels has no resolution to lose (its shape is [1, 1, ${channels}]).`,
      'Give a vector of d entries the shape [1, d, 1].',
    );
  const shorten = { bicubic, block }[kernel];
  const axis = (length: number) => (length === 1 ? unchanged : shorten(length, factor));
  const rows = axis(height);
  const operator = separable(rows, height === width ? rows : axis(width), channels);
  const [shortHeight = 1, shortWidth = 1] = operator.measurementShape;
  const ratio = (height * width) / (shortHeight * shortWidth);
  return {
    ...operator,
    linear: true,
    draw: () => ({}),
    denoisingReference: (y: Image) => ({
      reference:
        reference === 'nearest'
          ? tf.image.resizeNearestNeighbor(y, [height, width])
          : operator.adjoint(y, {}).mul(ratio),
      mask: tf.ones([1, 1, 1, 1]),
      entriesPerObserved: tf.ones([y.shape[0]]),
      factor: Math.sqrt(ratio),
      sharesGradient: false,
    }),
  } satisfies Operator;
};
