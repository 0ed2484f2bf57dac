import { ConfigError, showShape, suggest, type Tensor, tf } from '@tweedie/core';
import type { AdmConfig } from './adm-config.ts';
import { type AdmParameter, admParameters } from './adm-parameters.ts';

/** The network's tensors by their names in a state dict, in TensorFlow's layout: convolutions [height, width, in, out], linear maps [in, out]. */
export type AdmWeights = ReadonlyMap<string, Tensor>;

/** Tensors in PyTorch's layout, read one at a time: the largest networks do not fit into memory twice. */
export interface Checkpoint {
  /** Names the file in errors. */
  readonly source: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  read(name: string): Promise<Float32Array>;
}

/**
 * The weights of a configuration from a checkpoint. The caller disposes the tensors. Throws ConfigError, before anything is read, where a
 * tensor is missing, has another shape, or is not of this network.
 */
export async function admWeights(config: AdmConfig, checkpoint: Checkpoint): Promise<AdmWeights> {
  const parameters = admParameters(config);
  checkFit(parameters, checkpoint);
  const weights = new Map<string, Tensor>();
  for (const parameter of parameters) weights.set(parameter.name, toTensor(parameter, await checkpoint.read(parameter.name)));
  return weights;
}

function checkFit(parameters: readonly AdmParameter[], { source, shapes }: Checkpoint): void {
  const names = parameters.map(({ name }) => name);
  const known = new Set(names);
  const faults = [
    ...parameters.flatMap(({ name, shape }) => {
      const found = shapes.get(name);
      if (found === undefined) return [`tensor "${name}" is missing.`];
      return showShape(found) === showShape(shape) ? [] : [`tensor "${name}" has shape ${showShape(found)}, the configuration needs ${showShape(shape)}.`];
    }),
    ...[...shapes.keys()].filter((name) => !known.has(name)).map((name) => `tensor "${name}" is not of this network. ${suggest(name, names)}`),
  ];
  if (faults.length === 0) return;
  const more = faults.length > 3 ? ` And ${faults.length - 3} more.` : '';
  throw new ConfigError(source, `the weights do not fit the configuration: ${faults.slice(0, 3).join(' ')}${more}`, 'Give the configuration that the network was trained with.');
}

function toTensor({ shape, headByHead }: AdmParameter, data: Float32Array): Tensor {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  const rows = headByHead === undefined ? undefined : rowsByRole(outputs, headByHead);
  if (shape.length === 1) return tf.tensor1d(rows === undefined ? data : Float32Array.from(rows, (row) => data[row] ?? 0));
  const taps = kernel.reduce((product, n) => product * n, 1);
  const moved = new Float32Array(data.length);
  for (let output = 0; output < outputs; output++) {
    let from = (rows?.[output] ?? output) * inputs * taps;
    for (let input = 0; input < inputs; input++) {
      for (let tap = 0; tap < taps; tap++) moved[(tap * inputs + input) * outputs + output] = data[from++] ?? 0;
    }
  }
  return tf.tensor(moved, kernel.length === 2 ? [...kernel, inputs, outputs] : [inputs, outputs]);
}

/** Where the rows "all q, all k, all v" are found among rows q, k, v of one head after the other. */
const rowsByRole = (rows: number, heads: number): readonly number[] => {
  const width = rows / 3 / heads;
  return Array.from({ length: rows }, (_, row) => {
    const [role, within] = [Math.floor(row / (heads * width)), row % (heads * width)];
    const head = Math.floor(within / width);
    return (head * 3 + role) * width + (within % width);
  });
};

/**
 * Weights for tests and timings: uniform with variance 1 / fan-in, norms near the identity, so that activations stay of order one and
 * nothing is zero. Any seed; half a billion numbers take seconds.
 */
export function randomAdmWeights(config: AdmConfig, seed: number): AdmWeights {
  const next = uniform(seed);
  return new Map(
    admParameters(config).map(({ name, shape }) => {
      const [outputs = 1, inputs = 1, ...kernel] = shape;
      const fanIn = shape.length === 1 ? 100 : inputs * kernel.reduce((product, n) => product * n, 1);
      const centre = shape.length === 1 && name.endsWith('weight') ? 1 : 0;
      const spread = Math.sqrt(12 / fanIn);
      const data = new Float32Array(shape.reduce((product, n) => product * n, 1));
      for (let i = 0; i < data.length; i++) data[i] = centre + spread * (next() - 0.5);
      return [name, tf.tensor(data, shape.length === 1 ? [outputs] : kernel.length === 2 ? [...kernel, inputs, outputs] : [inputs, outputs])] as const;
    }),
  );
}

/** Marsaglia's xorshift on 32 bits: uniform in (0, 1). */
function uniform(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
