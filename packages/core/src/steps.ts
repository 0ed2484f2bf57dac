import type { Denoise, Image, ImageShape, Level, Scheduler, Step, StepRandom, StepTensors } from './types.ts';

/**
 * Pure noise at the first level, [batch, ...shape]: N(0, I) on a VP process, sigma N(0, I) on a VE one (methods.md 4). The level tells them
 * apart: signal is exactly 1 for VE, and below 1 at every noisy VP level.
 */
export function initialNoise(batch: number, shape: ImageShape, level: Level, random: StepRandom): Image {
  const noise = random.normal('start', [batch, ...shape]) as Image;
  return level.signal === 1 ? noise.mul(level.noise) : noise;
}

/** One reverse step with a denoiser in place of the model: what a method does that only changes x0hat. Works with every scheduler. */
export function reverseStep(scheduler: Scheduler, denoise: Denoise, xt: Image, step: StepTensors, noise: Image): { state: Image; x0hat: Image } {
  const prediction = denoise(xt, step.level);
  if (scheduler.advance) return { state: scheduler.advance(denoise, xt, prediction, step, noise), x0hat: prediction.x0hat };
  const { mean, std } = scheduler.transition(xt, prediction, step);
  return { state: mean.add(noise.mul(std)), x0hat: prediction.x0hat };
}

/**
 * What `compile` makes of the scheduler, to be used in every step; where the scheduler advances (Heun), what it makes of `transition` in the last
 * one, for which a second look, at sigma 0, would be wasted. A denoiser in `reverseStep` is then called as often as `denoiserCalls` says.
 */
export function compileSteps<F>(scheduler: Scheduler, compile: (scheduler: Scheduler) => F): (step: Step) => F {
  const usual = compile(scheduler);
  const { advance, ...euler } = scheduler;
  const last = advance === undefined ? usual : compile(euler);
  return ({ index }) => (index === 0 ? last : usual);
}

/** Calls of the denoiser in `steps` steps: one each, and with Heun a second one in all but the last. */
export const denoiserCalls = ({ advance }: Scheduler, steps: number): number => (advance === undefined ? steps : 2 * steps - 1);
