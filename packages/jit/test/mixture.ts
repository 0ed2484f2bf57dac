/** A step of DPS on the 8-dimensional mixture of 25 Gaussians, 1000 samples: the smallest graph of use. */
import { type Scalar, type Tensor, tf } from '@tweedie/core';

const [samples, dimension, components] = [1000, 8, 25];

export function mixtureStep() {
  const pairs = Array.from({ length: components }, (_, k) => [Math.floor(k / 5) - 2, (k % 5) - 2] as const);
  const means = tf.tensor2d(
    pairs.map(([i, j]) => Array.from({ length: dimension }, (_, axis) => -8 * (axis % 2 === 0 ? i : j))),
  );
  const logWeights = tf.tensor1d(pairs.map((_, k) => -Math.log(components) + 0.01 * k));
  const norms = means.square().sum(1);
  const A = tf.tensor2d([Array.from({ length: dimension }, (_, axis) => Math.sin(axis + 1) / 10)]);

  return (
    xt: Tensor,
    y: Tensor,
    noise: Tensor,
    level: { signal: Scalar; std: Scalar; alphaBar: Scalar },
    scale: Scalar,
  ) => {
    const { signal, std, alphaBar } = level;
    const denoise = (x: Tensor): Tensor => {
      const z = x.div(signal);
      const variance = tf.scalar(1).div(alphaBar).sub(1).add(1);
      const logits = logWeights.add(z.matMul(means, false, true).sub(norms.mul(0.5)).div(variance));
      const posterior = logits.softmax();
      const spread = tf.scalar(1).div(variance);
      return z.mul(spread).add(posterior.matMul(means).mul(tf.scalar(1).sub(spread)));
    };
    const misfit = (x: Tensor): Tensor =>
      y
        .sub(denoise(x).matMul(A, false, true))
        .square()
        .sum([1])
        .add(1e-30)
        .sqrt();
    const gradient = tf.grad((x) => misfit(x).sum())(xt);
    const x0hat = denoise(xt);
    return { state: x0hat.mul(signal).add(noise.mul(std)).sub(gradient.mul(scale)), x0hat };
  };
}

export const mixtureInputs = (rows = samples) => ({
  xt: tf.randomNormal([rows, dimension], 0, 10, 'float32', 1),
  y: tf.randomNormal([rows, 1], 0, 1, 'float32', 2),
  noise: tf.randomNormal([rows, dimension], 0, 1, 'float32', 3),
});
