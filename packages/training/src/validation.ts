import { type Image, keyedRandom, type NoiseProcess, tf, type Tensor } from '@tweedie/core';
import type { Loss } from './losses.ts';
import type { Programs } from './programs.ts';

type Weights = { readonly [name: string]: Tensor };

/** Noise levels at which one denoising step is scored; images are in [-1, 1]. */
export const DENOISED_AT = [0.1, 0.2, 0.5] as const;

type Validated = { readonly loss: number; readonly denoised: { readonly [sigma: string]: number } };

/** Held-out images [count, H, W, C] and their noise, the same at every validation. */
export interface Validation {
  of(weights: Weights): Promise<Validated>;
}

/**
 * Loss at levels spread evenly over their distribution, and the mean PSNR (peak 2, clipped to [-1, 1]) of
 * D(x0 + sigma eps; sigma) at some levels.
 */
export function validationOf(
  images: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  {
    programs,
    loss,
    process,
    batch,
    seed,
  }: {
    readonly programs: Programs;
    readonly loss: Loss;
    readonly process: NoiseProcess;
    readonly batch: number;
    readonly seed: number;
  },
): Validation {
  const size = height * width * channels;
  const count = images.length / size;
  const noise = keyedRandom(`validation ${seed}`).normal('noise', images.length);
  const columns = loss.levels(count);
  const parts = Array.from(
    { length: Math.ceil(count / batch) },
    (_, i) => [i * batch, Math.min(count, (i + 1) * batch)] as const,
  );
  const part = (values: Float32Array, from: number, to: number): Tensor =>
    tf.tensor(values.subarray(from * size, to * size), [to - from, height, width, channels]);

  return {
    async of(weights) {
      let lossSum = 0;
      const sums = DENOISED_AT.map(() => 0);
      for (const [from, to] of parts) {
        const x0 = part(images, from, to);
        const eps = part(noise, from, to);
        const own = Object.fromEntries(
          Object.entries(columns).map(([name, values]) => [name, tf.tensor1d(values.subarray(from, to))]),
        );
        const losses = await programs.validate(weights, { x0, noise: eps, columns: own });
        lossSum += sumOf(losses);
        tf.dispose([losses, ...Object.values(own)]);
        for (const [i, sigma] of DENOISED_AT.entries()) {
          const z = x0.add(eps.mul(sigma));
          const denoised = await programs.denoise(weights, z, process.levelAt(sigma));
          const each = tf.tidy(() => psnr(denoised as Image, x0));
          sums[i] = (sums[i] ?? 0) + sumOf(each);
          tf.dispose([z, denoised, each]);
        }
        tf.dispose([x0, eps]);
      }
      return {
        loss: lossSum / count,
        denoised: Object.fromEntries(DENOISED_AT.map((sigma, i) => [String(sigma), (sums[i] ?? 0) / count])),
      };
    },
  };
}

const sumOf = (values: Tensor): number => (values.dataSync() as Float32Array).reduce((sum, value) => sum + value, 0);

const psnr = (x: Image, reference: Tensor): Tensor =>
  tf
    .clipByValue(x, -1, 1)
    .sub(reference)
    .square()
    .mean([1, 2, 3])
    .reciprocal()
    .mul(4)
    .log()
    .mul(10 / Math.LN10);
