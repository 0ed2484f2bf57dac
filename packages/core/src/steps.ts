import type { Denoise, Image, ImageShape, Level, Scheduler, StepRandom, StepTensors } from './types.ts';

/** Pure noise at the first level: unit variance for VP (signal below 1), sigma for VE. [batch, ...shape] */
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
