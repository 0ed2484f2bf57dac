import {
  ConfigError,
  type Image,
  type Operator,
  type OperatorContext,
  type OperatorFactory,
  sampleSum,
  type Tensor,
  tf,
} from '@tweedie/core';
import { maskFiles } from './mask-files.ts';
import { boxMask, type DrawMask, fileMask, randomMask } from './masks.ts';

export type InpaintOptions = {
  readonly pattern: 'random' | 'box' | 'file' | 'files';
  /** Fraction of the pixels that `random` hides, default 0.7. */
  readonly rate?: number;
  /** If given, each problem with `random` draws its own rate from [rate, maxRate). */
  readonly maxRate?: number;
  /** Height and width of a square box; default half of the image's. */
  readonly box?: number;
  readonly boxHeight?: number;
  readonly boxWidth?: number;
  /** Least number of pixels between a box and the border; default a sixteenth of the short side. */
  readonly margin?: number;
  /** A picture or a .safetensors file, for `file`. */
  readonly file?: string;
  /** A folder of masks, or a list of them, for `files`: a mask for each image. */
  readonly files?: string | readonly string[];
  /** How a mask of `files` is found; default: by name in a folder, by its place in a list. */
  readonly match?: 'name' | 'order';
  /** Share of white below which a pixel of a picture is hidden, for files; default: see `maskOfPicture`. */
  readonly threshold?: number;
  /**
   * `zero`: hidden entries of y are zero. `released`: they hold noise, as in the released programs of DPS, DSG and
   * DAPS.
   */
  readonly hiddenNoise: 'zero' | 'released';
};

const optionsOf = {
  random: ['rate', 'maxRate'],
  box: ['box', 'boxHeight', 'boxWidth', 'margin'],
  file: ['file', 'threshold'],
  files: ['files', 'match', 'threshold'],
} as const satisfies Record<string, readonly (keyof InpaintOptions)[]>;

/**
 * Inpainting: y = M x0 + M sigmaY * noise with a mask M of ones (observed) and zeros, the same for all channels.
 *   A = A^T = A^+ = M,  [B, H, W, C] -> [B, H, W, C];  (A A^T + ridge I)^-1 y = y / (M + ridge), ridge > 0
 * The mask, [H, W, 1], is drawn for each problem (random pixels, a box) or read from a file, for all
 * images or for each its own; docs/methods.md 5.2.
 * Throws ConfigError for a box without a place, a file of another shape or that is no mask, or an option of another
 * pattern.
 */
export const inpaint: OperatorFactory<InpaintOptions> = async (options, context) => {
  const [height, width, channels] = context.imageShape;
  const drawMask = await maskOf(options, context);
  const zeroHidden = options.hiddenNoise === 'zero';
  const entries = height * width * channels;
  const project = (x: Tensor, { mask }: { readonly mask: Tensor }): Image => x.mul(mask);
  const toSpectral = (x: Tensor) => x.reshape([-1, entries]);

  const operator: Operator<{ readonly mask: Tensor }> = {
    linear: true,
    measurementShape: context.imageShape,
    draw: (random, image) => ({ mask: tf.tensor3d(drawMask(random, image), [height, width, 1]) }),
    forward: project,
    adjoint: project,
    pseudoInverse: project,
    solve: (y, ridge, { mask }) => y.div(mask.add(ridge)),
    svd: ({ mask }) => ({
      basis: 'pixels',
      singularValues: toSpectral(mask.tile([1, 1, 1, channels])),
      toSpectral,
      fromSpectral: (c) => c.reshape([-1, height, width, channels]),
      measurementToSpectral: (y) => toSpectral(y.mul(mask)),
    }),
    denoisingReference: (y: Image, { mask }) => ({
      reference: y.clone(),
      mask,
      entriesPerObserved: tf.div(height * width, sampleSum(mask)),
      factor: 1,
      sharesGradient: true,
    }),
    ...(zeroHidden ? { shapeNoise: project } : {}),
  };
  return operator;
};

async function maskOf(
  options: InpaintOptions,
  { imageShape: [height, width], files, warn, note }: OperatorContext,
): Promise<DrawMask> {
  const { pattern, rate = 0.7, maxRate = rate, file, files: masks, threshold } = options;
  const reading = { files, threshold, warn, ...(note && { note }) };
  const fitting: readonly string[] = [...optionsOf[pattern], 'pattern', 'hiddenNoise'];
  const foreign = Object.keys(options).find((name) => !fitting.includes(name));
  if (foreign !== undefined) {
    throw new ConfigError(
      'operator/inpaint',
      `option ${foreign} does not belong to pattern ${pattern}.`,
      `Its options are ${optionsOf[pattern].join(', ')}.`,
    );
  }
  if (options.box !== undefined && (options.boxHeight ?? options.boxWidth) !== undefined) {
    throw new ConfigError(
      'operator/inpaint',
      `box ${options.box} is the side of a square box, and boxHeight or boxWidth is given too.`,
      'Give box alone, or boxHeight and boxWidth.',
    );
  }
  switch (pattern) {
    case 'random':
      if (maxRate > 0 && Math.floor(maxRate * height * width) === 0) {
        warn(
          `[operator/inpaint] rate ${maxRate} hides no pixel of ${height} x ${width} images. A vector of d entries has d pixels in the shape [1, d, 1], one in [1, 1, d].`,
        );
      }
      return randomMask([height, width], { rate, maxRate });
    case 'box': {
      const { boxHeight = options.box ?? Math.floor(height / 2), boxWidth = options.box ?? Math.floor(width / 2) } =
        options;
      const { margin = Math.floor(Math.min(height, width) / 16) } = options;
      return boxMask([height, width], { boxHeight, boxWidth, margin });
    }
    case 'file':
      if (file === undefined)
        throw new ConfigError(
          'operator/inpaint',
          'pattern file needs the option file.',
          'Name a picture (white = observed) or a .safetensors file.',
        );
      return fileMask([height, width], file, reading);
    case 'files':
      if (masks === undefined)
        throw new ConfigError(
          'operator/inpaint',
          'pattern files needs the option files.',
          'Name a folder of masks, or give a list of them.',
        );
      return maskFiles(
        [height, width],
        { masks, match: options.match ?? (typeof masks === 'string' ? 'name' : 'order') },
        reading,
      );
  }
}
