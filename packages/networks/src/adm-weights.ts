import {
  ConfigError,
  encodeSafetensors,
  type SafetensorsInput,
  showShape,
  type Tensor,
  tf,
  sizeOf,
} from '@tweedie/core';
import type { AdmConfig } from './adm-config.ts';
import { type AdmParameter, admParameters } from './adm-parameters.ts';
import type { Checkpoint } from './checkpoint.ts';
import { misnamed } from './misnamed.ts';

/**
 * The network's tensors by their names in a state dict, in TensorFlow's layout: convolutions [height, width, in, out],
 * linear maps [in, out].
 */
export type AdmWeights = ReadonlyMap<string, Tensor>;

/**
 * The weights of a configuration from a checkpoint. The caller disposes the tensors. Throws ConfigError, before
 * anything is read, where a tensor is missing, has another shape, or is not of this network.
 */
export async function admWeights(config: AdmConfig, checkpoint: Checkpoint): Promise<AdmWeights> {
  const parameters = admParameters(config);
  checkFit(parameters, checkpoint);
  const weights = new Map<string, Tensor>();
  for (const parameter of parameters)
    weights.set(parameter.name, toTensor(parameter, await checkpoint.read(parameter.name)));
  return weights;
}

function checkFit(parameters: readonly AdmParameter[], { source, shapes }: Checkpoint): void {
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
export const tensorShapeOf = ({ shape }: Pick<AdmParameter, 'shape'>): readonly number[] => {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  return shape.length === 1 ? shape : ofKernel(kernel, inputs, outputs);
};

/** Calls `move` with the place of every number in PyTorch's layout and in TensorFlow's. */
function eachPlace({ shape, headByHead }: AdmParameter, move: (torch: number, tensorflow: number) => void): void {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  const rows = headByHead === undefined ? undefined : rowsByRole(outputs, headByHead);
  const taps = sizeOf(kernel);
  for (let output = 0; output < outputs; output++) {
    let from = (rows?.[output] ?? output) * inputs * taps;
    for (let input = 0; input < inputs; input++)
      for (let tap = 0; tap < taps; tap++) move(from++, (tap * inputs + input) * outputs + output);
  }
}

function toTensor(parameter: AdmParameter, data: Float32Array): Tensor {
  const moved = new Float32Array(data.length);
  eachPlace(parameter, (torch, tensorflow) => {
    moved[tensorflow] = data[torch] ?? 0;
  });
  return tf.tensor(moved, [...tensorShapeOf(parameter)]);
}

/** The inverse of `admWeights`: the tensors of a state dict from the numbers of a network's tensors, by name. */
export function admStateDict(
  config: AdmConfig,
  valuesOf: (name: string) => Float32Array,
  dtype: 'F32' | 'F16' = 'F32',
): ReadonlyMap<string, SafetensorsInput> {
  return new Map(
    admParameters(config).map((parameter) => {
      const { name, shape } = parameter;
      const values = valuesOf(name);
      const data = new Float32Array(values.length);
      eachPlace(parameter, (torch, tensorflow) => {
        data[torch] = values[tensorflow] ?? 0;
      });
      return [name, { dtype, shape, data }];
    }),
  );
}

/** The places of the rows all q, all k, all v among rows that are q, k, v of one head after the other. */
const rowsByRole = (rows: number, heads: number): readonly number[] => {
  const width = rows / 3 / heads;
  return Array.from({ length: rows }, (_, row) => {
    const [role, within] = [Math.floor(row / (heads * width)), row % (heads * width)];
    const head = Math.floor(within / width);
    return (head * 3 + role) * width + (within % width);
  });
};

/**
 * Weights for tests and timings: uniform with variance 1 / fan-in, norms near the identity, so that activations stay of
 * order one and nothing is zero. Any seed; half a billion numbers take seconds.
 */
export function randomAdmWeights(config: AdmConfig, seed: number): AdmWeights {
  return new Map(
    randomNumbers(config, seed).map((parameter) => [
      parameter.name,
      tf.tensor(parameter.data, [...tensorShapeOf(parameter)]),
    ]),
  );
}

/** The bytes of a checkpoint of such weights, in PyTorch's layout: a network for tests that read one. */
export const randomCheckpoint = (config: AdmConfig, seed: number): Uint8Array =>
  encodeSafetensors(
    new Map(randomNumbers(config, seed).map(({ name, shape, data }) => [name, { dtype: 'F32' as const, shape, data }])),
  );

function randomNumbers(
  config: AdmConfig,
  seed: number,
): readonly { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array }[] {
  const fill = uniform(seed);
  return admParameters(config).map(({ name, shape }) => {
    const [, inputs = 1, ...kernel] = shape;
    const fanIn = shape.length === 1 ? 100 : inputs * sizeOf(kernel);
    const centre = shape.length === 1 && name.endsWith('weight') ? 1 : 0;
    const data = new Float32Array(sizeOf(shape));
    fill(data, centre, Math.sqrt(3 / fanIn));
    return { name, shape, data };
  });
}

/**
 * Fills arrays with numbers uniform in centre +- spread, by Marsaglia's xorshift on 32 bits: fast, and good enough for
 * weights.
 */
function uniform(seed: number): (into: Float32Array, centre: number, spread: number) => void {
  let carried = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) | 1;
  return (into, centre, spread) => {
    const unit = spread / 2 ** 31;
    let state = carried;
    for (let i = 0; i < into.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      into[i] = centre + unit * state;
    }
    carried = state;
  };
}

/**
 * TensorFlow's shape of a map with these filter sizes: a convolution's, or a linear one's where there is at most one
 * tap.
 */
const ofKernel = (kernel: readonly number[], inputs: number, outputs: number): number[] =>
  kernel.length === 2 ? [...kernel, inputs, outputs] : [inputs, outputs];
