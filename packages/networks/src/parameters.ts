/** The tensors that a network needs, and how they come out of a checkpoint into TensorFlow's layout. */
import { ConfigError, showShape, sizeOf, type Tensor, tf } from '@tweedie/core';
import type { Checkpoint } from './checkpoint.ts';
import { misnamed } from './misnamed.ts';

/**
 * A tensor of a checkpoint, in PyTorch's layout: convolutions [out, in, height, width], linear maps [out, in],
 * attention's [out, in, 1].
 */
export type Parameter = {
  readonly name: string;
  readonly shape: readonly number[];
  /** Where the file has another order: the places there of the rows all q, all k, all v. */
  readonly rows?: readonly number[];
};

/**
 * The network's tensors by their names in a state dict, in TensorFlow's layout: convolutions [height, width, in, out],
 * linear maps [in, out].
 */
export type Weights = ReadonlyMap<string, Tensor>;

/** Reads sizes of tensors that tell of a network. Throws ConfigError, asking for `network`, where one is missing. */
export const sizesIn =
  (shapes: Checkpoint['shapes'], where: string, network: string) =>
  (name: string, axis: number): number => {
    const size = shapes.get(name)?.[axis];
    if (size === undefined)
      throw new ConfigError(
        where,
        `the tensor "${name}", which tells what the network is, is missing.`,
        `Give the whole state dict of ${network}.`,
      );
    return size;
  };

export const weightAndBias = (
  name: string,
  shape: readonly number[],
  extra: Omit<Parameter, 'name' | 'shape'> = {},
): Parameter[] => [
  { name: `${name}.weight`, shape, ...extra },
  { name: `${name}.bias`, shape: shape.slice(0, 1), ...extra },
];

/**
 * The tensors of a network from a checkpoint. The caller disposes them. Throws ConfigError, before anything is read,
 * where one is missing, has another shape, or is not of this network.
 */
export async function readWeights(parameters: readonly Parameter[], checkpoint: Checkpoint): Promise<Weights> {
  checkFit(parameters, checkpoint);
  const weights = new Map<string, Tensor>();
  for (const parameter of parameters)
    weights.set(parameter.name, toTensor(parameter, await checkpoint.read(parameter.name)));
  return weights;
}

function checkFit(parameters: readonly Parameter[], { source, shapes }: Checkpoint): void {
  const known = new Set(parameters.map(({ name }) => name));
  const faults = [
    ...parameters.flatMap(({ name, shape }) => {
      const found = shapes.get(name);
      if (found === undefined) return [`tensor "${name}" is missing.`];
      return showShape(found) === showShape(shape)
        ? []
        : [`tensor "${name}" has shape ${showShape(found)}, the configuration needs ${showShape(shape)}.`];
    }),
    ...[...shapes.keys()].filter((name) => !known.has(name)).map((name) => `tensor "${name}" is not of this network.`),
  ];
  if (faults.length === 0) return;
  const names = misnamed(
    parameters.map(({ name }) => name),
    new Set(shapes.keys()),
  );
  if (names) throw new ConfigError(source, names.what, names.remedy);
  const more = faults.length > 3 ? ` And ${faults.length - 3} more.` : '';
  throw new ConfigError(
    source,
    `the weights do not fit the configuration: ${faults.slice(0, 3).join(' ')}${more}`,
    'Give the configuration that the network was trained with.',
  );
}

/** The shape of a parameter in TensorFlow's layout. */
export const tensorShapeOf = ({ shape }: Pick<Parameter, 'shape'>): readonly number[] => {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  return shape.length === 1 ? shape : ofKernel(kernel, inputs, outputs);
};

/**
 * TensorFlow's shape of a map with these filter sizes: a convolution's, or a linear one's where there is at most one
 * tap.
 */
const ofKernel = (kernel: readonly number[], inputs: number, outputs: number): number[] =>
  kernel.length === 2 ? [...kernel, inputs, outputs] : [inputs, outputs];

/** Calls `move` with the place of every number in PyTorch's layout and in TensorFlow's. */
export function eachPlace({ shape, rows }: Parameter, move: (torch: number, tensorflow: number) => void): void {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  const taps = sizeOf(kernel);
  for (let output = 0; output < outputs; output++) {
    let from = (rows?.[output] ?? output) * inputs * taps;
    for (let input = 0; input < inputs; input++)
      for (let tap = 0; tap < taps; tap++) move(from++, (tap * inputs + input) * outputs + output);
  }
}

function toTensor(parameter: Parameter, data: Float32Array): Tensor {
  const moved = new Float32Array(data.length);
  eachPlace(parameter, (torch, tensorflow) => {
    moved[tensorflow] = data[torch] ?? 0;
  });
  return tf.tensor(moved, [...tensorShapeOf(parameter)]);
}
