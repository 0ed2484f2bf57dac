/** What tiles of a network give beside the network itself, on pictures of 256 x 256. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Image,
  keyedRandom,
  type LevelTensors,
  modelForShape,
  noiseProcess,
  type ScoreModel,
  tf,
} from '@tweedie/core';
import { randomCheckpoint } from '@tweedie/networks';
import { testContainer } from '@tweedie/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { tiledModel } from '../src/tiled.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-seam-'));
const container = testContainer(folder);
afterAll(() => {
  container.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const SIZE = 256;
/** Waves and edges in [-1, 1], the same in no two tiles. */
const clean = Float32Array.from({ length: SIZE * SIZE * 3 }, (_, k) => {
  const [row, column, channel] = [Math.floor(k / 3 / SIZE), Math.floor(k / 3) % SIZE, k % 3];
  const waves = 0.5 * Math.sin(row / 17 + channel) * Math.cos(column / 23);
  return waves + 0.3 * Math.sign(Math.sin(row / 40 + column / 30));
});
const noisy = (model: ScoreModel, sigma: number): Image => {
  const { signal, noise } = model.process.levelAt(sigma);
  const drawn = keyedRandom(`seam ${sigma}`).normal('noise', clean.length);
  return tf.tensor4d(
    clean.map((value, k) => signal * value + noise * (drawn[k] ?? 0)),
    [1, SIZE, SIZE, 3],
  );
};
const rms = (x: tf.Tensor): number => Math.sqrt(x.square().mean().dataSync()[0]!);

/** The largest jump of an image from one column to the next, in medians of all of them: a seam stands out. */
const largestJump = (image: Image): number => {
  const next = tf.slice(image, [0, 0, 1, 0], [-1, -1, -1, -1]);
  const jumps = next
    .sub(tf.slice(image, [0, 0, 0, 0], [-1, -1, SIZE - 1, -1]))
    .square()
    .mean([0, 1, 3])
    .sqrt()
    .dataSync()
    .toSorted();
  return jumps.at(-1)! / jumps[jumps.length / 2 - 0.5]!;
};

describe('tiles of a U-Net with group norms', () => {
  const network = {
    image_size: 64,
    num_channels: 32,
    num_res_blocks: 1,
    channel_mult: '1,1',
    attention_resolutions: 'none',
  };
  writeFileSync(join(folder, 'net.safetensors'), randomCheckpoint(network, 2));
  const model = { id: 'ddpm-vp', options: { ...network, weights: 'net.safetensors' } };
  /** Epsilon of tiles less that of the whole, and that of the whole, by noise level. */
  const compared = async (tile: number, overlap: number, sigmas: readonly number[]) => {
    const [whole, tiled] = await Promise.all(
      [model, { id: 'tiles', options: { model, tile, overlap } }].map(async (reference) => {
        const made = modelForShape(await container.plugin('model', reference), [SIZE, SIZE, 3]);
        await made.load?.();
        return made;
      }),
    );
    const engine = await container.plugin('engine', { id: 'onnxruntime' });
    const both = engine.compile((xt: Image, level: LevelTensors) =>
      [whole!, tiled!].map((part) => part.predict(xt, level)),
    );
    const found = [];
    for (const sigma of sigmas) {
      const [a, b] = await both(noisy(whole!, sigma), whole!.process.levelAt(sigma));
      found.push({ difference: b!.epsilon.sub(a!.epsilon), x0hat: b!.x0hat.sub(a!.x0hat), epsilon: a!.epsilon });
    }
    both.dispose();
    return found;
  };

  it('agree with the whole to the bound stated in the README, and show no seam', async () => {
    const sigmas = [0.1, 1, 10];
    const bounds = [0.35, 0.1, 0.03];
    for (const [i, { difference, x0hat, epsilon }] of (await compared(128, 64, sigmas)).entries()) {
      // The network's share of x0hat is sigma times epsilon.
      expect(rms(x0hat) / (sigmas[i]! * rms(difference))).toBeCloseTo(1, 3);
      expect(rms(difference) / rms(epsilon)).toBeLessThan(bounds[i]!);
      expect(largestJump(difference)).toBeLessThan(2.2);
    }
    // Wide tiles are nearer.
    const [wide] = await compared(192, 64, [1]);
    expect(rms(wide!.difference) / rms(wide!.epsilon)).toBeLessThan(0.05);
  });

  it('show seams where they do not overlap', async () => {
    for (const { difference } of await compared(128, 0, [0.1, 10])) expect(largestJump(difference)).toBeGreaterThan(3);
  });
});

describe('tiles of a network that sees eight pixels far', () => {
  const filter = tf.fill([3, 3, 3, 3], 1 / 27) as tf.Tensor4D;
  const reach = 8;
  const model: ScoreModel = {
    imageShape: [64, 64, 3],
    process: noiseProcess(),
    sizes: { multipleOf: 2, forShape: (imageShape) => ({ ...model, imageShape }) },
    weightsHash: () => 'none',
    predict: (xt) => {
      const x0hat = Array.from({ length: reach }).reduce<Image>((x) => tf.conv2d(x, filter, 1, 1), xt);
      return { x0hat, epsilon: x0hat };
    },
  };

  it('are the whole but near their edges, and there by the weight that an edge has', () => {
    const tiling = { tile: 160, overlap: 64, multipleOf: 2, shift: false };
    tf.tidy(() => {
      const xt = noisy(model, 0.1).add(2);
      const level = model.process.levelAt(0.1) as never;
      const difference = tiledModel(model, [SIZE, SIZE, 3], tiling)
        .predict(xt, level)
        .x0hat.sub(model.predict(xt, level).x0hat)
        .abs();
      // Two tiles of 160 along an axis share the pixels from 96 to 160.
      const columns = difference.max([0, 1, 3]).dataSync();
      const inside = tf.slice(difference, [0, 0, 0, 0], [-1, 96, 96, -1]).max().dataSync()[0]!;
      expect(inside).toBeLessThan(1e-6);
      const weight = 0.5 - 0.5 * Math.cos((Math.PI * (reach - 0.5)) / 64);
      const largest = model.predict(xt, level).x0hat.max().dataSync()[0]!;
      expect(Math.max(...columns)).toBeGreaterThan(1e-4);
      // A corner has the edges of both axes.
      expect(Math.max(...columns)).toBeLessThan(2 * weight * largest);
    });
  });
});
