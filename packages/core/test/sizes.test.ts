import { type ImageShape, modelForShape, noiseProcess, type ScoreModel } from '@tweedie/core';
import { describe, expect, it } from 'vitest';

const fixed: ScoreModel = {
  imageShape: [8, 8, 3],
  process: noiseProcess(),
  weightsHash: () => 'weights',
  predict: (xt) => ({ x0hat: xt, epsilon: xt.sub(xt) }),
  dispose: () => undefined,
};
const asked: ImageShape[] = [];
const sized: ScoreModel = {
  ...fixed,
  sizes: {
    multipleOf: 4,
    forShape(imageShape) {
      asked.push(imageShape);
      return { ...sized, imageShape };
    },
  },
};

describe('the model for a shape', () => {
  it('is the model itself for its own, and what it makes of another, never disposed of twice', () => {
    expect(modelForShape(fixed, [8, 8, 3])).toBe(fixed);
    expect(modelForShape(sized, [8, 8, 3])).toBe(sized);
    expect(asked).toEqual([]);
    const wide = modelForShape(sized, [12, 4, 3]);
    expect(asked).toEqual([[12, 4, 3]]);
    expect(wide.imageShape).toEqual([12, 4, 3]);
    expect(wide).not.toHaveProperty('dispose');
    // The images of one shape may be followed by those of another.
    expect(modelForShape(wide, [4, 4, 3]).imageShape).toEqual([4, 4, 3]);
  });

  it('is refused where the model knows one shape, or other channels', () => {
    expect(() => modelForShape(fixed, [8, 12, 3])).toThrow(
      "[model] the images are [8, 12, 3], the model's [8, 8, 3]. Bring them to that shape, or choose a model of any size.",
    );
    expect(() => modelForShape(sized, [8, 8, 1])).toThrow(
      "[model] the images are [8, 8, 1], the model's [8, 8, 3]. It takes any size, with 3 channels.",
    );
  });
});
