import { type Image, stackImages, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { psnr } from '../src/index.ts';

const metric = await psnr({}, testContext());
const flat = (values: readonly number[], shape: readonly [number, number, number] = [4, 4, 3]): Image =>
  stackImages(values.map((value) => tf.fill([...shape], value)));

describe('metric/psnr', () => {
  it('is -10 log10 of the mean squared error in [0, 1], per image', async () => {
    // 0.2 apart in [-1, 1] is 0.1 in [0, 1].
    const scores = await metric.compare(flat([0, 0.2, -1]), flat([0.2, 0.4, 1]));
    expect(scores[0]).toBeCloseTo(-10 * Math.log10(0.01 + 1e-8), 5);
    expect(scores[1]).toBeCloseTo(-10 * Math.log10(0.01 + 1e-8), 5);
    expect(scores[2]).toBeCloseTo(0, 6);
  });

  it('is 80 dB for equal images and symmetric', async () => {
    expect(await metric.compare(flat([0.3]), flat([0.3]))).toEqual([80]);
    expect(await metric.compare(flat([0.3]), flat([-0.4]))).toEqual(await metric.compare(flat([-0.4]), flat([0.3])));
    expect(metric.better).toBe('higher');
  });

  it('clips to [-1, 1] and takes vectors', async () => {
    expect(await metric.compare(flat([7]), flat([1]))).toEqual([80]);
    expect((await metric.compare(flat([0], [1, 1, 8]), flat([0.2], [1, 1, 8])))[0]).toBeCloseTo(20, 3);
  });

  it('refuses shapes that differ', async () => {
    await expect(metric.compare(flat([0]), flat([0, 0]))).rejects.toThrow(
      '[metric/psnr] images [1, 4, 4, 3] and references [2, 4, 4, 3] differ in shape.',
    );
  });
});
