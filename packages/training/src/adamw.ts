import type { Layout } from './parameters.ts';
import type { Optimizer } from './recipe.ts';

/** What training keeps of a network, each [layout.size]. */
export type State = {
  readonly weights: Float32Array;
  /** The averaged weights, which are used in the end. */
  readonly ema: Float32Array;
  /** Running means of the gradients and of their squares. */
  readonly first: Float32Array;
  readonly second: Float32Array;
};

export const freshState = (weights: Float32Array): State => ({
  weights,
  ema: weights.slice(),
  first: new Float32Array(weights.length),
  second: new Float32Array(weights.length),
});

const EPSILON = 1e-8;

/** The 2-norm of all gradients together. */
export function gradientNorm(gradients: readonly ArrayLike<number>[]): number {
  let sum = 0;
  for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) sum += (gradient[i] as number) ** 2;
  return Math.sqrt(sum);
}

/** The learning rate when `seen` images were seen, the step's own included. */
export const rateAt = ({ rate, warmup, cooldown }: Optimizer, seen: number, images: number): number =>
  rate *
  Math.min(1, warmup === 0 ? 1 : seen / warmup) *
  (cooldown === 0 ? 1 : Math.min(1, Math.max(0, images - seen) / cooldown));

/**
 * One step of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, Algorithm 2), and of the averaged weights, in place:
 *   m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g^2,
 *   w = w - rate (m / (1 - b1^k) / (sqrt(v / (1 - b2^k)) + 1e-8) + decay w),   ema = keep ema + (1 - keep) w.
 * `g` are the gradients times `scale`; k counts from 1; vectors (norms and biases) do not decay.
 */
export function adamw(
  { weights, ema, first, second }: State,
  gradients: readonly ArrayLike<number>[],
  { tensors }: Layout,
  { betas: [b1, b2], weightDecay }: Optimizer,
  {
    k,
    rate,
    scale,
    keep,
  }: { readonly k: number; readonly rate: number; readonly scale: number; readonly keep: number },
): void {
  const step = rate / (1 - b1 ** k);
  const unbias = 1 / Math.sqrt(1 - b2 ** k);
  tensors.forEach(({ begin, end, shape }, index) => {
    const gradient = gradients[index] as ArrayLike<number>;
    const shrink = 1 - (shape.length > 1 ? rate * weightDecay : 0);
    for (let i = begin; i < end; i++) {
      const g = (gradient[i - begin] as number) * scale;
      const m = (first[i] = b1 * (first[i] as number) + (1 - b1) * g);
      const v = (second[i] = b2 * (second[i] as number) + (1 - b2) * g * g);
      const w = (weights[i] = shrink * (weights[i] as number) - (step * m) / (Math.sqrt(v) * unbias + EPSILON));
      ema[i] = keep * (ema[i] as number) + (1 - keep) * w;
    }
  });
}

/** Early on the average reaches back over this share of what was seen, however long its half-life. */
const RAMP = 0.05;

/** The share of the average that a step of `batch` images keeps: half of it after `halfLife` images. */
export const keptOf = (halfLife: number, batch: number, seen: number): number =>
  0.5 ** (batch / Math.max(1, Math.min(halfLife, RAMP * seen)));
