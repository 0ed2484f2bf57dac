import { type Image, keyedRandom, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { ssim } from '../src/index.ts';

const metric = await ssim({}, { ...testContext(), range: [-1, 1] });
const noise = (key: string, height: number, width: number, channels = 1): Image =>
  tf.tensor4d(keyedRandom(key).normal('image', height * width * channels), [1, height, width, channels]).mul(0.3);

/** The definition, word by word, with the two-dimensional window. */
async function byDefinition(x: Image, y: Image): Promise<number> {
  const [, height, width, channels] = x.shape;
  const [a, b] = await Promise.all([x.data(), y.data()]);
  const at = (data: ArrayLike<number>, i: number, j: number, c: number) =>
    Math.min(Math.max(0.5 * data[(i * width + j) * channels + c]! + 0.5, 0), 1);
  const window = (i: number, j: number) => Math.exp(-((i - 5) ** 2 + (j - 5) ** 2) / (2 * 1.5 ** 2));
  let total = 0;
  for (let i = 0; i < 11; i++) for (let j = 0; j < 11; j++) total += window(i, j);
  let sum = 0;
  let count = 0;
  for (let c = 0; c < channels; c++) {
    for (let top = 0; top + 11 <= height; top++) {
      for (let left = 0; left + 11 <= width; left++) {
        const mean = (f: (p: number, q: number) => number) => {
          let m = 0;
          for (let i = 0; i < 11; i++)
            for (let j = 0; j < 11; j++)
              m += (window(i, j) / total) * f(at(a, top + i, left + j, c), at(b, top + i, left + j, c));
          return m;
        };
        const [ma, mb] = [mean((p) => p), mean((_, q) => q)];
        const [va, vb, cov] = [
          mean((p) => p * p) - ma * ma,
          mean((_, q) => q * q) - mb * mb,
          mean((p, q) => p * q) - ma * mb,
        ];
        sum += ((2 * ma * mb + 1e-4) * (2 * cov + 9e-4)) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4));
        count++;
      }
    }
  }
  return sum / count;
}

describe('metric/ssim', () => {
  it('equals the definition', async () => {
    const [x, y] = [noise('x', 14, 17, 2), noise('y', 14, 17, 2)];
    expect((await metric.compare(x, y))[0]).toBeCloseTo(await byDefinition(x, y), 12);
  });

  it('maps full scale to 0 to 1, whatever it is: constants scale with it', async () => {
    const [x, y] = [noise('x', 14, 17, 2), noise('y', 14, 17, 2)];
    const moved = (image: Image): Image => image.clipByValue<Image>(-1, 1).mul(20).add(100);
    const free = await ssim({}, { ...testContext(), references: [80, 120] });
    expect((await free.compare(moved(x), moved(y)))[0]).toBeCloseTo((await metric.compare(x, y))[0]!, 4);
    expect((await free.compare(moved(x).add(40), moved(y).add(40)))[0]).not.toBe(1);
  });

  it('is 1 for equal images and symmetric, and scores each image by itself', async () => {
    const [x, y] = [noise('x', 16, 12, 3), noise('y', 16, 12, 3)];
    expect((await metric.compare(x, x))[0]).toBeCloseTo(1, 12);
    const [alone = NaN] = await metric.compare(x, y);
    expect((await metric.compare(y, x))[0]).toBeCloseTo(alone, 12);
    expect(await metric.compare(tf.concat([y, x]), tf.concat([y, y]))).toEqual([expect.closeTo(1, 12), alone]);
  });

  it.each([
    [383, 1],
    [385, 2],
    [640, 2],
  ])('averages over blocks when the short side is %i: factor %i, ties to even', async (side, factor) => {
    // Noise that alternates from pixel to pixel vanishes in blocks of two.
    const stripes = tf.tensor4d(
      Float32Array.from({ length: side * side }, (_, k) => 0.4 * (-1) ** (k % side)),
      [1, side, side, 1],
    );
    const [score = NaN] = await metric.compare(stripes, tf.zerosLike(stripes));
    if (factor === 1) expect(score).toBeLessThan(0.1);
    else expect(score).toBeCloseTo(1, 6);
  });

  it('averages over blocks from 384 pixels on the short side on', async () => {
    const [x, y] = [noise('x', 384, 390), noise('y', 384, 390)];
    // Clipped first, so that the mean of clipped numbers is not clipped again.
    const halved = (image: Image): Image => image.clipByValue<Image>(-1, 1).avgPool(2, 2, 'valid');
    expect((await metric.compare(x, y))[0]).toBeCloseTo((await metric.compare(halved(x), halved(y)))[0]!, 6);
    const [below, same] = [x, y].map((image) => image.slice<Image>([0, 0, 0, 0], [1, 383, 390, 1]));
    expect((await metric.compare(below!, same!))[0]).not.toBeCloseTo(
      (await metric.compare(halved(below!), halved(same!)))[0]!,
      3,
    );
  });

  it('refuses images smaller than its window and shapes that differ', async () => {
    const small = noise('x', 10, 32);
    await expect(metric.compare(small, small)).rejects.toThrow(
      '[metric/ssim] images of 10 by 32 are smaller than its window of 11 by 11. Leave out this metric.',
    );
    await expect(metric.compare(noise('x', 16, 16), noise('x', 16, 17))).rejects.toThrow('differ in shape');
  });
});
