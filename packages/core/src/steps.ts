import { clampTo, perSample, sampleNorm } from './gradients.ts';
import { tf } from './tensorflow.ts';
import { traced } from './trees.ts';
import type {
  Denoise,
  Image,
  ImageShape,
  Level,
  NoiseProcess,
  Scheduler,
  ScoreModel,
  Step,
  StepRandom,
  StepTensors,
  Tensor,
} from './types.ts';

/**
 * Pure noise at the first level, [batch, ...shape]: N(0, I) on a VP process, sigma N(0, I) on a VE one
 * (docs/methods.md 4). The level tells them apart: signal is exactly 1 for VE, and below 1 at every noisy VP level.
 */
export function initialNoise(batch: number, shape: ImageShape, level: Level, random: StepRandom): Image {
  const noise = random.normal('start', [batch, ...shape]);
  return level.signal === 1 ? noise.mul(level.noise) : noise;
}

/** The model with x0hat clamped to `range`, where there is one; epsilon stays the network's. */
export const clampedDenoiser =
  (model: Pick<ScoreModel, 'predict'>, range: ScoreModel['range']): Denoise =>
  (x, level) => {
    const prediction = model.predict(x, level);
    return { ...prediction, x0hat: clampTo(range, prediction.x0hat) };
  };

/**
 * One reverse step with a denoiser in place of the model: what a method does that only changes x0hat. Works with every
 * scheduler.
 */
export function reverseStep(
  scheduler: Scheduler,
  denoise: Denoise,
  xt: Image,
  step: StepTensors,
  noise: Image,
): { state: Image; x0hat: Image } {
  const prediction = denoise(xt, step.level);
  if (scheduler.advance)
    return { state: scheduler.advance(denoise, xt, prediction, step, noise), x0hat: prediction.x0hat };
  const { mean, std } = scheduler.transition(xt, prediction, step);
  return { state: mean.add(noise.mul(std)), x0hat: prediction.x0hat };
}

/**
 * Compiles a method's step with the scheduler, and gives what to call in each step. Where the scheduler advances
 * (Heun), the last step is compiled with its `transition` instead: a second look at the model, at sigma 0, would be
 * wasted. A denoiser in `reverseStep` is then called as often as `denoiserCalls` says.
 */
export function compileSteps<F>(scheduler: Scheduler, compile: (scheduler: Scheduler) => F): (step: Step) => F {
  const usual = compile(scheduler);
  const { advance, ...euler } = scheduler;
  const last = advance === undefined ? usual : compile(euler);
  return ({ index }) => (index === 0 ? last : usual);
}

/** Calls of the denoiser in `steps` steps: one each, and with Heun a second one in all but the last. */
export const denoiserCalls = ({ advance }: Scheduler, steps: number): number =>
  advance === undefined ? steps : 2 * steps - 1;

/** What is added to a length, so that the direction of a zero vector is finite; the guard of the released DSG code. */
const DIRECTION_GUARD = 1e-8;

/**
 * The radius at which samples of N(mean, std^2) concentrate: sqrt(sum std^2) over the entries of each image, [B];
 * sqrt(d) std for a constant std.
 */
export const noiseRadius = (std: Tensor, like: Image): Tensor => sampleNorm(std.mul(like.onesLike()));

/**
 * The point at distance `radius` [B] from `center` in the direction of `offset`, per sample; `center` where `offset` is
 * zero. [B, H, W, C]
 */
export function onSphere(center: Image, radius: Tensor, offset: Image): Image {
  const length = radius.div(sampleNorm(offset).add(DIRECTION_GUARD));
  return center.add(offset.mul(perSample(length, offset)));
}

/**
 * Whether a scheduler's steps are random: methods that move within the noise of a step can do nothing in deterministic
 * ones (DDIM, eta 0).
 */
export function addsNoise(scheduler: Scheduler, process: NoiseProcess): boolean {
  const [first] = scheduler.levels(process);
  if (first === undefined) return false;
  return tf.tidy(() => {
    const xt: Image = tf.zeros([1, 1, 1, 1]);
    const { std } = scheduler.transition(xt, { x0hat: xt, epsilon: xt, varianceFraction: xt }, traced(first));
    return (std.max().dataSync()[0] ?? 0) > 0;
  });
}
