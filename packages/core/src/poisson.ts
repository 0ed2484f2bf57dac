import { tf } from './tensorflow.ts';
import type { KeyedRandom, Tensor } from './types.ts';

/** Counts of a white pixel at rate 1: the grey levels of an 8-bit picture. */
const WHITE = 255;
/**
 * The least probability that is counted, relative to that of the most likely count: what is rarer has no part in a
 * float64 sum.
 */
const NEGLIGIBLE = 1e-17;

/**
 * The Poisson count of a mean at which the distribution function passes `u` in (0, 1): exact inversion, one uniform
 * number a count. Probabilities are followed from the most likely count to both sides, about 18 sqrt(mean) of them.
 */
export function poissonCount(mean: number, u: number): number {
  const mode = Math.floor(mean);
  let total = 1;
  let [count, p] = [mode, 1];
  while (count > 0 && p > NEGLIGIBLE) total += p *= count-- / mean;
  const [first, lowest] = [count, p];
  for (count = mode, p = 1; p > NEGLIGIBLE; total += p) p *= mean / ++count;
  let below = lowest;
  for (count = first, p = lowest; below < u * total && p > 0; below += p) p *= mean / ++count;
  return count;
}

/**
 * The standard deviation of Poisson noise at mid-grey, u = 1/2 of 4 u / (255 rate): what methods are told as sigmaY.
 * Three digits: tables show it.
 */
export const poissonSigma = (rate: number): number => Number(Math.sqrt(2 / (WHITE * rate)).toPrecision(3));

/**
 * y = 2 N / (255 rate) - 1, N ~ Poisson(255 rate u), u = (clean + 1) / 2; u and y are clipped to their range. Its
 * variance is 4 u / (255 rate). The noise of the DPS program (docs/methods.md 5.6).
 */
export function poissonMeasurement(clean: Tensor, rate: number, random: KeyedRandom): Tensor {
  const uniform = random.uniform('poisson', clean.size);
  const full = WHITE * rate;
  const y = Float32Array.from(clean.dataSync(), (value, i) => {
    const u = Math.min(Math.max((value + 1) / 2, 0), 1);
    return Math.min((2 * poissonCount(full * u, uniform[i] ?? 0)) / full - 1, 1);
  });
  return tf.tensor(y, clean.shape);
}
