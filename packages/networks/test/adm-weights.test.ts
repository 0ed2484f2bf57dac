import { type Image, tf, sizeOf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { type AdmConfig, admParameters, admStateDict, admUnet, admWeights, randomAdmWeights } from '../src/index.ts';
import { checkpointOf } from './checkpoint.ts';
import { smallest } from './configurations.ts';

/** Every number of every tensor tells where it stood in the file. */
const stored = (config: AdmConfig) => {
  let next = 0;
  return new Map(
    admParameters(config).map(({ name, shape }) => {
      const data = Float32Array.from({ length: sizeOf(shape) }, () => next++ / 1000);
      return [name, { shape: [...shape], data }] as const;
    }),
  );
};

describe('weights of a checkpoint', () => {
  it('become what they were when they are written again', async () => {
    for (const use_new_attention_order of [true, false]) {
      const config = { ...smallest, use_new_attention_order };
      const tensors = stored(config);
      const weights = await admWeights(config, checkpointOf(tensors));
      const dict = admStateDict(config, (name) => weights.get(name)!.dataSync() as Float32Array);
      expect(dict.size).toBe(tensors.size);
      for (const [name, { shape, data }] of tensors)
        expect(dict.get(name), name).toEqual({ dtype: 'F32', shape, data });
    }
  });

  it('are turned into the layout of TensorFlow', async () => {
    const tensors = stored(smallest);
    const weights = await admWeights(smallest, checkpointOf(tensors));
    const entry = (name: string, index: number) => tensors.get(name)!.data[index]!;
    const got = (name: string, ...at: number[]) =>
      weights
        .get(name)!
        .slice(
          at,
          at.map(() => 1),
        )
        .dataSync()[0];
    expect(weights.get('input_blocks.0.0.weight')!.shape).toEqual([3, 3, 3, 32]);
    // [out 5, in 2, row 1, column 0]
    expect(got('input_blocks.0.0.weight', 1, 0, 2, 5)).toBe(entry('input_blocks.0.0.weight', 5 * 27 + 2 * 9 + 3));
    expect(weights.get('time_embed.0.weight')!.shape).toEqual([32, 128]);
    expect(got('time_embed.0.weight', 3, 7)).toBe(entry('time_embed.0.weight', 7 * 32 + 3));
    expect(weights.get('middle_block.1.proj_out.weight')!.shape).toEqual([64, 64]);
  });

  it('have all q, all k, all v of an attention side by side, whatever their order in the file', async () => {
    const tensors = stored(smallest);
    const { data } = tensors.get('middle_block.1.qkv.bias')!;
    const bias = async (use_new_attention_order: boolean) => {
      const weights = await admWeights({ ...smallest, use_new_attention_order }, checkpointOf(tensors));
      return weights.get('middle_block.1.qkv.bias')!.dataSync();
    };
    expect(await bias(true)).toEqual(data);
    // Four heads of 16 channels: in the file q0 k0 v0 q1 k1 v1 ...
    const old = await bias(false);
    expect([old[0], old[16], old[64], old[128]]).toEqual([data[0], data[48], data[16], data[32]]);
  });

  it.each<[string, (tensors: ReturnType<typeof stored>) => void, string]>([
    [
      'lacks',
      (tensors) => tensors.delete('middle_block.1.proj_out.bias'),
      'tensor "middle_block.1.proj_out.bias" is missing.',
    ],
    [
      'has more',
      (tensors) => tensors.set('label_emb.weight', { shape: [2], data: new Float32Array(2) }),
      'tensor "label_emb.weight" is not of this network.',
    ],
    [
      'has another shape of',
      (tensors) =>
        tensors.set('input_blocks.1.0.emb_layers.1.weight', { shape: [32, 128], data: new Float32Array(32 * 128) }),
      'tensor "input_blocks.1.0.emb_layers.1.weight" has shape [32, 128], the configuration needs [64, 128].',
    ],
  ])('are refused where the file %s a tensor', async (_, change, message) => {
    const tensors = stored(smallest);
    change(tensors);
    const before = tf.memory().numTensors;
    await expect(admWeights(smallest, checkpointOf(tensors, 'net.safetensors'))).rejects.toThrow(
      `[net.safetensors] the weights do not fit the configuration: ${message} Give the configuration that the network was trained with.`,
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each<[string, (name: string, index: number) => readonly string[], string]>([
    [
      'of an optimizer',
      (_, index) => [`state.${index}.exp_avg`],
      'it holds the state of an optimizer ("state.0.exp_avg", "state.1.exp_avg", "state.2.exp_avg"), not a network. Give the file of the network itself;',
    ],
    [
      'of diffusers',
      (_, index) => [`down_blocks.${index}.weight`],
      'its tensors ("down_blocks.0.weight", "down_blocks.1.weight", "down_blocks.2.weight") are those of a network of diffusers. Take model/diffusers, and give the folder with its config.json.',
    ],
    [
      'of NVlabs/edm',
      (_, index) => [`map_layer0.${index}`],
      'are those of a network of NVlabs/edm. Take model/edm, and give the file as its weights.',
    ],
    [
      'of something else',
      (_, index) => [`layer${index}`],
      'has a name of this network. Give weights of the network, whose names are like',
    ],
  ])('with names %s are refused with what they are', async (_, rename, message) => {
    const renamed = new Map(
      [...stored(smallest)].flatMap(([name, tensor], index) =>
        rename(name, index).map((other) => [other, tensor] as const),
      ),
    );
    await expect(admWeights(smallest, checkpointOf(renamed, 'net.safetensors'))).rejects.toThrow(message);
  });

  it('of another network are refused with the first names', async () => {
    const wider = admWeights({ ...smallest, num_channels: 64 }, checkpointOf(stored(smallest)));
    await expect(wider).rejects.toThrow(
      /tensor "time_embed\.0\.weight" has shape \[128, 32\], the configuration needs \[256, 64\]\. .* And \d+ more\./,
    );
  });
});

describe('random weights', () => {
  it('depend on the seed, and keep the output of order one', () => {
    const x: Image = tf.randomNormal([2, 4, 4, 3], 0, 1, 'float32', 1);
    const [first, again, other] = [1, 1, 2].map((seed) => {
      const weights = randomAdmWeights(smallest, seed);
      expect([...weights.keys()]).toEqual(admParameters(smallest).map(({ name }) => name));
      return admUnet(smallest, weights)(x, tf.scalar(300));
    });
    expect(first!.shape).toEqual([2, 4, 4, 6]);
    expect(first!.dataSync()).toEqual(again!.dataSync());
    expect(first!.dataSync()).not.toEqual(other!.dataSync());
    for (const output of [first!, other!]) {
      const size = output.square().mean().sqrt().dataSync()[0]!;
      expect(size).toBeGreaterThan(0.1);
      expect(size).toBeLessThan(10);
    }
  });
});
