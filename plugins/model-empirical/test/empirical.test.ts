import {
  type Context,
  type Dataset,
  keyedRandom,
  type PluginKinds,
  processSchema,
  sampleSum,
  tf,
  traced,
  valueAndGrad,
} from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import manifest from '../plugin.json' with { type: 'json' };
import { empirical, type EmpiricalOptions } from '../src/index.ts';

const imageShape = [4, 3, 3] as const;
const d = 36;
const count = 7;
const pictures = Array.from({ length: count }, (_, index) =>
  keyedRandom(`picture ${index}`)
    .normal('x0', d)
    .map((value) => Math.tanh(value)),
);

/** A data set in memory, known as dataset/fake; remembers which images were read. */
function world() {
  const read: number[] = [];
  const asked: unknown[] = [];
  const dataset: Dataset = {
    imageShape,
    size: count,
    item: async (index) => {
      read.push(index);
      return { name: `picture-${index}`, x0: pictures[index]! };
    },
  };
  const context: Context = {
    ...testContext(),
    plugin: async (kind, reference) => {
      asked.push([kind, reference]);
      return dataset as PluginKinds[typeof kind];
    },
  };
  return { context, read, asked };
}
const process = { kind: 'vp', schedule: 'linear', trainingSteps: 1000, sigmaMin: 0.01, sigmaMax: 157 } as const;
const defaults: EmpiricalOptions = { dataset: 'fake', bandwidth: 0.2, process };
const make = async (options: Partial<EmpiricalOptions> = {}) => {
  const { context, ...seen } = world();
  return { model: await empirical({ ...defaults, ...options }, context), ...seen };
};

describe('model/empirical', () => {
  it('is the mixture of its images, read at load and not before', async () => {
    const { model, read, asked } = await make({ dataset: { id: 'fake', options: { size: 4 } } });
    expect(asked).toEqual([['dataset', { id: 'fake', options: { size: 4 } }]]);
    expect(model.imageShape).toEqual(imageShape);
    expect(model.range).toBeUndefined();
    expect(read).toEqual([]);
    await model.load?.();
    expect(read).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const { weights, means, covariance } = model.mixture!();
    expect([...weights]).toEqual(new Array(count).fill(1 / count));
    expect([...means.subarray(d, 2 * d)]).toEqual([...pictures[1]!]);
    expect(covariance).toEqual({ kind: 'isotropic', variances: new Float64Array(count).fill(0.2 ** 2) });
  });

  it('a name is enough for a data set, and a limit takes the first images', async () => {
    const { model, read, asked } = await make({ limit: 3 });
    await model.load?.();
    expect(asked).toEqual([['dataset', { id: 'fake' }]]);
    expect(read).toEqual([0, 1, 2]);
    expect(model.mixture!().weights.length).toBe(3);
    const all = await make({ limit: 100 });
    await all.model.load?.();
    expect(all.read.length).toBe(count);
    expect(all.model.weightsHash()).not.toBe(model.weightsHash());
  });

  it.each(['vp', 've'] as const)('denoises by kernel regression on a %s process', async (kind) => {
    const { model } = await make({ process: { ...process, kind } });
    await model.load?.();
    for (const sigma of [0.02, 0.5, 20]) {
      const level = model.process.levelAt(sigma);
      const z = Float64Array.from(pictures[2]!, (value, i) => value + sigma * 0.3 * Math.sin(i));
      const total = 0.2 ** 2 + sigma ** 2;
      const logits = pictures.map((x) => -x.reduce((sum, value, i) => sum + (z[i]! - value) ** 2, 0) / (2 * total));
      const shares = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
      const sum = shares.reduce((a, b) => a + b, 0);
      const xt = tf.tensor4d(
        Float32Array.from(z, (value) => value * level.signal),
        [1, ...imageShape],
      );
      const got = model.predict(xt, traced(level)).x0hat.dataSync();
      z.forEach((value, i) => {
        const mixed = pictures.reduce((total_, x, k) => total_ + (shares[k]! / sum) * x[i]!, 0);
        expect(Math.abs(got[i]! - (sigma ** 2 * mixed + 0.2 ** 2 * value) / total)).toBeLessThan(1e-5);
      });
      const { gradient } = valueAndGrad((x) => [sampleSum(model.predict(x, traced(level)).x0hat.square()), []], xt);
      expect(gradient.dataSync().every(Number.isFinite)).toBe(true);
    }
    model.dispose?.();
  });

  it('refuses a data set whose images differ in shape', async () => {
    const { context } = world();
    const shapeOf = (index: number) => (index === 2 ? ([3, 4, 3] as const) : imageShape);
    const dataset: Dataset = { imageShape, shapeOf, size: count, item: () => Promise.reject(new Error('not read')) };
    const plugin: Context['plugin'] = async (kind) => dataset as PluginKinds[typeof kind];
    await expect(empirical(defaults, { ...context, plugin })).rejects.toThrow(
      '[model/empirical] the data set has images [4, 3, 3] and [3, 4, 3], and a mixture is over images of one shape. Give the data set a size.',
    );
    expect((await empirical({ ...defaults, limit: 2 }, { ...context, plugin })).imageShape).toEqual(imageShape);
  });

  it('has a few images open at a time, however many there are', async () => {
    let [open, most] = [0, 0];
    const dataset: Dataset = {
      imageShape,
      size: 100,
      item: async (index) => {
        most = Math.max(most, ++open);
        await new Promise(setImmediate);
        open--;
        return { name: `${index}`, x0: new Float32Array(d).fill(index) };
      },
    };
    const model = await empirical(defaults, {
      ...testContext(),
      plugin: async (kind) => dataset as PluginKinds[typeof kind],
    });
    await model.load?.();
    expect(most).toBeLessThanOrEqual(4);
    expect([...model.mixture!().means].filter((_, i) => i % d === 0)).toEqual(
      Array.from({ length: 100 }, (_, index) => index),
    );
  });
});

it('its manifest describes the noise process as core does', () => {
  expect(manifest.options.properties.process).toEqual(processSchema);
});
