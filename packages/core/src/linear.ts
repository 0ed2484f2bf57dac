import { perSample, sampleDot, vjp } from './gradients.ts';
import { sizeOf } from './shapes.ts';
import { tf } from './tensorflow.ts';
import { batchSize } from './trees.ts';
import type { Image, ImageShape, Measurement, Operator, Tensor, TensorTree } from './types.ts';

/**
 * What is added to a divisor to keep 0 / 0 out of the steps after convergence; far below any squared residual that
 * float32 can show.
 */
const SQUARE_FLOOR = 1e-30;

/**
 * A^T v, [B, ...measurementShape] -> [B, H, W, C]: the operator's own adjoint or, where it has none, the vjp of
 * `forward`, which for a linear A is the adjoint whatever the point. Cost: 1 operator call (compiled; eager
 * TensorFlow.js also runs `forward`). Throws RangeError where the operator is not linear.
 */
export function adjointOf<P extends TensorTree>(
  operator: Operator<P>,
  imageShape: ImageShape,
): (v: Measurement, drawn: P) => Image {
  if (!operator.linear) throw new RangeError('adjointOf: the operator is not linear.');
  if (operator.adjoint) return operator.adjoint;
  return (v, drawn) => {
    const anywhere: Image = tf.zeros([batchSize(v), ...imageShape]);
    return vjp((x) => operator.forward(x, drawn), anywhere, v);
  };
}

/**
 * (A A^T + ridge I)^-1 y, the shape of y: the operator's own `solve` or, where it has none, `iterations` of conjugate
 * gradients from zero, per sample. `ridge` > 0, a scalar. Exact after as many iterations as A A^T has distinct
 * eigenvalues; the error falls by (sqrt(k) - 1) / (sqrt(k) + 1) or more in each, k the condition number of A A^T +
 * ridge I (2 for bicubic downsampling by 4: 10 are plenty). The loop is unrolled in a compiled graph and
 * differentiates. Cost: 2 operator calls an iteration. Throws RangeError where the operator is not linear. Hestenes and
 * Stiefel 1952, Section 3.
 */
export function solveOf<P extends TensorTree>(
  operator: Operator<P>,
  imageShape: ImageShape,
  { iterations = 20 }: { readonly iterations?: number } = {},
): (y: Measurement, ridge: Tensor, drawn: P) => Measurement {
  const adjoint = adjointOf(operator, imageShape);
  if (operator.solve) return operator.solve;
  return (y, ridge, drawn) => {
    let solution: Measurement = tf.zerosLike(y);
    let residual = y;
    let direction = y;
    let square = sampleDot(residual, residual);
    for (let i = 0; i < iterations; i++) {
      const image = operator.forward(adjoint(direction, drawn), drawn).add(direction.mul(ridge));
      const length = perSample(square.div(sampleDot(direction, image).add(SQUARE_FLOOR)), y);
      solution = solution.add(direction.mul(length));
      residual = residual.sub(image.mul(length));
      const next = sampleDot(residual, residual);
      direction = residual.add(direction.mul(perSample(next.div(square.add(SQUARE_FLOOR)), y)));
      square = next;
    }
    return solution;
  };
}

/**
 * Unit images, [count, H, W, C]: the images in which entry `from`, `from + 1`, ... alone is 1. A linear operator of
 * them gives columns of its matrix.
 */
export const unitImages = (from: number, count: number, imageShape: ImageShape): Image =>
  tf.tidy(() => {
    const entries = sizeOf(imageShape);
    // Not tf.oneHot, which refuses images of one entry.
    const columns = tf.range(from, from + count, 1, 'int32').expandDims(1);
    return tf
      .equal(columns, tf.range(0, entries, 1, 'int32'))
      .cast('float32')
      .reshape([count, ...imageShape]);
  });
