import {
  type AxisMatrix,
  axisMatrix,
  ConfigError,
  type Files,
  type Image,
  type ImageShape,
  type KeyedRandom,
  type Operator,
  type OperatorFactory,
  separable,
  tf,
} from '@tweedie/core';
import { type Border, folded } from './borders.ts';
import { convolution, type Drawn } from './convolution.ts';
import { kernelOfFile } from './kernel-file.ts';
import {
  gaussianTaps,
  type Kernel,
  motionKernel,
  releasedGaussianTaps,
  summedOverSingleAxes,
  turnedGaussian,
  uniformTaps,
} from './kernels.ts';

export type BlurOptions = {
  readonly kernel: 'gaussian' | 'uniform' | 'anisotropic' | 'motion' | 'file';
  readonly border: Border;
  /** Singular values up to this count as zero in the pseudo-inverse; relative to the largest one. */
  readonly cutoff: number;
  /**
   * Height and width of the kernel, odd. Default: gaussian 61; uniform and anisotropic 9; motion 0.24 of the image's
   * longer side.
   */
  readonly size?: number;
  /** Standard deviation in pixels: of gaussian, default 3; of anisotropic along its direction, default 20. */
  readonly std?: number;
  /** Standard deviation of anisotropic across its direction, default 1. */
  readonly stdAcross?: number;
  /** Direction of anisotropic, clockwise from horizontal, default 0. */
  readonly degrees?: number;
  /** How much the path of motion bends: 0 is a straight line, default 0.5. */
  readonly intensity?: number;
  /** A grey picture or a .safetensors file, for file. */
  readonly file?: string;
};

const where = 'operator/blur';

const optionsOf = {
  gaussian: ['std'],
  uniform: [],
  anisotropic: ['std', 'stdAcross', 'degrees'],
  motion: ['intensity'],
  file: ['file'],
} as const satisfies Record<BlurOptions['kernel'], readonly (keyof BlurOptions)[]>;

/**
 * Blur: y = k * x0 + sigmaY * noise, correlation of every channel with a kernel k of sum 1.
 *   A     [B, H, W, C] -> [B, H, W, C],  y[i, j] = sum_ab k[a, b] x[i + a - r, j + b - r],  r = (size - 1) / 2
 *   A^T   what each border gives to x beyond it goes back to where it came from, exactly
 * Beyond the border x is reflected (the last pixel not repeated), zero or circular; where the kernel is larger than the
 * image, as often as needed.
 * An axis of length 1 is not blurred, so [1, W, 1] signals are blurred along W; a kernel in the plane is summed over
 * that axis first.
 *   gaussian     separable, that of the DPS program (size 61, std 3)
 *   uniform      separable, equal taps (DDRM: 9)
 *   anisotropic  std along a direction, stdAcross across it (DDRM: 9 taps, 20 and 1); separable where the direction
 *                is an axis
 *   motion       the path of a shaken camera, drawn for each problem and stored with it, [size, size] (`motionKernel`)
 *   file         what a point of light became (`kernelOfFile`); nothing is drawn
 * A^+, (A A^T + ridge I)^-1 and spectral form: separable kernels with every border (`separable` of core), the others
 * with a circular one (`convolution`); else core's conjugate gradients solve. A^+ counts singular values up to `cutoff`
 * times the largest as zero (of each axis where the kernel is separable; DDRM's 0.03 is absolute). Reference of DPS-w:
 * y itself.
 * docs/methods.md 5.4. DPS calls the identity the transpose of its blurs, and DDRM's matrices lack the last tap;
 * neither is repeated here.
 * Throws ConfigError for an even size, an option of another kernel, a file that is no kernel, and images of one pixel.
 */
export const blur: OperatorFactory<BlurOptions> = async (options, { imageShape, files }) => {
  checkOptions(options, imageShape);
  const { border, cutoff } = options;
  const [height, width, channels] = imageShape;
  const reference: Pick<Operator, 'denoisingReference'> = {
    denoisingReference: (y: Image) => ({
      reference: y.clone(),
      mask: tf.ones([1, 1, 1, 1]),
      entriesPerObserved: tf.ones([y.shape[0]]),
      factor: 1,
      sharesGradient: false,
    }),
  };
  const chosen = await kernelOf(options, imageShape, files);
  if ('vertical' in chosen) {
    const rows = blurred(height, chosen.vertical, border);
    const columns =
      height === width && chosen.vertical === chosen.horizontal ? rows : blurred(width, chosen.horizontal, border);
    return {
      linear: true,
      draw: () => ({}),
      ...separable(rows, columns, channels, { cutoff }),
      ...reference,
    } satisfies Operator;
  }
  const { sides, draw } = chosen;
  const shape: [number, number] = [height === 1 ? 1 : sides[0], width === 1 ? 1 : sides[1]];
  const operator: Operator<Drawn> = {
    ...convolution(imageShape, shape, border, cutoff),
    draw: (random) => ({
      kernel: tf.tensor2d(Float32Array.from(summedOverSingleAxes(draw(random), imageShape).weights), shape),
    }),
    ...reference,
  };
  return operator;
};

/** One-dimensional taps of a separable kernel, or how to draw a kernel of the plane. */
type Chosen =
  | { readonly vertical: Float64Array; readonly horizontal: Float64Array }
  | {
      readonly sides: readonly [height: number, width: number];
      readonly draw: (random: KeyedRandom) => Kernel;
    };

async function kernelOf(
  { kernel, size, std, stdAcross = 1, degrees = 0, intensity = 0.5, file }: BlurOptions,
  [height, width]: ImageShape,
  files: Files,
): Promise<Chosen> {
  switch (kernel) {
    case 'gaussian': {
      const taps = releasedGaussianTaps(size ?? 61, std ?? 3);
      return { vertical: taps, horizontal: taps };
    }
    case 'uniform': {
      const taps = uniformTaps(size ?? 9);
      return { vertical: taps, horizontal: taps };
    }
    case 'anisotropic': {
      const [taps, along] = [size ?? 9, std ?? 20];
      if (degrees % 90 !== 0)
        return { sides: [taps, taps], draw: () => turnedGaussian(taps, along, stdAcross, degrees) };
      const [one, other] = [gaussianTaps(taps, along), gaussianTaps(taps, stdAcross)];
      return degrees % 180 === 0 ? { horizontal: one, vertical: other } : { horizontal: other, vertical: one };
    }
    case 'motion': {
      const side = size ?? 2 * Math.floor(0.12 * Math.max(height, width)) + 1;
      return { sides: [side, side], draw: (random) => motionKernel(side, intensity, random) };
    }
    case 'file': {
      if (file === undefined)
        throw new ConfigError(
          where,
          'kernel file needs the option file.',
          'Name a grey picture or a .safetensors file.',
        );
      const read = await kernelOfFile(file, files);
      return { sides: [read.height, read.width], draw: () => read };
    }
  }
}

/** Correlation of one axis with `taps`. */
function blurred(length: number, taps: Float64Array, border: Border): AxisMatrix {
  if (length === 1) return axisMatrix(1, 1, () => [[0, 1]]);
  return axisMatrix(length, length, (output) =>
    [...taps].flatMap((weight, tap) => {
      const input = folded(output + tap - (taps.length - 1) / 2, length, border);
      return input === undefined ? [] : [[input, weight] as const];
    }),
  );
}

function checkOptions(options: BlurOptions, [height, width, channels]: ImageShape): void {
  const { kernel, size } = options;
  const sized = kernel === 'file' ? [] : ['size'];
  const fitting: readonly string[] = ['kernel', ...sized, 'border', 'cutoff', ...optionsOf[kernel]];
  const foreign = Object.keys(options).find((name) => !fitting.includes(name));
  if (foreign !== undefined)
    throw new ConfigError(
      where,
      `option ${foreign} does not belong to kernel ${kernel}.`,
      `Its options are ${fitting.slice(1).join(', ')}.`,
    );
  if (size !== undefined && size % 2 === 0)
    throw new ConfigError(
      where,
      `size ${size} is even, and a kernel has a tap in its middle.`,
      `Choose ${size - 1} or ${size + 1}.`,
    );
  if (height * width === 1)
    throw new ConfigError(
      where,
      `an image of 1 x 1 pixels cannot be blurred (its shape is [1, 1, ${channels}]).`,
      'Give a vector of d entries the shape [1, d, 1].',
    );
}
