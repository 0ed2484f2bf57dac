import {
  type Denoise,
  epsilonFromX0,
  type NoiseProcess,
  reverseStep,
  type Scheduler,
  type Step,
  tf,
  traced,
} from '@tweedie/core';

export type GaussianPrior = { readonly mean: number; readonly variance: number };
export type Law = { readonly mean: number; readonly variance: number };

/** E[x0 | xt] of the prior N(mean, variance) for every number of an image by itself. */
export const gaussianDenoiser =
  ({ mean, variance }: GaussianPrior): Denoise =>
  (xt, level) => {
    const noise = level.sigma.square();
    const x0hat = xt.div(level.signal).mul(variance).add(noise.mul(mean)).div(noise.add(variance));
    // At sigma 0 both halves of epsilon vanish.
    return {
      x0hat,
      epsilon: epsilonFromX0(xt, x0hat, { ...level, noise: level.noise.maximum(1e-20) }),
      varianceFraction: tf.fill(xt.shape, 0.5),
    };
  };

/** The law of a state at a level: N(signal mean, signal^2 variance + noise^2). */
export const lawAt = ({ mean, variance }: GaussianPrior, { signal, noise }: Step['level']): Law => ({
  mean: signal * mean,
  variance: signal ** 2 * variance + noise ** 2,
});

/**
 * Mean and variance of what a scheduler gives after its last step, for the prior N(mean, variance) of one number: the
 * denoiser is affine, so each step maps a Gaussian to a Gaussian, and no sampling is needed. What is left is the
 * discretisation error. `onStep` sees every step's law.
 */
export function gaussianLaw(
  scheduler: Scheduler,
  process: NoiseProcess,
  prior: GaussianPrior,
  onStep: (step: Step, law: Law) => void = () => undefined,
): Law {
  const steps = scheduler.levels(process);
  const [first] = steps;
  if (first === undefined) throw new Error('gaussianLaw: the schedule has no steps.');
  let law: Law = { mean: 0, variance: first.level.signal === 1 ? first.level.noise ** 2 : 1 };
  for (const step of steps) {
    // A step is affine in state and noise: three rows tell offset, gain and standard deviation.
    const [offset = NaN, atOne = NaN, withNoise = NaN] = tf.tidy(() => {
      const [xt, noise] = [tf.tensor4d([0, 1, 0], [3, 1, 1, 1]), tf.tensor4d([0, 0, 1], [3, 1, 1, 1])];
      return reverseStep(scheduler, gaussianDenoiser(prior), xt, traced(step), noise).state.dataSync();
    });
    const gain = atOne - offset;
    law = { mean: gain * law.mean + offset, variance: gain ** 2 * law.variance + (withNoise - offset) ** 2 };
    onStep(step, law);
  }
  return law;
}
