import { tf } from '@tweedie/core';
import { largestGap, testOperatorContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { superResolution, type SuperResolutionOptions } from '../src/index.ts';
import { bicubic } from '../src/kernels.ts';

const make = async (
  options: Partial<SuperResolutionOptions>,
  imageShape: readonly [number, number, number] = [8, 8, 3],
) =>
  superResolution({ factor: 4, kernel: 'bicubic', reference: 'nearest', ...options }, testOperatorContext(imageShape));

describe('the bicubic matrix', () => {
  it('has the 16 taps of the DPS program for a factor of 4, folded at the border', () => {
    const taps = [
      -3.5, -22.5, -37.5, -24.5, 46.5, 199.5, 372.5, 493.5, 493.5, 372.5, 199.5, 46.5, -24.5, -37.5, -22.5, -3.5,
    ].map((tap) => tap / 2048);
    const { values, outputs, inputs } = bicubic(256, 4);
    expect([outputs, inputs]).toEqual([64, 256]);
    taps.forEach((tap, k) => expect(values[32 * 256 + 32 * 4 - 6 + k]).toBeCloseTo(tap, 12));
    // Inputs 5, 4, 3, 2, 1, 0, 0, 1, ..., 9.
    for (let j = 0; j < 10; j++) expect(values[j]).toBeCloseTo(taps[j + 6]! + (j < 6 ? taps[5 - j]! : 0), 12);
  });

  it.each([
    [256, 4],
    [30, 4],
    [5, 4],
    [3, 8],
    [31, 2.5],
    [7, 1],
  ])('keeps constants, length %d and factor %d', (length, factor) => {
    const { values, outputs } = bicubic(length, factor);
    expect(outputs).toBe(Math.ceil(length / factor));
    for (let i = 0; i < outputs; i++)
      expect(values.slice(i * length, (i + 1) * length).reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 12);
  });

  it.each([
    [30, 4],
    [31, 2.5],
    [5, 4],
  ])(
    'is centred where the factor does not divide: length %d, factor %d, turned around it is the same',
    (length, factor) => {
      const { values } = bicubic(length, factor);
      values.toReversed().forEach((value, k) => expect(value).toBeCloseTo(values[k]!, 10));
    },
  );

  it('is the identity for a factor of 1, and shows every pixel equally where the factor divides', () => {
    bicubic(7, 1).values.forEach((value, k) => expect(value).toBeCloseTo(k % 8 === 0 ? 1 : 0, 12));
    const { values, outputs, inputs } = bicubic(64, 4);
    for (let j = 0; j < inputs; j++)
      expect(Array.from({ length: outputs }, (_, i) => values[i * inputs + j]!).reduce((a, b) => a + b)).toBeCloseTo(
        0.25,
        12,
      );
  });
});

describe('operator/super-resolution', () => {
  it('has A A^T = I / factor^2 for blocks', async () => {
    const operator = await make({ kernel: 'block', factor: 2 });
    const y = tf.randomNormal([1, 4, 4, 3], 0, 1, 'float32', 1);
    expect(largestGap(operator.forward(operator.adjoint!(y, {}), {}), y.div(4))).toBeLessThan(1e-6);
  });

  it.each(['nearest', 'adjoint'] as const)(
    'gives DPS-w a reference of unit gain (%s) and the factor',
    async (reference) => {
      const operator = await make({ reference, factor: 2 });
      const task = operator.denoisingReference!(tf.fill([2, 4, 4, 3], 0.5), {});
      expect(largestGap(task.reference, tf.fill([2, 8, 8, 3], 0.5))).toBeLessThan(1e-6);
      expect([task.factor, task.sharesGradient]).toEqual([2, false]);
    },
  );

  it('takes the samples of a signal, whose weight follows the square root of their number', async () => {
    const operator = await make({}, [1, 16, 1]);
    expect(operator.measurementShape).toEqual([1, 4, 1]);
    expect(operator.denoisingReference!(tf.zeros([1, 1, 4, 1]), {}).factor).toBe(2);
  });

  it('refuses what it cannot make smaller', async () => {
    await expect(make({ kernel: 'block', factor: 3 })).rejects.toThrow(
      '[operator/super-resolution] blocks of factor 3 do not fill an image side of 8. Choose a whole number that divides height and width, or kernel bicubic.',
    );
    await expect(make({}, [1, 1, 8])).rejects.toThrow(
      '[operator/super-resolution] an image of 1 x 1 pixels has no resolution to lose (its shape is [1, 1, 8]). Give a vector of d entries the shape [1, d, 1].',
    );
  });
});
