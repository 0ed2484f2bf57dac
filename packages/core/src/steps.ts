import type { Denoise, Image, ImageShape, Level, Scheduler, StepRandom, StepTensors } from './types.ts';

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
  if (scheduler.advance) return { state: scheduler.advance(denoise, xt, step, noise), x0hat: prediction.x0hat };
  const { mean, std } = scheduler.transition(xt, prediction, step);
  return { state: mean.add(noise.mul(std)), x0hat: prediction.x0hat };
}
