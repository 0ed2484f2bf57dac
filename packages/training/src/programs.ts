import { type Image, type LevelTensors, type Tensor, tf } from '@tweedie/core';
import { jit, type JitOptions } from '@tweedie/jit';
import { admUnet, type AdmUnet, type NetworkCard, trainedPredict } from '@tweedie/networks';
import type { Loss } from './losses.ts';

type Weights = { readonly [name: string]: Tensor };
/** Clean images, noise and the columns of their levels. */
type Noised = { readonly x0: Tensor; readonly noise: Tensor; readonly columns: { readonly [name: string]: Tensor } };

/** What training computes on the engine; weights are arguments, so that one graph serves all of them. */
export function compilePrograms(card: NetworkCard, loss: Loss, options: JitOptions) {
  const names = (weights: Weights): string[] => Object.keys(weights);
  const unetOf = (weights: Weights): AdmUnet => admUnet(card.network, new Map(Object.entries(weights)));
  const losses = (weights: Weights, { x0, noise, columns }: Noised): Tensor =>
    loss.of(unetOf(weights), x0 as Image, noise as Image, columns);

  /** The loss of each image and the gradients of their mean, in the order of the weights. */
  const step = jit((weights: Weights, noised: Noised): { losses: Tensor; gradients: readonly Tensor[] } => {
    let each: Tensor | undefined;
    const { grads } = tf.valueAndGrads((...values: Tensor[]) => {
      const own = Object.fromEntries(names(weights).map((name, i) => [name, values[i] as Tensor]));
      const found = losses(own, noised);
      each = tf.keep(found.clone());
      return found.mean();
    })(names(weights).map((name) => weights[name] as Tensor));
    return { losses: each as Tensor, gradients: grads };
  }, options);
  const validate = jit(losses as (weights: Weights, noised: Noised) => Tensor, options);
  /** x0hat of VE states [B, H, W, C] at one level. */
  const denoise = jit((weights: Weights, z: Tensor, level: LevelTensors): Tensor => {
    const { x0hat } = trainedPredict(card, unetOf(weights))((z as Image).mul(level.signal), level);
    return x0hat;
  }, options);
  return {
    step,
    validate,
    denoise,
    dispose: () => [step, validate, denoise].forEach((program: { dispose(): void }) => program.dispose()),
  };
}
export type Programs = ReturnType<typeof compilePrograms>;
