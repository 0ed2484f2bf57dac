import {
  covarianceOf,
  decodeMixture,
  drawFromMixture,
  effectiveComponents,
  encodeMixture,
  type GaussianMixture,
  type Image,
  keyedRandom,
  mixtureHash,
  mixtureModel,
  noiseProcess,
  posteriorMixture,
  posteriorWeights,
  tf,
  traced,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';

const [count, d, rank] = [3, 6, 2];
/** Cosines of whole periods over d entries: columns at right angles, the second one longer than the first. */
const factors = Float64Array.from({ length: count * d * rank }, (_, at) => {
  const [k, i, j] = [Math.floor(at / (d * rank)), Math.floor(at / rank) % d, at % rank];
  return 0.4 * (1 + j) * Math.cos((2 * Math.PI * (i + 0.25 * k) * (j + 1)) / d);
});
const low: GaussianMixture = {
  weights: Float64Array.of(0.2, 0.5, 0.3),
  means: Float64Array.from({ length: count * d }, (_, i) => Math.sin(2 * i)),
  covariance: { kind: 'low-rank', factors, variances: Float64Array.of(0.01, 0.04, 0.09) },
};
const matrices = Float64Array.from({ length: count }, (_, k) => k).reduce(
  (all, k) => {
    all.set(covarianceOf(low, k), k * d * d);
    return all;
  },
  new Float64Array(count * d * d),
);
const full: GaussianMixture = { ...low, covariance: { kind: 'full', matrices } };
const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): void => {
  expect(a.length).toBe(b.length);
  for (let i = 0; i < a.length; i++) expect(Math.abs(a[i]! - b[i]!), `entry ${i}`).toBeLessThan(tolerance);
};
const a = Float64Array.from({ length: 2 * d }, (_, i) => Math.cos(3 * i));
const y = Float64Array.of(0.3, -0.8);

describe('covariances of low rank', () => {
  it('are F F^T + s^2 I', () => {
    const at = (i: number, j: number): number =>
      (i === j ? 0.04 : 0) +
      [0, 1].reduce((sum, l) => sum + factors[(d + i) * rank + l]! * factors[(d + j) * rank + l]!, 0);
    close(
      covarianceOf(low, 1),
      Array.from({ length: d * d }, (_, p) => at(Math.floor(p / d), p % d)),
      1e-15,
    );
  });

  it.each(['vp', 've'] as const)('denoise as the full ones that they stand for, %s', async (kind) => {
    const shape = [2, 3, 1] as const;
    const process = noiseProcess({ kind, schedule: 'linear', trainingSteps: 1000, sigmaMin: 0.01, sigmaMax: 157 });
    const models = [low, full].map((mixture) => mixtureModel({ imageShape: shape, process, mixture: () => mixture }));
    for (const model of models) await model.load?.();
    const noise = keyedRandom('low rank').normal('xt', 4 * d);
    for (const index of [0, 100, 400, 999]) {
      const level = process.table[index]!;
      const xt = tf.tensor4d(
        noise.map((value) => value * Math.hypot(level.signal, level.noise)),
        [4, ...shape],
      ) as Image;
      const [first, second] = models.map((model) => model.predict(xt, traced(level)));
      close(first!.x0hat.dataSync(), second!.x0hat.dataSync(), 1e-5);
      close(first!.epsilon.dataSync(), second!.epsilon.dataSync(), 2e-5);
    }
    models.forEach((model) => model.dispose?.());
  });

  it('have the posterior of the full ones', () => {
    const [one, other] = [low, full].map((prior) => posteriorMixture(prior, a, y, 0.2));
    close(one!.weights, other!.weights, 1e-12);
    close(posteriorWeights(low, a, y, 0.2), other!.weights, 1e-12);
    close(one!.means, other!.means, 1e-12);
    close(covarianceOf(one!, 2), covarianceOf(other!, 2), 1e-12);
  });

  it('are drawn from: the covariance of 20,000 draws within five standard errors', () => {
    const single: GaussianMixture = {
      weights: Float64Array.of(1),
      means: new Float64Array(d),
      covariance: { kind: 'low-rank', factors: factors.slice(0, d * rank), variances: Float64Array.of(0.01) },
    };
    const draws = 20_000;
    const sum = new Float64Array(d * d);
    for (let n = 0; n < draws; n++) {
      const { x0 } = drawFromMixture(single, keyedRandom(`draw ${n}`));
      for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) sum[i * d + j]! += (x0[i]! * x0[j]!) / draws;
    }
    const expected = covarianceOf(single, 0);
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) {
        const error = Math.sqrt((expected[i * d + i]! * expected[j * d + j]! + expected[i * d + j]! ** 2) / draws);
        expect(Math.abs(sum[i * d + j]! - expected[i * d + j]!)).toBeLessThan(5 * error);
      }
  });

  it('count in the hash of a mixture, factors and variances', () => {
    const other = { ...low, covariance: { ...low.covariance, variances: Float64Array.of(0.01, 0.04, 0.08) } };
    expect(mixtureHash(other as GaussianMixture)).not.toBe(mixtureHash(low));
  });
});

describe('a posterior without what has no weight', () => {
  it('is that of the others, renormalised', () => {
    const all = posteriorMixture(full, a, y, 0.05);
    const order = [...all.weights.keys()].sort((p, q) => all.weights[q]! - all.weights[p]!);
    const [first = 0, second = 0, third = 0] = order;
    const least = Math.sqrt((all.weights[second]! * all.weights[third]!) / all.weights[first]! ** 2);
    const few = posteriorMixture(full, a, y, 0.05, least);
    const kept = [first, second].sort();
    expect(few.weights.length).toBe(2);
    const sum = all.weights[first]! + all.weights[second]!;
    close(
      few.weights,
      kept.map((k) => all.weights[k]! / sum),
      1e-12,
    );
    close(covarianceOf(few, 1), covarianceOf(all, kept[1]!), 1e-15);
  });

  it('counts its live components: 1 / sum w^2', () => {
    expect(effectiveComponents({ weights: Float64Array.of(0.25, 0.25, 0.25, 0.25) })).toBe(4);
    expect(effectiveComponents({ weights: Float64Array.of(0, 1) })).toBe(1);
    expect(effectiveComponents({ weights: Float64Array.of(0.8, 0.2) })).toBeCloseTo(1 / 0.68, 12);
  });
});

describe('the file of a mixture', () => {
  it.each([
    ['low-rank', low],
    ['full', full],
    ['diagonal', { ...low, covariance: { kind: 'diagonal', variances: Float64Array.from(low.means, Math.abs) } }],
    ['isotropic', { ...low, covariance: { kind: 'isotropic', variances: Float64Array.of(1, 2, 3) } }],
  ] as readonly (readonly [string, GaussianMixture])[])('%s covariances come back in float32', (_kind, mixture) => {
    const read = decodeMixture(encodeMixture(mixture, { about: 'a test' }), 'x.safetensors', 'test');
    expect([read.count, read.covariance.kind]).toEqual([count, mixture.covariance.kind]);
    close(read.weights!, mixture.weights, 1e-7);
    close(read.means, mixture.means, 1e-7);
    for (let k = 0; k < count; k++)
      close(covarianceOf({ ...mixture, covariance: read.covariance }, k), covarianceOf(mixture, k), 3e-7);
  });
});
