import { testOperatorContext } from '@tweedie/testing';
import { expect, it } from 'vitest';
import { colorize } from '../src/index.ts';

const weights = [0.2989, 0.587, 0.114];

it('operator/colorize has the published singular value, once per pixel', async () => {
  const operator = await colorize({ channels: 3, weights }, testOperatorContext([2, 2, 3]));
  const values = [...operator.svd!({}).singularValues.dataSync()];
  values.forEach((value, k) => expect(value).toBeCloseTo(k % 3 === 0 ? 1.15789 : 0, 5));
});

it('operator/colorize refuses what has no colours', async () => {
  const make = async (imageShape: readonly [number, number, number], given = weights) =>
    colorize({ channels: 3, weights: given }, testOperatorContext(imageShape));
  await expect(make([1, 16, 1])).rejects.toThrow(
    '[operator/colorize] images of shape [1, 16, 1] have 1 channel, colour pictures have 3. Use a model of colour pictures, or another operator.',
  );
  await expect(make([8, 8, 3], [1, 1, 0])).rejects.toThrow(
    '[operator/colorize] the weights [1, 1, 0] have sum 2, so grey would not stay grey.',
  );
});
