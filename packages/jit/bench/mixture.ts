/**
 * A step of DPS on the 8-dimensional mixture of 25 Gaussians, 1000 samples: the smallest graph of use, so what is measured is mostly
 * overhead. Prints milliseconds a step. Run: node --conditions=@tweedie/source --import tsx packages/jit/bench/mixture.ts
 */
import { eagerEngine, type Scalar, type Tensor, tf } from '@tweedie/core';
import { jit } from '../src/index.ts';

const [samples, dimension, components, steps] = [1000, 8, 25, 100];

export function mixtureStep() {
  const pairs = Array.from({ length: components }, (_, k) => [Math.floor(k / 5) - 2, (k % 5) - 2] as const);
  const means = tf.tensor2d(pairs.map(([i, j]) => Array.from({ length: dimension }, (_, axis) => -8 * (axis % 2 === 0 ? i : j))));
  const logWeights = tf.tensor1d(pairs.map((_, k) => -Math.log(components) + 0.01 * k));
  const norms = means.square().sum(1);
  const A = tf.tensor2d([Array.from({ length: dimension }, (_, axis) => Math.sin(axis + 1) / 10)]);

  return (xt: Tensor, y: Tensor, noise: Tensor, level: { signal: Scalar; std: Scalar; alphaBar: Scalar }, scale: Scalar) => {
    const { signal, std, alphaBar } = level;
    const denoise = (x: Tensor): Tensor => {
      const z = x.div(signal);
      const variance = tf.scalar(1).div(alphaBar).sub(1).add(1);
      const logits = logWeights.add(z.matMul(means, false, true).sub(norms.mul(0.5)).div(variance));
      const posterior = logits.softmax();
      const spread = tf.scalar(1).div(variance);
      return z.mul(spread).add(posterior.matMul(means).mul(tf.scalar(1).sub(spread)));
    };
    const misfit = (x: Tensor): Tensor => y.sub(denoise(x).matMul(A, false, true)).square().sum([1]).add(1e-30).sqrt();
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

if (import.meta.url === `file://${process.argv[1]}`) {
  const { xt, y, noise } = mixtureInputs();
  const step = mixtureStep();
  for (const [name, compiled] of [['onnxruntime', jit(step)], ['eager', eagerEngine().compile(step)]] as const) {
    const run = () => compiled(xt, y, noise, { signal: 0.7, std: 0.3, alphaBar: 0.49 }, 1);
    const started = performance.now();
    await run();
    const compiledIn = performance.now() - started;
    const times: number[] = [];
    for (let i = 0; i < (name === 'eager' ? 5 : steps); i++) {
      const before = performance.now();
      const { state, x0hat } = await run();
      state.dispose();
      x0hat.dispose();
      times.push(performance.now() - before);
    }
    times.sort((a, b) => a - b);
    console.log(name, `first call ${compiledIn.toFixed(0)} ms, median step ${times[times.length >> 1]?.toFixed(3)} ms`);
  }
}
