import { ConfigError, showShape } from './errors.ts';
import type { ImageShape, ScoreModel } from './types.ts';

const sameShape = (a: ImageShape, b: ImageShape): boolean => a.every((size, axis) => size === b[axis]);

/**
 * The model of images of one shape: itself where that is its own, else what `sizes` makes of it. Weights stay those of
 * `model`, which alone is disposed of. Throws ConfigError where the model knows one shape and it is another.
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
  const { multipleOf } = sizes;
  if (height % multipleOf !== 0 || width % multipleOf !== 0)
    throw new ConfigError(
      'model',
      `the images are ${showShape(shape)}, and its network halves them until ${multipleOf} pixels are one.`,
      `Give sides that are multiples of ${multipleOf}.`,
    );
  const { dispose: _, ...made } = sizes.forShape(shape);
  return made;
};
