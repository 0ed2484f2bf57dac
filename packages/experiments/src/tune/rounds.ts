/**
 * Successive halving: every candidate on few images, the better half on twice as many, until those that are left have
 * seen all.
 */
import { at } from '@tweedie/core';

/** Images that candidates are compared on, round by round: a quarter, half and all of them. */
export const roundSizes = (images: number): readonly number[] => [
  ...new Set([Math.ceil(images / 4), Math.ceil(images / 2), images]),
];

/** Candidates in a round. */
export const survivors = (candidates: number, round: number): number => Math.ceil(candidates / 2 ** round);

/** Samples that a search of so many candidates draws. A round adds the images that the one before did not have. */
export const samplesFor = (candidates: number, images: number): number => {
  const sizes = roundSizes(images);
  return sizes.reduce((sum, size, round) => sum + survivors(candidates, round) * (size - (sizes[round - 1] ?? 0)), 0);
};

/** The most candidates that so many samples allow. */
export const candidatesFor = (samples: number, images: number): number => {
  let candidates = Math.floor(samples / at(roundSizes(images), 0, 'round'));
  while (candidates > 0 && samplesFor(candidates, images) > samples) candidates--;
  return candidates;
};

/**
 * Compares scores, the best first; null, the score of a candidate of which a sample failed, comes last. Equal ones keep
 * their order.
 */
export const byScore =
  (better: 'higher' | 'lower') =>
  (a: number | null, b: number | null): number => {
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return better === 'higher' ? b - a : a - b;
  };
