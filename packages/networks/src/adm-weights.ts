import { encodeSafetensors, type SafetensorsInput, sizeOf, tf } from '@tweedie/core';
import type { AdmConfig } from './adm-config.ts';
import { admParameters } from './adm-parameters.ts';
import type { Checkpoint } from './checkpoint.ts';
import { eachPlace, readWeights, tensorShapeOf, type Weights } from './parameters.ts';

/** The weights of a configuration from a checkpoint: see `readWeights`. */
export const admWeights = (config: AdmConfig, checkpoint: Checkpoint): Promise<Weights> =>
  readWeights(admParameters(config), checkpoint);

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

/**
 * Weights for tests and timings: uniform with variance 1 / fan-in, norms near the identity, so that activations stay of
 * order one and nothing is zero. Any seed; half a billion numbers take seconds.
 */
export function randomAdmWeights(config: AdmConfig, seed: number): Weights {
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
