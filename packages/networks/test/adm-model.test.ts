import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeSafetensors,
  type Image,
  modelForShape,
  sha256,
  type SafetensorsInput,
  tf,
  traced,
  sizeOf,
} from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admModel, admParameters, randomCheckpoint } from '../src/index.ts';
import { convolutional, smallest } from './configurations.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-networks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const context = testContext(folder);
const trained = {
  weights: 'net.safetensors',
  diffusion_steps: 1000,
  noise_schedule: 'linear',
  rescale_timesteps: false,
} as const;
const options = { ...smallest, ...trained };

/** Weights that change from entry to entry, norms near one. */
const tensors = (): Map<string, SafetensorsInput> =>
  new Map(
    admParameters(smallest).map(({ name, shape }, k) => {
      const size = sizeOf(shape);
      const data = Float32Array.from(
        { length: size },
        (_, i) => Math.sin(1 + k + 0.7 * i) / Math.sqrt(size / shape[0]!),
      );
      return [name, { dtype: 'F32', shape, data }];
    }),
  );
const write = (name: string, content: Map<string, SafetensorsInput>) =>
  writeFileSync(join(folder, name), encodeSafetensors(content));
beforeAll(() => write('net.safetensors', tensors()));

const x: Image = tf.randomNormal([2, 4, 4, 3], 0, 1, 'float32', 1);

describe('a network as a model', () => {
  it('says at once what it is, and reads its weights at load', async () => {
    const model = admModel({ ...options, weights: 'gone.safetensors' }, context, 'vp');
    expect(model).toMatchObject({ imageShape: [4, 4, 3], range: [-1, 1], predictsVariance: true });
    expect(model.process.kind).toBe('vp');
    expect(model.process.table.length).toBe(1000);
    expect(() => model.weightsHash()).toThrow('load() has not been called');
    await expect(model.load?.()).rejects.toThrow(`[${join(folder, 'gone.safetensors')}] does not exist.`);
    expect(() => admModel({ ...options, num_channels: 48 }, context, 'vp')).toThrow(
      '[adm-unet] a level has 48 channels',
    );
  });

  it('is known by the SHA-256 of its file, and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const model = admModel(options, context, 'vp');
    await model.load?.();
    await model.load?.();
    expect(model.weightsHash()).toBe(sha256(readFileSync(join(folder, 'net.safetensors'))));
    model.dispose?.();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses weights that do not fit', async () => {
    const fewer = tensors();
    fewer.delete('middle_block.1.proj_out.bias');
    write('fewer.safetensors', fewer);
    const model = admModel({ ...options, weights: 'fewer.safetensors' }, context, 'vp');
    await expect(model.load?.()).rejects.toThrow(
      '[fewer.safetensors] the weights do not fit the configuration: tensor "middle_block.1.proj_out.bias" is missing.',
    );

    const whole = tensors();
    whole.set('time_embed.0.bias', { dtype: 'I32', shape: [128], data: new Int32Array(128) });
    write('whole.safetensors', whole);
    await expect(admModel({ ...options, weights: 'whole.safetensors' }, context, 'vp').load?.()).rejects.toThrow(
      '[whole.safetensors] tensor "time_embed.0.bias" holds I32, not floating-point numbers. Store weights as F32, F16, BF16 or F64.',
    );
  });

  it('predicts no variance unless it was learned', async () => {
    const content = tensors();
    content.set('out.2.weight', { dtype: 'F32', shape: [3, 32, 3, 3], data: new Float32Array(3 * 32 * 9).fill(0.01) });
    content.set('out.2.bias', { dtype: 'F32', shape: [3], data: new Float32Array(3) });
    write('fixed.safetensors', content);
    const model = admModel({ ...options, learn_sigma: false, weights: 'fixed.safetensors' }, context, 'vp');
    await model.load?.();
    expect(model.predictsVariance).toBe(false);
    expect(model.predict(x, traced(model.process.levelAt(1)))).not.toHaveProperty('varianceFraction');
  });

  it('gives the same x0hat through both processes, at any level', async () => {
    const [vp, ve] = (['vp', 've'] as const).map((kind) => admModel(options, context, kind));
    await Promise.all([vp!.load?.(), ve!.load?.()]);
    expect(ve!.process.table.map(({ sigma }) => sigma)).toEqual(vp!.process.table.map(({ sigma }) => sigma));
    expect(ve!.process.table.every(({ signal }) => signal === 1)).toBe(true);
    for (const sigma of [0.001, 0.05, 1.7, 157.3, 300]) {
      const [inVp, inVe] = [vp!.process.levelAt(sigma), ve!.process.levelAt(sigma)];
      expect([inVe.t, inVe.tableSigma]).toEqual([inVp.t, inVp.tableSigma]);
      const ofVp = vp!.predict(x, traced(inVp));
      const ofVe = ve!.predict(x.div(inVp.signal), traced(inVe));
      for (const name of ['x0hat', 'epsilon', 'varianceFraction'] as const) {
        const difference = ofVp[name]!.sub(ofVe[name]!).norm().dataSync()[0]! / ofVp[name]!.norm().dataSync()[0]!;
        expect(difference).toBeLessThan(1e-5);
      }
    }
  });

  it('is shown rescaled timesteps where it was trained so', async () => {
    const [plain, rescaled] = [false, true].map((rescale_timesteps) =>
      admModel({ ...options, diffusion_steps: 250, rescale_timesteps }, context, 'vp'),
    );
    await Promise.all([plain!.load?.(), rescaled!.load?.()]);
    const level = plain!.process.table[30]!;
    expect(plain!.process.table.length).toBe(250);
    const { epsilon } = rescaled!.predict(x, traced(level));
    const same = plain!.predict(x, traced({ ...level, t: 120 }));
    expect(epsilon.sub(same.epsilon).abs().max().dataSync()[0]).toBeLessThan(1e-6);
    expect(
      epsilon
        .sub(plain!.predict(x, traced(level)).epsilon)
        .abs()
        .max()
        .dataSync()[0],
    ).toBeGreaterThan(1e-4);
  });

  it('without attention takes images of any size, with the weights that it has', async () => {
    const config = { ...convolutional, ...trained, weights: 'any.safetensors' };
    writeFileSync(join(folder, 'any.safetensors'), randomCheckpoint(convolutional, 5));
    expect(admModel(options, context, 'vp').sizes).toBeUndefined();
    const model = admModel(config, context, 've');
    const { sizes } = model;
    expect(model.imageShape).toEqual([8, 8, 3]);
    expect(sizes?.multipleOf).toBe(2);
    const wide = modelForShape(model, [4, 14, 3]);
    expect(wide.imageShape).toEqual([4, 14, 3]);
    expect(wide).not.toHaveProperty('dispose');

    const before = tf.memory().numTensors;
    await wide.load?.();
    const read = tf.memory().numTensors;
    await model.load?.();
    expect(tf.memory().numTensors).toBe(read);
    expect(wide.weightsHash()).toBe(model.weightsHash());
    const image: Image = tf.randomNormal([2, 4, 14, 3], 0, 1, 'float32', 3);
    const level = traced(model.process.levelAt(1));
    // One network: what one gives for a picture, so does the other.
    tf.tidy(() => {
      const { x0hat } = wide.predict(image, level);
      expect(x0hat.shape).toEqual([2, 4, 14, 3]);
      expect(x0hat.dataSync()).toEqual(model.predict(image, level).x0hat.dataSync());
    });
    expect(() => model.predict(tf.zeros([1, 4, 7, 3]), level)).toThrow(
      '[adm-unet] the image is [4, 7, 3], the network takes [8, 8, 3] and sides in multiples of 2.',
    );
    const held = tf.memory().numTensors;
    model.dispose?.();
    expect(held - tf.memory().numTensors).toBe(read - before);
  });
});
