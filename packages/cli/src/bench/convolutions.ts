/** Convolutions as U-Nets are made of them, to compare networks with: how fast one can get on this machine. */
import { type Scalar, tf } from '@tweedie/core';
import { jit } from '@tweedie/jit';
import type { Contender } from './measure.ts';

const layers = [
  [64, 32],
  [128, 64],
  [256, 32],
  [256, 64],
  [512, 16],
] as const;
/** About how many GFLOP one run has: much beside starting a call, little beside a network. */
const ENOUGH = 2;

export type Convolutions = Contender & {
  readonly gflop: number;
  dispose(): void;
};

/**
 * Contenders that run 3x3 layers with as many channels out as in, one after the other. They run inside one graph, on
 * memory that it keeps, and only a sum of each channel leaves it: fresh memory for a result can cost more than the
 * convolution.
 */
export const convolutions = (threads: number): readonly Convolutions[] =>
  layers.map(([channels, size]) => {
    const gflopOfOne = (2 * 9 * size ** 2 * channels ** 2) / 1e9;
    const count = Math.max(2, Math.round(ENOUGH / gflopOfOne));
    const bound = Math.sqrt(3 / (9 * channels));
    const filter = tf.randomUniform<tf.Rank.R4>([3, 3, channels, channels], -bound, bound, 'float32', 1);
    // The argument `scale` keeps ONNX Runtime from computing all of it when the session is made.
    const compiled = jit(
      (scale: Scalar) => {
        let x = tf.ones<tf.Rank.R4>([1, size, size, channels]).mul<tf.Tensor4D>(scale);
        for (let i = 0; i < count; i++) x = tf.conv2d(x, filter, 1, 'same');
        return x.sum([1, 2]);
      },
      { threads },
    );
    return {
      name: `${channels} channels at ${size}x${size}`,
      gflop: count * gflopOfOne,
      run: async () => (await compiled(1)).dispose(),
      dispose() {
        compiled.dispose();
        filter.dispose();
      },
    };
  });
