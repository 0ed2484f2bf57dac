import {
  tf,
  type BoundGuidance,
  type Image,
  type ImageShape,
  type Measured,
  type Step,
  type Stepped,
  type StepRandom,
  type Tensor,
  type TensorTree,
} from '@tweedie/core';

const isImage = (node: unknown, imageShape: ImageShape): node is Image =>
  node instanceof tf.Tensor && node.rank === 4 && imageShape.every((size, axis) => node.shape[axis + 1] === size);

const isRecord = (state: TensorTree): state is { readonly [key: string]: TensorTree } =>
  typeof state === 'object' && !Array.isArray(state) && !(state instanceof tf.Tensor);

/** The noisy image of a method's state: the state itself, or its member `xt`. */
export const imageOf = (state: TensorTree, imageShape: ImageShape): Image | undefined => {
  const candidate = isRecord(state) ? state['xt'] : state;
  return isImage(candidate, imageShape) ? candidate : undefined;
};

/** The same state around another noisy image. */
export const withImage = (state: TensorTree, xt: Image): TensorTree => (isRecord(state) ? { ...state, xt } : xt);

/** One step as it was taken. */
export type SeenStep = {
  readonly state: TensorTree;
  readonly step: Step;
  readonly problem: Measured;
  readonly stepped: Stepped<TensorTree>;
  /** The noise drawn for the purpose `step`, where it was drawn once and is an image. */
  readonly noise?: Image;
};

/** The method with an eye on every step; its results are the same. */
export const observed = (
  bound: BoundGuidance,
  imageShape: ImageShape,
  see: (seen: SeenStep) => Promise<void>,
): BoundGuidance => ({
  ...bound,
  sampler: {
    ...bound.sampler,
    async step(state, step, problem, random) {
      const drawn: Tensor[] = [];
      const watched: StepRandom = {
        ...random,
        normal: ((purpose, shape, donated) => {
          const noise = random.normal(purpose, shape, donated);
          if (purpose === 'step') drawn.push(noise.clone());
          return noise;
        }) as StepRandom['normal'],
      };
      const stepped = await bound.sampler.step(state, step, problem, watched);
      const noise = drawn.length === 1 ? drawn[0] : undefined;
      await see({ state, step, problem, stepped, ...(isImage(noise, imageShape) && { noise }) });
      return stepped;
    },
  },
});
