import { addsNoise, type Image, noiseProcess, noiseRadius, onSphere, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const image = (values: readonly number[]): Image => tf.tensor4d([...values], [2, 1, 2, 1]);

describe('onSphere', () => {
  it('puts every sample at its own radius from the centre, in the direction of its offset', () => {
    const point = onSphere(image([1, 1, 0, 0]), tf.tensor1d([10, 0.5]), image([3, 4, 0, -2]));
    [7, 9, 0, -0.5].forEach((value, i) => expect(point.dataSync()[i]).toBeCloseTo(value, 5));
  });

  it('stays at the centre where the offset or the radius is zero', () => {
    expect([...onSphere(image([1, 2, 3, 4]), tf.tensor1d([10, 0]), image([0, 0, 1, 1])).dataSync()]).toEqual([
      1, 2, 3, 4,
    ]);
  });
});

describe('noiseRadius', () => {
  it('is sqrt(d) std for a constant std, and the root of the summed squares for others', () => {
    const like: Image = tf.zeros([2, 2, 3, 1]);
    [...noiseRadius(tf.scalar(0.5), like).dataSync()].forEach((radius) =>
      expect(radius).toBeCloseTo(0.5 * Math.sqrt(6), 6),
    );
    const std = tf.tensor4d([3, 4, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], [2, 2, 3, 1]);
    expect(noiseRadius(std, like).dataSync()[0]).toBeCloseTo(5, 6);
    expect(noiseRadius(std, like).dataSync()[1]).toBeCloseTo(Math.sqrt(6), 6);
  });
});

describe('addsNoise', () => {
  it.each([
    ['ddpm', { steps: 10 }, true],
    ['ddpm', { steps: 10, variance: 'learned-range' }, true],
    ['ddim', { steps: 10, eta: 1 }, true],
    ['ddim', { steps: 10, eta: 0 }, false],
  ] as const)('%s %o: %s', async (id, options, expected) => {
    for (const kind of ['vp', 've'] as const) {
      const scheduler = await testContext().plugin('scheduler', { id, options });
      expect(addsNoise(scheduler, noiseProcess({ kind }))).toBe(expected);
    }
  });
});
