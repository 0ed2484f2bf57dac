import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  covarianceOf,
  drawFromMixture,
  effectiveComponents,
  type GaussianMixture,
  type Image,
  keyedRandom,
  makeProblem,
  mixtureModel,
  mixtureMoments,
  noiseProcess,
  type Operator,
  posteriorWeights,
  type ScoreModel,
  stackTrees,
  symmetricEigen,
  tf,
  traced,
  unitImages,
} from '@tweedie/core';
import { testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const container = testContainer();
const load = async (channels: 1 | 3): Promise<ScoreModel> => {
  const model = await container.plugin('model', { id: 'patches', options: { channels } });
  await model.load?.();
  return model;
};
const FLOOR = 0.02;
const home = join(import.meta.dirname, '..');

describe.each([1, 3] as const)('patches of %d channels', (channels) => {
  it('are a hundred Gaussians, none narrower than the floor', async () => {
    const model = await load(channels);
    const mixture = model.mixture!();
    expect([model.imageShape, mixture.covariance.kind]).toEqual([
      [8, 8, channels],
      channels === 1 ? 'full' : 'low-rank',
    ]);
    expect(mixture.weights.length).toBe(100);
    expect(mixture.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    const least =
      mixture.covariance.kind === 'low-rank'
        ? Math.min(...mixture.covariance.variances)
        : Math.min(...[0, 33, 66, 99].map((k) => Math.min(...symmetricEigen(covarianceOf(mixture, k), 64).values)));
    if (mixture.covariance.kind === 'low-rank') expect(mixture.covariance.factors.length).toBe(100 * 192 * 64);
    // Float32 of numbers up to 1.
    expect(least).toBeGreaterThan(FLOOR ** 2 - 1e-6);
  });

  it('denoise held-out photographs better than one Gaussian does, by 0.5 dB and more', async () => {
    const options = { size: 8, channels, crops: 96 };
    const dataset = await container.plugin('dataset', { id: 'photographs', options });
    const shape = [8, 8, channels] as const;
    const clean = new Float32Array(96 * 64 * channels);
    for (let i = 0; i < 96; i++) clean.set((await dataset.item(i)).x0, i * 64 * channels);
    const model = await load(channels);
    const { mean, covariance } = mixtureMoments(model.mixture!());
    const gaussian: GaussianMixture = {
      weights: Float64Array.of(1),
      means: mean,
      covariance: { kind: 'full', matrices: covariance },
    };
    const one = mixtureModel({ imageShape: shape, process: noiseProcess({ kind: 've' }), mixture: () => gaussian });
    await one.load?.();
    const sigma = 0.1;
    const noise = keyedRandom('patches').normal('noise', clean.length);
    const errorOf = ({ predict, process }: ScoreModel): number => {
      const level = process.levelAt(sigma);
      const z = tf.tensor4d(
        clean.map((value, i) => level.signal * (value + sigma * noise[i]!)),
        [96, ...shape],
      ) as Image;
      const x0hat = predict(z, traced(level)).x0hat.dataSync();
      return clean.reduce((sum, value, i) => sum + (value - x0hat[i]!) ** 2, 0);
    };
    expect(10 * Math.log10(errorOf(one) / errorOf(model))).toBeGreaterThan(0.5);
  });
});

it('ship in less than 8 MB, with the files that fitted them', () => {
  const sizes = ['grey', 'colour'].map((name) => {
    expect(readFileSync(join(home, `${name}.mixture.yaml`), 'utf8')).toContain('floor: 0.02');
    return statSync(join(home, `${name}.safetensors`)).size;
  });
  expect(sizes[0]! + sizes[1]!).toBeLessThan(8e6);
});

it('have posteriors of several components: a mask that hides half, noise 0.2', async () => {
  const shape = [8, 8, 1] as const;
  const mixture = (await load(1)).mixture!();
  const operator: Operator = await container.plugin(
    'operator',
    { id: 'inpaint', options: { rate: 0.5 } },
    { imageShape: shape },
  );
  const counts = Array.from({ length: 9 }, (_, i) => {
    const { x0 } = drawFromMixture(mixture, keyedRandom(`patch ${i}`));
    const problem = { name: `${i}`, x0, imageShape: shape, operator, operatorKey: 'mask', sigmaY: 0.2, seed: 0 };
    const { y, drawn } = makeProblem(problem);
    const columns = operator.forward(unitImages(0, 64, shape), stackTrees(Array.from({ length: 64 }, () => drawn)));
    const values = columns.dataSync();
    const m = y.size;
    const matrix = Float64Array.from({ length: m * 64 }, (_, at) => values[(at % 64) * m + Math.floor(at / 64)]!);
    return effectiveComponents({ weights: posteriorWeights(mixture, matrix, Float64Array.from(y.dataSync()), 0.2) });
  }).sort((a, b) => a - b);
  expect(counts[4]).toBeGreaterThan(2);
  expect(counts[4]).toBeLessThan(20);
});
