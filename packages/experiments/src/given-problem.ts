import { ConfigError, encodeProblem, keyedRandom, sha256, showShape, stackTrees, tf, type ImageShape, type Operator, type Problem } from '@tweedie/core';

/** A measurement as a problem; the truth is not known and stands as zeros. What the operator draws depends on the seed, the name and the operator, as in `makeProblem`. */
export const givenProblem = (parts: {
  readonly name: string;
  readonly y: Float32Array;
  readonly imageShape: ImageShape;
  readonly operator: Operator;
  readonly operatorKey: string;
  readonly sigmaY: number;
  readonly seed: number;
  /** Who asks, for messages. */
  readonly where: string;
}): Problem => {
  const { name, y, imageShape, operator, operatorKey, sigmaY, seed, where } = parts;
  const size = operator.measurementShape.reduce((product, axis) => product * axis, 1);
  if (y.length !== size) {
    throw new ConfigError(where, `the measurement has ${y.length} number${y.length === 1 ? '' : 's'}, the operator's measurements ${showShape(operator.measurementShape)} have ${size}.`, 'Give y in that shape.');
  }
  const drawn = operator.draw(keyedRandom(`problem ${seed} ${name} ${operatorKey}`));
  // Methods rely on zeros where a mask operator hides the image.
  const shaped = tf.tidy(() => {
    const batch = tf.tensor(y, [1, ...operator.measurementShape]);
    return (operator.shapeNoise?.(batch, stackTrees([drawn])) ?? batch).squeeze([0]);
  });
  const problem = { name, operator: operatorKey, sigmaY, x0: tf.zeros([...imageShape]), y: shaped, drawn };
  return { ...problem, hash: sha256(encodeProblem(problem)) };
};
