import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Image, keyedRandom, type LevelTensors, modelForShape, type PluginReference, tf } from '@tweedie/core';
import { randomCheckpoint } from '@tweedie/networks';
import { describeModel, testContainer } from '@tweedie/testing';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-self-ensemble-'));
const network = {
  image_size: 8,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1,1',
  attention_resolutions: 'none',
};
writeFileSync(join(folder, 'net.safetensors'), randomCheckpoint(network, 2));
const model = { id: 'ddpm-vp', options: { ...network, weights: 'net.safetensors' } };
const container = testContainer(folder);
afterAll(() => {
  container.dispose();
  rmSync(folder, { recursive: true, force: true });
});

describeModel(import.meta.url, { folder, options: [{ model }], tolerance: 1e-4 });

describe('the average over symmetries', () => {
  const state = (height: number, width: number): Image =>
    tf.tensor4d(keyedRandom('state').normal('x', 2 * height * width * 3), [2, height, width, 3]);
  const turn = (x: Image): Image => tf.reverse(tf.transpose(x, [0, 2, 1, 3]), 1) as Image;
  const mirror = (x: Image): Image => tf.reverse(x, 2) as Image;
  const turns = (x: Image, times: number): Image => (times === 0 ? x : turns(turn(x), times - 1));
  const difference = (a: tf.Tensor, b: tf.Tensor): number => a.sub(b).abs().max().dataSync()[0]!;

  /** What the model and its average make of an image of this size at one level. */
  const both = async (height: number, width: number) => {
    const ofShape = async (reference: PluginReference) =>
      modelForShape(await container.plugin('model', reference), [height, width, 3]);
    const models = [await ofShape(model), await ofShape({ id: 'self-ensemble', options: { model } })];
    for (const own of models) await own.load?.();
    return models.map((own) => (x: Image): Image => {
      const level = Object.entries(own.process.levelAt(0.7)).map(([name, value]) => [name, tf.scalar(value)]);
      return own.predict(x, Object.fromEntries(level) as LevelTensors).x0hat;
    }) as [(x: Image) => Image, (x: Image) => Image];
  };

  it.each([
    ['a square', 8, 8, [turn, mirror]],
    ['another picture', 8, 12, [(x: Image) => turns(x, 2), mirror]],
  ])('of %s commutes with them, which the network does not', async (_, height, width, moves) => {
    const [plain, mean] = await both(height, width);
    const x = state(height, width);
    for (const move of moves) {
      expect(difference(mean(move(x)), move(mean(x)))).toBeLessThan(1e-4);
      expect(difference(plain(move(x)), move(plain(x)))).toBeGreaterThan(1e-3);
    }
  });

  it('is the mean of what the model says of each, put back', async () => {
    const [plain, mean] = await both(8, 8);
    const x = state(8, 8);
    const each = [0, 1, 2, 3].flatMap((quarters) => [
      turns(plain(turns(x, quarters)), 4 - quarters),
      turns(mirror(plain(mirror(turns(x, quarters)))), 4 - quarters),
    ]);
    expect(difference(mean(x), tf.addN(each).div(each.length))).toBeLessThan(1e-4);
  });
});
