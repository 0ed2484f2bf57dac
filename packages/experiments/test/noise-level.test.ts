import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createFiles } from '@tweedie/files';
import { estimateNoise } from '../src/statistics/noise-level.ts';
import { keyedRandom } from '@tweedie/core';

const pictures = fileURLToPath(new URL('../../../plugins/dataset-photographs/pictures/', import.meta.url));
const files = createFiles(pictures);
const read = async (name: string) => {
  const [height, width] = await files.imageShape(name);
  return { pixels: await files.readImage(name, { height, width, channels: 3 }), shape: [height, width, 3] as const };
};

/** Numbers in (0, 1) that any program makes alike: MINSTD. */
const minstd = (count: number, seed: number): Float64Array => {
  let x = seed;
  return Float64Array.from({ length: count }, () => (x = (x * 16807) % 2147483647) / 2147483647);
};

describe('estimateNoise', () => {
  const { rows } = JSON.parse(readFileSync(new URL('noise-level.json', import.meta.url), 'utf8')) as {
    rows: { picture: string; std: number; sigma: number }[];
  };

  it.each(rows.filter(({ picture }) => !picture.startsWith('noise')))(
    'is that of scikit-image: $picture with noise of $std',
    async ({ picture, std, sigma }) => {
      const { pixels, shape } = await read(`${picture}.png`);
      const u = minstd(pixels.length, 1);
      const noisy = pixels.map((value, k) => value + std * Math.sqrt(3) * (2 * (u[k] ?? 0) - 1));
      expect(estimateNoise(noisy, shape)?.sigma).toBeCloseTo(sigma, 6);
    },
  );

  it('is that of scikit-image for odd sides', () => {
    const noise = Float32Array.from(minstd(37 * 50, 7), (u) => 2 * u - 1);
    expect(estimateNoise(noise, [37, 50, 1])?.sigma).toBeCloseTo(rows.at(-1)!.sigma, 6);
  });

  const normal = (count: number) => keyedRandom('estimate').normal('noise', count);

  it('finds the noise of a slope, whatever part of it is seen', () => {
    const [height, width] = [256, 256];
    const noise = normal(height * width);
    const pixels = noise.map((value, k) => 0.1 * value + 0.002 * (k % width) - 0.001 * Math.floor(k / width));
    const random = keyedRandom('seen').uniform('seen', pixels.length);
    // Of 16 pixels all seen, of 4, and of 2.
    for (const [share, from] of [
      [1, 'db2'],
      [0.9, 'db2'],
      [0.3, 'haar'],
      [0.08, 'neighbours'],
    ] as const) {
      const seen = Uint8Array.from(random, (u) => (u < share ? 1 : 0));
      const spoilt = pixels.map((value, k) => (seen[k] === 1 ? value : 0));
      const found = estimateNoise(spoilt, [height, width, 1], seen);
      expect(found?.from).toBe(from);
      expect(Math.abs((found?.sigma ?? 0) / 0.1 - 1)).toBeLessThan(0.12);
    }
    expect(estimateNoise(pixels, [height, width, 1], new Uint8Array(pixels.length))).toBeUndefined();
    expect(estimateNoise(new Float32Array(100), [10, 10, 1])).toBeUndefined();
  });

  // What README.md says of its error, on photographs that ship: it is too high, for fine detail counts as noise.
  it.each([
    { long: true, std: 0.02, mean: 1.49, most: 2 },
    { long: true, std: 0.05, mean: 1.15, most: 1.3 },
    { long: true, std: 0.1, mean: 1.05, most: 1.1 },
    { long: true, std: 0.2, mean: 1.01, most: 1.03 },
    { long: false, std: 0.1, mean: 1.12, most: 1.25 },
    { long: false, std: 0.2, mean: 1.02, most: 1.1 },
  ])('is near on photographs with noise of $std', async ({ long, std, mean, most }) => {
    const ratios: number[] = [];
    for (const name of (await files.list('.')).filter((each) => each.endsWith('.png'))) {
      const { pixels, shape } = await read(name);
      if (shape[0] > 64 !== long) continue;
      const noise = normal(pixels.length);
      const noisy = pixels.map((value, k) => value + std * (noise[k] ?? 0));
      ratios.push((estimateNoise(noisy, shape)?.sigma ?? 0) / std);
    }
    expect(ratios.length).toBe(long ? 4 : 16);
    expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeCloseTo(mean, 1);
    expect(Math.min(...ratios)).toBeGreaterThan(0.96);
    expect(Math.max(...ratios)).toBeLessThan(most);
  });
});
