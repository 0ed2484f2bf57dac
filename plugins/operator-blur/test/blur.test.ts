import { type Image, keyedRandom, type Operator, type Tensor, tf, sizeOf } from '@tweedie/core';
import { largestGap, testOperatorContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { type Border, folded } from '../src/borders.ts';
import { blur, type BlurOptions } from '../src/index.ts';
import { motionKernel } from '../src/kernels.ts';

const make = async (
  options: Partial<BlurOptions>,
  imageShape: readonly [number, number, number] = [7, 6, 1],
): Promise<Operator> =>
  blur({ kernel: 'motion', border: 'reflect', cutoff: 0.03, ...options }, testOperatorContext(imageShape));
const normal = (purpose: string, shape: [number, number, number, number]): Image =>
  tf.tensor4d(keyedRandom('blur').normal(purpose, sizeOf(shape)), shape);
const borders: readonly Border[] = ['reflect', 'zero', 'circular'];

describe('operator/blur', () => {
  // A kernel larger than the image folds more than once.
  it.each(borders.flatMap((border) => [3, 15].map((size) => [border, size] as const)))(
    'is the sum over the taps, border %s, size %d',
    async (border, size) => {
      const operator = await make({ border, size });
      const kernel = tf.tensor2d(keyedRandom('blur').normal('kernel', size * size), [size, size]);
      const x = normal('x', [1, 7, 6, 1]);
      const [image, taps, r] = [x.arraySync(), kernel.arraySync(), (size - 1) / 2];
      const found = (operator.forward(x, { kernel: kernel.expandDims(0) }) as Image).arraySync();
      for (const [i, j] of [
        [0, 0],
        [3, 2],
        [6, 5],
      ] as const) {
        let expected = 0;
        taps.forEach((row, a) =>
          row.forEach((weight, b) => {
            const [h, w] = [folded(i + a - r, 7, border), folded(j + b - r, 6, border)];
            if (h !== undefined && w !== undefined) expected += weight * image[0]![h]![w]![0]!;
          }),
        );
        expect(found[0]![i]![j]![0]!).toBeCloseTo(expected, 4);
      }
    },
  );

  it.each(borders)('is one map, separable or not, border %s', async (border) => {
    const common = { kernel: 'anisotropic', border, std: 2, stdAcross: 0.7, size: 5 } as const;
    const x = normal('x', [2, 9, 8, 3]);
    const turned = await make({ ...common, degrees: 1e-7 }, [9, 8, 3]);
    const { kernel } = turned.draw(keyedRandom('any')) as { readonly kernel: Tensor };
    const straight = await make({ ...common, degrees: 0 }, [9, 8, 3]);
    expect(largestGap(turned.forward(x, { kernel: tf.stack([kernel, kernel]) }), straight.forward(x, {}))).toBeLessThan(
      2e-6,
    );
  });

  it('offers what its border allows', async () => {
    const offered = async (options: Partial<BlurOptions>) => {
      const { svd, pseudoInverse, solve } = await make(options);
      return [svd, pseudoInverse, solve].map((member) => member !== undefined);
    };
    expect(await offered({ kernel: 'gaussian' })).toEqual([true, true, true]);
    expect(await offered({ kernel: 'motion', border: 'circular' })).toEqual([true, true, true]);
    expect(await offered({ kernel: 'motion' })).toEqual([false, false, false]);
  });

  it('refuses options that do not belong together, and even sizes', async () => {
    await expect(make({ kernel: 'uniform', std: 1 })).rejects.toThrow(
      '[operator/blur] option std does not belong to kernel uniform. Its options are size, border, cutoff.',
    );
    await expect(make({ size: 4 })).rejects.toThrow(
      '[operator/blur] size 4 is even, and a kernel has a tap in its middle. Choose 3 or 5.',
    );
    await expect(make({}, [1, 1, 3])).rejects.toThrow(
      '[operator/blur] an image of 1 x 1 pixels cannot be blurred (its shape is [1, 1, 3]). Give a vector of d entries the shape [1, d, 1].',
    );
  });
});

describe('a motion kernel', () => {
  it('is drawn for each problem, of sum 1, and centred', () => {
    for (const [seed, intensity, size] of [
      ['a', 0.5, 61],
      ['b', 1, 9],
      ['c', 0, 1],
    ] as const) {
      const { weights } = motionKernel(size, intensity, keyedRandom(seed));
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 10);
      expect(Math.min(...weights)).toBeGreaterThanOrEqual(0);
    }
    const draw = (key: string) => [...motionKernel(15, 0.5, keyedRandom(key)).weights];
    expect(draw('a')).toEqual(draw('a'));
    expect(draw('a')).not.toEqual(draw('b'));
  });

  it('without turns is a straight line of three quarters of the side', () => {
    const { weights } = motionKernel(41, 0, keyedRandom('line'));
    const sum = (f: (x: number, y: number) => number) =>
      weights.reduce((total, weight, k) => total + weight * f((k % 41) - 20, Math.floor(k / 41) - 20), 0);
    const [xx, yy, xy] = [sum((x) => x * x), sum((_, y) => y * y), sum((x, y) => x * y)];
    expect([sum((x) => x), sum((_, y) => y)].map(Math.abs).every((mean) => mean < 0.1)).toBe(true);
    // A line of length 30 has the variance 30^2 / 12 along itself, and only the bilinear weights' across.
    expect(Math.abs((xx + yy) / (30 ** 2 / 12) - 1)).toBeLessThan(0.02);
    expect(xx * yy - xy * xy).toBeLessThan(0.01 * (xx + yy) ** 2);
  });
});
