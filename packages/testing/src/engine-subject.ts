import {
  type Engine,
  type Guidance,
  type Operator,
  type Scheduler,
  type Tensor,
  type TensorTree,
  tf,
} from '@tweedie/core';

export type EngineSettings = {
  /** Largest relative difference from plain TensorFlow.js; default 1e-5. A device of fewer digits needs more. */
  readonly tolerance?: number;
};

/** What the engine checks look at. */
export type EngineSubject = {
  readonly id: string;
  readonly tolerance: number;
  readonly engine: Engine;
  /** Plain TensorFlow.js, which it is compared with. */
  readonly plain: Engine;
  /** What a guided sampling of 4x4 pictures in colour needs: DPS, inpainting, ten steps of DDPM. */
  readonly method: () => Promise<{
    readonly guidance: Guidance<TensorTree>;
    readonly operator: Operator;
    readonly scheduler: Scheduler;
  }>;
};

/** The shape of the pictures of a guided sampling. */
export const SAMPLED = [4, 4, 3] as const;

/** Numbers about 0, the same each time, no two alike: [-1.5, 1.5]. */
export const numbers = (shape: readonly number[], seed = 1): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => 1.5 * Math.sin(12.9898 * seed * (i + 1)));
  return tf.tensor(values, [...shape]);
};

/** Runs with tensors that are disposed afterwards. */
export async function withTensors<T extends readonly Tensor[], R>(tensors: T, run: (...given: T) => Promise<R>) {
  try {
    return await run(...tensors);
  } finally {
    tf.dispose([...tensors]);
  }
}
