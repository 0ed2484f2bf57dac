import { mapPrediction } from './conversions.ts';
import { ConfigError, showShape } from './errors.ts';
import { tf } from './tensorflow.ts';
import type { Image, ImageShape, ScoreModel } from './types.ts';

const sameShape = (a: ImageShape, b: ImageShape): boolean => a.every((size, axis) => size === b[axis]);

/**
 * The model of images of one shape: itself where that is its own, else what `sizes` makes of it. Sides that are no
 * multiple of `sizes.multipleOf` are padded by reflection inside `predict`, on both ends alike, and what is predicted
 * is cut: the noise in the margin is then a mirror image of that beside it. Weights stay those of `model`, which alone
 * is disposed of. Throws ConfigError where the model knows one shape and it is another.
 */
export const modelForShape = (model: ScoreModel, shape: ImageShape): ScoreModel => {
  const { imageShape, sizes } = model;
  if (sameShape(imageShape, shape)) return model;
  const [height, width, channels] = shape;
  if (sizes === undefined || channels !== imageShape[2])
    throw new ConfigError(
      'model',
      `the images are ${showShape(shape)}, the model's ${showShape(imageShape)}.`,
      sizes === undefined
        ? 'Bring them to that shape, or choose a model of any size.'
        : `It takes any size, with ${imageShape[2]} channel${imageShape[2] === 1 ? '' : 's'}.`,
    );
  const whole = (side: number): number => Math.ceil(side / sizes.multipleOf) * sizes.multipleOf;
  const padded: ImageShape = [whole(height), whole(width), channels];
  const { dispose: _, ...made } = sameShape(padded, imageShape) ? model : sizes.forShape(padded);
  return sameShape(padded, shape) ? made : cutTo(shape, { ...made, sizes });
};

/** A model whose images are padded for another, of at least their size. */
const cutTo = (imageShape: ImageShape, model: ScoreModel): ScoreModel => {
  const before = (axis: 0 | 1): number => Math.floor((model.imageShape[axis] - imageShape[axis]) / 2);
  const [top, left] = [before(0), before(1)];
  return {
    ...model,
    imageShape,
    predict(xt, level, condition) {
      const [rows, columns] = model.imageShape;
      const wide = reflected(reflected(xt, 1, top, rows), 2, left, columns);
      const cut = (image: Image): Image =>
        tf.slice(image, [0, top, left, 0], [-1, imageShape[0], imageShape[1], -1]) as Image;
      return mapPrediction(model.predict(wide, level, condition), cut);
    },
  };
};

/**
 * An image made `size` long along an axis by mirroring it at its ends, `before` of it in front: the edge itself is not
 * repeated. Where the image is shorter than its margin the mirror image is mirrored again.
 */
export const reflected = (x: Image, axis: 1 | 2, before: number, size: number): Image => {
  const length = x.shape[axis];
  const after = size - length - before;
  if (before === 0 && after === 0) return x;
  // A single pixel has nothing beside its edge.
  const [most, mode] = length === 1 ? ([1, 'symmetric'] as const) : ([length - 1, 'reflect'] as const);
  const now = [Math.min(before, most), Math.min(after, most)] as const;
  const paddings = x.shape.map((_, i): [number, number] => (i === axis ? [...now] : [0, 0]));
  const wider = tf.mirrorPad(x, paddings, mode) as Image;
  return reflected(wider, axis, before - now[0], size);
};
