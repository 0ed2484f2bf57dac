import { type Image, type Operator, type OperatorFactory, type Tensor, tf } from '@tweedie/core';

// Edit 1 of 3: the options. Names, ranges and defaults stand in plugin.json, by which they are checked beforehand.
export interface ExampleOptions {
  /** Gains are uniform in 1 - spread to 1 + spread; below 1. */
  readonly spread: number;
}

// Edit 2 of 3: what it is, in a sentence and as an equation: shapes, what is drawn, errors, cost, source.
/**
 * A sensor whose pixels differ: y = gain x0 + sigmaY * noise, entry by entry.
 *   A = A^T = gain,  A^+ = 1 / gain,  [B, H, W, C] -> [B, H, W, C]
 * The gains, [H, W, C], are drawn for each problem.
 */
export const example: OperatorFactory<ExampleOptions> = ({ spread }, { imageShape }) => {
  const [height, width, channels] = imageShape;
  const amplify = (x: Tensor, { gain }: { readonly gain: Tensor }): Image => x.mul(gain);

  // Edit 3 of 3: the mathematics. Only `forward` is a must; what plugin.json names under "provides" is here, exact.
  const operator: Operator<{ readonly gain: Tensor }> = {
    linear: true,
    measurementShape: imageShape,
    draw: (random) => ({
      gain: tf.tensor3d(
        Float32Array.from(random.uniform('gain', height * width * channels), (u) => 1 + spread * (2 * u - 1)),
        [height, width, channels],
      ),
    }),
    forward: amplify,
    adjoint: amplify,
    pseudoInverse: (y, { gain }) => y.div(gain),
  };
  return operator;
};
