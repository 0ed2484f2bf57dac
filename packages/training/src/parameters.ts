import { type KeyedRandom, sizeOf, tf, type Tensor } from '@tweedie/core';
import { type AdmConfig, admParameters, tensorShapeOf } from '@tweedie/networks';

/** Where each tensor of a network lies in one array of all its numbers, in TensorFlow's layout. */
export type Layout = {
  readonly size: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly begin: number;
    readonly end: number;
  }[];
};

export function layoutOf(config: AdmConfig): Layout {
  let size = 0;
  const tensors = admParameters(config).map((parameter) => {
    const begin = size;
    size += sizeOf(parameter.shape);
    return { name: parameter.name, shape: tensorShapeOf(parameter), begin, end: size };
  });
  return { size, tensors };
}

/** The tensors of a network by name. They share the memory of `values`: what is written there is what they hold. */
export const tensorsIn = (values: Float32Array, { tensors }: Layout): { readonly [name: string]: Tensor } =>
  Object.fromEntries(
    tensors.map(({ name, shape, begin, end }) => [name, tf.tensor(values.subarray(begin, end), [...shape])]),
  );

/** The last layers of a branch begin at zero, so that every block begins as the identity (the same paper's code). */
const startsAtZero = /(^out\.2|\.out_layers\.3|\.proj_out)\.(weight|bias)$/;
const isNorm = /(^out\.0|\.in_layers\.0|\.out_layers\.0|\.norm)\.(weight|bias)$/;

/**
 * Weights to begin with, [layout.size]: uniform within 1 / sqrt(fan-in), norms the identity, the last layer of each
 * residual branch and of the network zero (Dhariwal and Nichol 2021, released code).
 */
export function initialWeights(layout: Layout, random: KeyedRandom): Float32Array {
  const values = new Float32Array(layout.size);
  let bound = 1;
  for (const { name, shape, begin, end } of layout.tensors) {
    if (isNorm.test(name)) values.fill(name.endsWith('.weight') ? 1 : 0, begin, end);
    else if (!startsAtZero.test(name)) {
      // A bias stands behind its weight and takes the fan-in from it.
      if (shape.length > 1) bound = 1 / Math.sqrt(sizeOf(shape.slice(0, -1)));
      values.set(
        random.uniform(name, end - begin).map((u) => (2 * u - 1) * bound),
        begin,
      );
    }
  }
  return values;
}
