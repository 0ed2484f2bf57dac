/** The states of VGG16 that LPIPS compares, and how it does. */
import { type Image, type Tensor, tf } from '@tweedie/core';

/** Numbers of torchvision's convolutions, block by block; a pooling stands between two blocks. */
export const blocks: readonly (readonly number[])[] = [
  [0, 2],
  [5, 7],
  [10, 12, 14],
  [17, 19, 21],
  [24, 26, 28],
];

export type LpipsWeights = {
  /** By number: filters [3, 3, in, out] and biases [out]. */
  readonly convolutions: ReadonlyMap<number, { readonly filter: Tensor; readonly bias: Tensor }>;
  /** Of the channels of each block, [channels]. */
  readonly linear: readonly Tensor[];
};

/** Mean and standard deviation of the colours that VGG16 was trained on, of images in [0, 1]. */
const colours = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** Keeps a state of zeros from being divided by zero; as in piq. */
const least = 1e-10;

/** The states behind each block of images in [0, 1]. */
function states(x: Image, { convolutions }: LpipsWeights): readonly Image[] {
  let h = x.sub(tf.tensor1d(colours.mean)).div(tf.tensor1d(colours.std));
  return blocks.map((numbers, block) => {
    if (block > 0) h = tf.avgPool(h, 2, 2, 'valid');
    for (const number of numbers) {
      const { filter, bias } = convolutions.get(number) ?? {};
      if (filter && bias)
        h = tf
          .conv2d(h, filter as tf.Tensor4D, 1, 1)
          .add(bias)
          .relu() as Image;
    }
    return h;
  });
}

const direction = (state: Image): Image => state.div(state.square().sum(3, true).sqrt().add(least));

/** The distance of each pair, [B]; images [B, H, W, 3] in [0, 1]. */
export function distance(a: Image, b: Image, weights: LpipsWeights): Tensor {
  const [ofA, ofB] = [states(a, weights), states(b, weights)];
  return ofA
    .map((state, layer): Tensor => {
      const other = ofB[layer] ?? state;
      const linear = weights.linear[layer] ?? tf.scalar(0);
      return direction(state).sub(direction(other)).square().mul(linear).sum(3).mean([1, 2]);
    })
    .reduce((sum, each) => sum.add(each));
}
