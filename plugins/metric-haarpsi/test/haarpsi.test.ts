import { type Image, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { expect, it } from 'vitest';
import { haarpsi } from '../src/index.ts';

const metric = await haarpsi({}, { ...testContext(), range: [-1, 1] });

/** Waves in [0, 1] as an image in [-1, 1]. */
const waves = (height: number, width: number, channels: number, phase: number): Image =>
  tf.tensor4d(
    Float32Array.from({ length: height * width * channels }, (_, k) => {
      const [i, j, c] = [Math.floor(k / channels / width), Math.floor(k / channels) % width, k % channels];
      const u =
        0.25 * Math.sin(0.31 * i + 0.17 * j * (c + 1) + phase) + 0.2 * Math.cos(0.9 * j - 0.4 * i * c + 2 * phase);
      return 2 * u;
    }),
    [1, height, width, channels],
  );

// Computed with PyTorch in float64 by the steps of piq/haarpsi.py.
it.each([
  [32, 32, 3, [0.9680686674611355, 0.5849360312315989, 0.42732685850259583]],
  [33, 40, 3, [0.9769820750943933, 0.6036403689462183, 0.43357583159259877]],
  [17, 25, 1, [0.9669423657240447, 0.5820510359958665, 0.37033661769449766]],
  [64, 48, 1, [0.9286628501669263, 0.5088352305840377, 0.31963889211310736]],
] as const)('is what piq computes, %i x %i with %i channels', async (height, width, channels, expected) => {
  const x = waves(height, width, channels, 0);
  for (const [k, phase] of [0.05, 0.4, 2].entries()) {
    const [score = NaN] = await metric.compare(x, waves(height, width, channels, phase));
    expect(Math.abs(score - expected[k]!)).toBeLessThan(2e-6);
  }
  expect((await metric.compare(x, x))[0]).toBeCloseTo(1, 12);
});

it('is 1 for two black pictures, scores each image by itself, and takes another full scale', async () => {
  const black: Image = tf.fill([1, 16, 16, 3], -1);
  expect(await metric.compare(black, black)).toEqual([1]);
  const [x, y] = [waves(20, 20, 3, 0), waves(20, 20, 3, 1)];
  const [alone = NaN] = await metric.compare(x, y);
  expect((await metric.compare(tf.concat([y, x]), tf.concat([y, y])))[1]).toBe(alone);
  const free = await haarpsi({ range: [0, 40] }, testContext());
  expect((await free.compare(x.add(1).mul(20), y.add(1).mul(20)))[0]).toBeCloseTo(alone, 5);
});

it('refuses what it cannot compare', async () => {
  await expect(metric.compare(tf.zeros([1, 8, 32, 3]), tf.zeros([1, 8, 32, 3]))).rejects.toThrow(
    '[metric/haarpsi] images of [8, 32, 3]: it takes 1 or 3 channels and sides of 16 at least. Leave out this metric.',
  );
  await expect(metric.compare(tf.zeros([1, 16, 32, 2]), tf.zeros([1, 16, 32, 2]))).rejects.toThrow('1 or 3 channels');
  await expect(metric.compare(tf.zeros([1, 16, 32, 3]), tf.zeros([1, 16, 16, 3]))).rejects.toThrow('differ in shape');
});
