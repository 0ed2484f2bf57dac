import { type KeyedRandom, tf, type Tensor } from '@tweedie/core';
import type { JitOptions } from '@tweedie/jit';
import { admPlan, type NetworkCard } from '@tweedie/networks';
import { adamw, gradientNorm, keptOf, rateAt, type State } from './adamw.ts';
import { lossOf } from './losses.ts';
import { layoutOf, tensorsIn } from './parameters.ts';
import { compilePrograms } from './programs.ts';
import type { TrainingRecipe } from './recipe.ts';

/** Clean images [B, H, W, C], noise of that shape, and the columns of their levels, [B] each. */
export type Batch = {
  readonly x0: Tensor;
  readonly noise: Tensor;
  readonly columns: { readonly [name: string]: Tensor };
};

/** What a step saw and did. */
export type Step = {
  /** The mean loss of the batch, and the 2-norm of its gradients before clipping; both before the step. */
  readonly loss: number;
  readonly norm: number;
  readonly rate: number;
  /** The share of the averaged weights that was kept. */
  readonly keep: number;
};

/** The network, the loss and the compiled programs of a training file, and the step that is repeated. */
export function compileTraining(recipe: TrainingRecipe, options: JitOptions) {
  const { imageSize, inChannels } = admPlan(recipe.network);
  const shape = [imageSize, imageSize, inChannels] as const;
  const loss = lossOf(recipe.loss, recipe.network.learn_sigma ?? false);
  const card: NetworkCard = { network: recipe.network, prediction: loss.prediction };
  const layout = layoutOf(recipe.network);
  // A training runs for hours beside other work, where threads that spin take the cores that it needs itself: on a busy
  // machine a step of the prior of photographs took 1.5 to 2 times as long.
  const programs = compilePrograms(card, loss, { waiting: 'sleep', ...options });
  return {
    shape,
    loss,
    card,
    layout,
    programs,

    /** A batch of `images`, [recipe.batch, ...shape]; noise and levels are drawn. The caller disposes it. */
    batch(images: Float32Array, random: KeyedRandom): Batch {
      return {
        x0: tf.tensor(images, [recipe.batch, ...shape]),
        noise: tf.tensor(random.normal('noise', images.length), [recipe.batch, ...shape]),
        columns: Object.fromEntries(
          Object.entries(loss.levels(recipe.batch, random)).map(([name, values]) => [name, tf.tensor1d(values)]),
        ),
      };
    },

    /**
     * Steps of a state, which they change in place: loss and gradients of a batch, clipping, AdamW, averaged weights.
     * k counts from 1. Where loss or gradients are no numbers the state stays as it is.
     */
    stepsOf(state: State) {
      const weights = tensorsIn(state.weights, layout);
      return {
        async step(batch: Batch, k: number): Promise<Step> {
          const { losses, gradients } = await programs.step(weights, batch);
          const each = losses.dataSync() as Float32Array;
          const numbers = gradients.map((gradient) => gradient.dataSync() as Float32Array);
          tf.dispose([losses, ...gradients]);
          const seen = k * recipe.batch;
          const done: Step = {
            loss: each.reduce((sum, value) => sum + value, 0) / each.length,
            norm: gradientNorm(numbers),
            rate: rateAt(recipe.optimizer, seen, recipe.images),
            keep: keptOf(recipe.ema, recipe.batch, seen),
          };
          if (Number.isFinite(done.loss) && Number.isFinite(done.norm))
            adamw(state, numbers, layout, recipe.optimizer, {
              k,
              rate: done.rate,
              scale: Math.min(1, recipe.optimizer.clip / done.norm),
              keep: done.keep,
            });
          return done;
        },
        dispose: () => tf.dispose(Object.values(weights)),
      };
    },
    dispose: () => programs.dispose(),
  };
}
