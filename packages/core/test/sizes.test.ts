import {
  eagerEngine,
  type Image,
  type ImageShape,
  type LevelTensors,
  meteredModel,
  modelForShape,
  noiseProcess,
  reflected,
  sampleSum,
  type ScoreModel,
  tf,
  valueAndGrad,
} from '@tweedie/core';
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

/** What a picture of one row becomes: its entries by number. */
const mirrored = (length: number, before: number, size: number): readonly number[] =>
  tf.tidy(() => Array.from(reflected(tf.range(0, length).reshape([1, 1, length, 1]), 2, before, size).dataSync()));

describe('reflection', () => {
  it('mirrors a picture at its ends, and the mirror image again where it is short', () => {
    expect(mirrored(4, 2, 9)).toEqual([2, 1, 0, 1, 2, 3, 2, 1, 0]);
    expect(mirrored(4, 0, 4)).toEqual([0, 1, 2, 3]);
    expect(mirrored(2, 3, 8)).toEqual([1, 0, 1, 0, 1, 0, 1, 0]);
    expect(mirrored(1, 3, 8)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe('a picture whose sides are no multiples', () => {
  /** Means of the picture and its neighbour to the right, which at the end is the margin's. */
  const blurring: ScoreModel = {
    ...sized,
    predict(xt) {
      const next = tf.concat([tf.slice(xt, [0, 0, 1, 0]), tf.slice(xt, [0, 0, xt.shape[2] - 1, 0])], 2) as Image;
      return { x0hat: xt.add(next).div(2), epsilon: xt, varianceFraction: xt.square() };
    },
  };
  const made: ScoreModel = {
    ...blurring,
    sizes: { multipleOf: 4, forShape: (imageShape) => ({ ...made, imageShape }) },
  };
  const model = modelForShape(made, [1, 3, 3]);
  const picture: Image = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 1, 3, 3]);

  it('is padded for the network and cut, all of the prediction', async () => {
    expect(model.imageShape).toEqual([1, 3, 3]);
    const predict = eagerEngine().compile((xt: Image, level: LevelTensors) => meteredModel(model).predict(xt, level));
    const { x0hat, epsilon, varianceFraction } = await predict(picture, model.process.levelAt(1));
    // Beside the last pixel, 7 8 9, stands the mirror image of the one before it.
    expect(x0hat.shape).toEqual([1, 1, 3, 3]);
    expect(Array.from(x0hat.dataSync())).toEqual([2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 5.5, 6.5, 7.5]);
    expect(epsilon.dataSync()).toEqual(picture.dataSync());
    expect(Array.from(varianceFraction!.dataSync())).toEqual([1, 4, 9, 16, 25, 36, 49, 64, 81]);
    expect(predict.cost).toEqual({ forwards: 1, vjps: 0, operatorCalls: 0 });
  });

  it('has the gradient of what is seen, margin included', async () => {
    const gradient = eagerEngine().compile(
      (xt: Image, level: LevelTensors) =>
        valueAndGrad((x) => [sampleSum(model.predict(x, level).x0hat), []], xt).gradient,
    );
    const level = model.process.levelAt(1);
    // Each pixel counts for itself and for the one to its left; the middle one also as the mirror image at the end.
    expect(Array.from((await gradient(picture, level)).dataSync())).toEqual([0.5, 0.5, 0.5, 1.5, 1.5, 1.5, 1, 1, 1]);
  });

  it('may be followed by one of any other size', () => {
    expect(modelForShape(model, [7, 2, 3]).imageShape).toEqual([7, 2, 3]);
    // The padded size is the model's own.
    expect(modelForShape(made, [5, 8, 3]).imageShape).toEqual([5, 8, 3]);
    expect(modelForShape(made, [5, 8, 3])).not.toHaveProperty('dispose');
  });
});
