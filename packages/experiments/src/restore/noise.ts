/** The noise of a picture that is to be restored: said, or estimated. */
import { ConfigError, type NoiseLevel, sigmaOf, type StoredPicture } from '@tweedie/core';
import { type SigmaInput, readSigma } from '../recipe/noise.ts';
import { estimateNoise } from '../statistics/noise-level.ts';

/** Pictures are in [-1, 1]: a grey level of 255 is this much. */
const GREY_LEVEL = 2 / 255;

/** What a noise level is in grey levels of 255, with three digits. */
export const greyLevels = (sigmaY: number): number => Number((sigmaY / GREY_LEVEL).toPrecision(3));

/** `sigmaY 0.196 (25 of 255 grey levels)`. */
export const showNoise = (noise: NoiseLevel): string =>
  `sigmaY ${Number(sigmaOf(noise).toPrecision(3))} (${greyLevels(sigmaOf(noise))} of 255 grey levels${typeof noise === 'object' ? ' at mid-grey: Poisson noise' : ''})`;

const LEVELS = /^\s*(\d+(?:\.\d+)?)\s*\/\s*255(?:\.0*)?\s*$/;

/** Whether noise is said in grey levels: `25/255`. */
export const isGreyLevels = (given: SigmaInput): boolean => LEVELS.test(String(given));

/** The noise as it was given: `n/255` is n grey levels of 255, any other number or fraction is in units of [-1, 1]. */
export const readNoise = (given: SigmaInput | NoiseLevel): NoiseLevel => {
  if (typeof given === 'object') return given;
  const [, levels] = LEVELS.exec(String(given)) ?? [];
  return levels === undefined ? readSigma(given, 'restore') : Number(levels) * GREY_LEVEL;
};

/**
 * The noise of a measured picture by `estimateNoise`, to three digits, at least one grey level: of the pixels that are
 * neither transparent, hidden by a mask (`seen`, of all entries), black nor white, for noise is cut off at both ends of
 * the range. Black and white ones count only where nothing else is left. Throws ConfigError where too few pixels are
 * seen together.
 */
export const noiseOfPicture = (
  y: Float32Array,
  shape: readonly [height: number, width: number, channels: number],
  stored: StoredPicture | undefined,
  seen: Float32Array | undefined,
  path: string,
): { readonly sigmaY: number; readonly least: boolean } => {
  const [height, width, channels] = shape;
  const counted = (cut: boolean): Uint8Array =>
    Uint8Array.from({ length: height * width }, (_, pixel) => {
      const opacity = stored?.alpha === true ? stored.values[(pixel + 1) * stored.channels - 1] : undefined;
      if (opacity === 0 || seen?.[pixel * channels] === 0) return 0;
      for (let c = 0; cut && c < channels; c++) if (Math.abs(y[pixel * channels + c] ?? 0) >= 1) return 0;
      return 1;
    });
  const found = estimateNoise(y, shape, counted(true)) ?? estimateNoise(y, shape, counted(false));
  if (found === undefined)
    throw new ConfigError(
      path,
      'too few of its pixels are seen side by side for an estimate of its noise.',
      'Say it with --sigma-y, in grey levels 5/255, for example.',
    );
  const sigmaY = Math.max(found.sigma, GREY_LEVEL);
  return { sigmaY: Number(sigmaY.toPrecision(3)), least: found.sigma < GREY_LEVEL };
};
