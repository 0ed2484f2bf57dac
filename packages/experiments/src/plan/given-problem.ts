import {
  checkMeasurement,
  checkMeasurementShape,
  ConfigError,
  encodeProblem,
  sha256,
  showShape,
  stackTrees,
  tf,
  type ImagePlace,
  type ImageShape,
  type KeyedRandom,
  type Operator,
  type Problem,
  sizeOf,
} from '@tweedie/core';

/**
 * The clean image, to be measured first; or a measurement. Row-major; `x0` is an image, `y` has the operator's
 * measurement shape. `image` says which picture it is, for an operator that keeps something for each.
 */
export type SampleProblem = (
  | { readonly x0: Float32Array }
  | {
      readonly y: Float32Array;
      /**
       * The channels of y are copies of one, its noise too, and the operator treats channels alike: a grey picture for
       * a prior of colours. Methods take their noise as independent, so they are told sqrt(C) sigmaY, at which C copies
       * say as much as the one; each sample is averaged over its channels, and the misfit is of that.
       */
      readonly alike?: boolean;
    }
) & {
  readonly image?: ImagePlace;
  /** Its class, for a model that is conditional on one. */
  readonly label?: number;
};

/**
 * Random numbers that refuse to be drawn: the parameters that a given measurement was made with cannot be found by
 * drawing others. `label` is the operator's in a recipe.
 */
export const nothingToDraw = (where: string, label?: string): KeyedRandom => {
  const unknowable = (): never => {
    throw new ConfigError(
      where,
      `${label === undefined ? 'the operator' : `operator ${JSON.stringify(label)}`} draws its parameters at random, and those that the measurement was made with are not known.`,
      label === undefined
        ? 'Choose options that draw nothing, or give a clean image (--degrade) to have it measured first.'
        : 'Choose options that draw nothing (inpaint: pattern file, or files with a mask for each), or give clean images, which are measured here.',
    );
  };
  return { normal: unknowable, uniform: unknowable, permutation: unknowable };
};

/**
 * A given measurement as a problem; the truth is not known and stands as zeros. Throws ConfigError where the size does
 * not fit the operator, and for an operator that draws its parameters, for those of the measurement are not known.
 */
export const givenProblem = (parts: {
  readonly name: string;
  readonly y: Float32Array;
  readonly imageShape: ImageShape;
  readonly operator: Operator;
  readonly operatorKey: string;
  readonly sigmaY: number;
  readonly image?: ImagePlace;
  readonly label?: number;
  /** The place in the recipe, or the function, that messages name. */
  readonly where: string;
}): Problem => {
  const { name, y, imageShape, operator, operatorKey, sigmaY, image, where, label } = parts;
  checkMeasurementShape(operator, operatorKey);
  const size = sizeOf(operator.measurementShape);
  if (y.length !== size) {
    throw new ConfigError(
      where,
      `the measurement has ${y.length} number${y.length === 1 ? '' : 's'}, the operator's measurements ${showShape(operator.measurementShape)} have ${size}.`,
      'Give y in that shape.',
    );
  }
  const drawn = operator.draw(nothingToDraw(where), image);
  // Methods rely on zeros where a mask operator hides the image.
  const shaped = tf.tidy(() => {
    const batch = tf.tensor(y, [1, ...operator.measurementShape]);
    return (operator.shapeNoise?.(batch, stackTrees([drawn])) ?? batch).squeeze([0]);
  });
  checkMeasurement(shaped, operator, operatorKey, name);
  const known = label === undefined ? {} : { label };
  const problem = { name, operator: operatorKey, sigmaY, x0: tf.zeros([...imageShape]), y: shaped, drawn, ...known };
  return { ...problem, hash: sha256(encodeProblem(problem)) };
};
