import { type NoiseProcess, type Scheduler, tf, traced } from '@tweedie/core';

/**
 * Mean and variance of what a scheduler gives after its last step, for the prior N(mean, variance) of one number: the denoiser is affine, so
 * each step maps a Gaussian to a Gaussian, and no sampling is needed. What is left is the discretisation error.
 */
export function gaussianLaw(scheduler: Scheduler, process: NoiseProcess, prior: { readonly mean: number; readonly variance: number }) {
  const steps = scheduler.levels(process);
  const [first] = steps;
  if (first === undefined) throw new Error('gaussianLaw: the schedule has no steps.');
  let mean = 0;
  let variance = first.level.signal === 1 ? first.level.noise ** 2 : 1;
  for (const step of steps) {
    const [fromX0 = NaN, fromXt = NaN, std = NaN] = tf.tidy(() => {
      // The mean of a transition is linear in (x0hat, xt): two rows tell its factors.
      const xt = tf.tensor4d([0, 1], [2, 1, 1, 1]);
      const x0hat = tf.tensor4d([1, 0], [2, 1, 1, 1]);
      const transition = scheduler.transition(xt, { x0hat, epsilon: tf.zerosLike(xt), varianceFraction: tf.fill([2, 1, 1, 1], 0.5) }, traced(step));
      return [...transition.mean.dataSync(), ...transition.std.dataSync()];
    });
    // x0hat = (variance z + sigma^2 mean) / (variance + sigma^2), z = xt / signal.
    const { sigma, signal } = step.level;
    const total = prior.variance + sigma ** 2;
    const gain = fromXt + (fromX0 * prior.variance) / (total * signal);
    mean = gain * mean + (fromX0 * sigma ** 2 * prior.mean) / total;
    variance = gain ** 2 * variance + std ** 2;
  }
  return { mean, variance };
}
