import { type Image, stackImages, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { psnr } from '../src/index.ts';

const metric = await psnr({}, { ...testContext(), range: [-1, 1] });
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

  it('has the spread of the clean images for full scale where there is no range, and clips nothing', async () => {
    const free = await psnr({}, { ...testContext(), references: [1.5, 2.5] });
    expect(free.scale).toBe('full scale [1.5, 2.5], the spread of the clean images; nothing is clipped');
    // 0.1 of a spread of 1, beyond its end.
    expect((await free.compare(flat([2.5]), flat([2.6])))[0]).toBeCloseTo(20, 4);
  });

  it('takes full scale from its option, and clips to the range of the images all the same', async () => {
    const free = await psnr({ range: [0, 40] }, { ...testContext(), references: [1, 2] });
    expect((await free.compare(flat([50]), flat([54])))[0]).toBeCloseTo(20, 4);
    expect(free.scale).toBe('full scale [0, 40], its option "range"; nothing is clipped');
    const bounded = await psnr({ range: [0, 1] }, { ...testContext(), range: [-1, 1] });
    expect((await bounded.compare(flat([3]), flat([0.9])))[0]).toBeCloseTo(20, 4);
    expect(bounded.scale).toBe('full scale [0, 1], its option "range"; entries are clipped to [-1, 1]');
  });

  it('refuses a full scale that is empty or not known', () => {
    expect(() => psnr({}, testContext())).toThrow(
      '[metric/psnr] what is full scale is not known: neither the range of the images nor their spread is. Give the option "range", [low, high].',
    );
    expect(() => psnr({}, { ...testContext(), references: [2, 2] })).toThrow(
      '[metric/psnr] full scale is [2, 2], the spread of the clean images, and its low end must be below its high end. Give the option "range", [low, high].',
    );
  });

  it('refuses shapes that differ', async () => {
    await expect(metric.compare(flat([0]), flat([0, 0]))).rejects.toThrow(
      '[metric/psnr] images [1, 4, 4, 3] and references [2, 4, 4, 3] differ in shape.',
    );
  });
});
