import { keyedRandom, levelsThrough, type NoiseProcess, polynomialSigmas, tf, type Tensor } from '@tweedie/core';
import type { Programs } from './programs.ts';

/** Levels of a drawn sample, and how they crowd at the little noise (Karras et al. 2022, Equation 5). */
const STEPS = 24;
const RHO = 7;
const LEAST = 0.01;
const MOST = 80;

/**
 * Draws images from a network by Euler steps of the probability flow, z = x0hat + sigma' / sigma (z - x0hat), and gives
 * them as one picture of `side` x `side` images, row-major.
 */
export async function sampleGrid(
  weights: { readonly [name: string]: Tensor },
  [height, width, channels]: readonly [number, number, number],
  {
    programs,
    process,
    side,
    seed,
  }: { readonly programs: Programs; readonly process: NoiseProcess; readonly side: number; readonly seed: number },
): Promise<Float32Array> {
  const count = side ** 2;
  const most = Math.min(MOST, process.table.at(-1)?.sigma ?? MOST);
  const steps = levelsThrough(process, polynomialSigmas(most, LEAST, STEPS, RHO));
  let z: Tensor = tf.tidy(() =>
    tf
      .tensor(keyedRandom(`samples ${seed}`).normal('start', count * height * width * channels), [
        count,
        height,
        width,
        channels,
      ])
      .mul(most),
  );
  for (const { level, next: after } of steps) {
    const x0hat = await programs.denoise(weights, z, level);
    const ratio = after.sigma / level.sigma;
    const next = tf.tidy(() => x0hat.add(z.sub(x0hat).mul(ratio)));
    tf.dispose([z, x0hat]);
    z = next;
  }
  const values = z.dataSync();
  z.dispose();
  const row = width * channels;
  const grid = new Float32Array(values.length);
  for (let k = 0; k < count; k++)
    for (let y = 0; y < height; y++)
      grid.set(
        values.subarray((k * height + y) * row, (k * height + y + 1) * row),
        ((Math.floor(k / side) * height + y) * side + (k % side)) * row,
      );
  return grid;
}
