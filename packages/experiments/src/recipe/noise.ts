import { ConfigError } from '@tweedie/core';

/** A standard deviation: a number, or a fraction such as `25/255`, which is the number that it says. */
export type SigmaInput = number | string;

const FRACTION = /^\s*(\d+(?:\.\d+)?)\s*\/\s*(\d+(?:\.\d+)?)\s*$/;

/** The number of a standard deviation; undefined where it is none. */
export const parseSigma = (given: SigmaInput): number | undefined => {
  const [, over, under] = FRACTION.exec(String(given)) ?? [];
  const value = over === undefined ? Number(given) : Number(over) / Number(under);
  return String(given).trim() !== '' && value >= 0 && value < Infinity ? value : undefined;
};

/** The number of a standard deviation; throws ConfigError where it is none. */
export const readSigma = (given: SigmaInput, where: string): number => {
  const value = parseSigma(given);
  if (value !== undefined) return value;
  throw new ConfigError(
    where,
    `${JSON.stringify(given)} is no standard deviation.`,
    'Give a number of at least 0, or a fraction such as 25/255.',
  );
};

const digits = (value: number): number => Number(value.toPrecision(3));

/**
 * Warns, once for all levels, of noise that was probably given in another unit: above the whole range of the images, or
 * a fraction of 255, which papers mean on images in [0, 1].
 */
export const warnOfUnits = (
  given: readonly SigmaInput[],
  range: readonly [low: number, high: number] | undefined,
  warn: (message: string) => void,
): void => {
  if (range === undefined) return;
  const [low, high] = range;
  const width = high - low;
  const images = `the images are in [${low}, ${high}]`;
  const above = given.flatMap((each) => (readSigma(each, 'sigmaY') > width ? [readSigma(each, 'sigmaY')] : []));
  const [first] = above;
  if (first !== undefined) {
    const half = 255 / width;
    warn(
      `sigmaY ${above.map(digits).join(', ')}: such noise hides everything, for ${images}. If grey levels of 0 to 255 are meant, give ${digits(first)}/${half}, which is ${digits(first / half)}.`,
    );
  }
  const fractions = given.filter(
    (each): each is string => typeof each === 'string' && /\/\s*255(\.0*)?\s*$/.test(each),
  );
  const [fraction] = fractions;
  if (fraction === undefined || width === 1) return;
  const value = readSigma(fraction, 'sigmaY');
  warn(
    `sigmaY ${fractions.join(', ')}: ${fraction} is taken as the number ${digits(value)}, and ${images}. Papers that write it mean images in [0, 1]: that noise is ${digits(value * width)} here, ${fraction.split('/')[0]?.trim() ?? ''}/${255 / width}.`,
  );
};
