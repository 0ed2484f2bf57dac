/**
 * docs/methods.md 3 and the rows of docs/methods.md 10 on exact posterior scores. float64, except where TensorFlow.js
 * computes.
 */
import {
  combinedLevel,
  combinedState,
  covarianceOf,
  drawFromMixture,
  type GaussianMixture,
  keyedRandom,
  mixtureModel,
  mixtureMoments,
  noiseProcess,
  posteriorMixture,
  posteriorScore,
  tf,
  traced,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { jointLogDensity, noisedDensity, numericalGradient, randomMixture, relativeError } from './float64.ts';

const d = 4;
const prior = randomMixture('full', 3, d);
const numbers = keyedRandom('posterior tests');
const z = Float64Array.from(numbers.normal('z', d));
const identity = Float64Array.from({ length: d * d }, (_, i) => Number(i % (d + 1) === 0));
const scaledIdentity = (s: number) => identity.map((value) => value * s);

const general = Float64Array.from(numbers.normal('A', 2 * d));
const invertible = identity.map((value, i) => value + 0.3 * numbers.normal('B', d * d)[i]!);
const mask = Float64Array.from([1, 0, 0, 0, 0, 0, 1, 0]);
const operators = {
  'identity (Eq 8)': identity,
  'mask (Eq 9)': mask,
  'invertible (3.4)': invertible,
  'general (3.5)': general,
};
const levels = [
  [0.3, 0.2],
  [2, 0.1],
  [0.1, 0.5],
] as const;
const measured = (a: Float64Array) => Float64Array.from(numbers.normal('y', a.length / d));

/** E[x0 | z, y] as the posterior of measuring [z / sigma; y / sigmaY] with unit noise. */
function conditionalMean(a: Float64Array, sigma: number, sigmaY: number, y: Float64Array): Float64Array {
  const rows = Float64Array.from([...identity.map((value) => value / sigma), ...a.map((value) => value / sigmaY)]);
  const values = Float64Array.from([...z.map((value) => value / sigma), ...y.map((value) => value / sigmaY)]);
  return mixtureMoments(posteriorMixture(prior, rows, values, 1)).mean;
}

describe.each(Object.entries(operators))('score of p(xt | y), %s', (_name, a) => {
  it.each(levels)('equals the numerical gradient of ln p(xt, y), sigma %f, sigmaY %f', (sigma, sigmaY) => {
    const y = measured(a);
    const score = conditionalMean(a, sigma, sigmaY, y).map((value, i) => (value - z[i]!) / sigma ** 2);
    const gradient = numericalGradient(
      (x) => jointLogDensity(prior, a, sigma, sigmaY, x, y),
      z,
      1e-3 * Math.max(0.3, sigma),
    );
    expect(relativeError(score, gradient)).toBeLessThan(1e-8);
  });
});

/** Equation 8, every term written out with the float64 score of the test. */
function equation8(sigma: number, sigmaY: number, y: Float64Array): Float64Array {
  const total = sigma ** 2 + sigmaY ** 2;
  const combined = (sigma * sigmaY) ** 2 / total;
  const point = z.map((value, i) => (sigmaY ** 2 * value + sigma ** 2 * y[i]!) / total);
  const { score } = noisedDensity(prior, scaledIdentity(combined), point);
  return score.map((value, i) => (combined / sigma ** 2) * value + (y[i]! - z[i]!) / total);
}

describe('denoising', () => {
  it.each(levels)('xt + sigma^2 Eq 8 = D(x*, sigma*), sigma %f, sigmaY %f', (sigma, sigmaY) => {
    const y = measured(identity);
    const fromScore = equation8(sigma, sigmaY, y).map((value, i) => z[i]! + sigma ** 2 * value);
    const { sigma: combined } = combinedLevel(
      noiseProcess({ kind: 've', sigmaMin: 1e-3 }),
      { sigma, alphaBar: 0, signal: 1, noise: sigma, t: 0, tableSigma: sigma },
      sigmaY,
    );
    const point = z.map((value, i) => (sigmaY ** 2 * value + sigma ** 2 * y[i]!) / (sigma ** 2 + sigmaY ** 2));
    const denoised = mixtureMoments(posteriorMixture(prior, identity, point, combined)).mean;
    denoised.forEach((value, i) => expect(Math.abs(value - fromScore[i]!)).toBeLessThan(1e-12));
  });

  it('without information in y, Eq 8 is the score of the prior', () => {
    const { score } = noisedDensity(prior, scaledIdentity(0.09), z);
    expect(relativeError(equation8(0.3, 1e6, measured(identity)), score)).toBeLessThan(1e-9);
  });

  it.each(['vp', 've'] as const)('posteriorScore on a %s process is Eq 8 (Eq 38 in the units of xt)', async (kind) => {
    const process = noiseProcess({ kind });
    const model = mixtureModel({ imageShape: [1, 1, d], process, mixture: () => prior });
    await model.load?.();
    for (const [sigma, sigmaY] of levels) {
      const y = measured(identity);
      const level = process.levelAt(sigma);
      const combined = combinedLevel(process, level, sigmaY);
      expect(combined.sigma).toBeCloseTo((sigma * sigmaY) / Math.hypot(sigma, sigmaY), 12);
      const got = tf.tidy(() => {
        const [at, next] = [traced(level), traced(combined)];
        const xt = tf.tensor4d(
          Float32Array.from(z, (value) => value * level.signal),
          [1, 1, 1, d],
        );
        const image = tf.tensor4d(Float32Array.from(y), [1, 1, 1, d]);
        const point = combinedState(xt, image, at, next, tf.scalar(sigmaY));
        return posteriorScore(xt, image, model.predict(point, next).epsilon, at, next, tf.scalar(sigmaY))
          .div(level.signal)
          .dataSync();
      });
      // grad of ln p(xt | y) with respect to xt = signal z.
      const expected = equation8(sigma, sigmaY, y).map((value) => value / level.signal);
      expect(relativeError(got, expected)).toBeLessThan(1e-5);
    }
    model.dispose?.();
  });

  it('below the table, the combined level says which one is used', () => {
    const process = noiseProcess();
    const level = process.table[0]!;
    const combined = combinedLevel(process, level, 0.05);
    expect(combined.sigma).toBeCloseTo((level.sigma * 0.05) / Math.hypot(level.sigma, 0.05), 14);
    expect(combined.tableSigma).toBe(level.sigma);
    expect(combined.t).toBe(0);
    expect(combinedLevel(process, level, 0).sigma).toBe(0);
  });
});

describe('posteriorMixture', () => {
  it('weighs the components by the evidence of y', () => {
    const y = measured(general);
    const posterior = posteriorMixture(prior, general, y, 0.2);
    const evidence = prior.weights.map((weight, k) => {
      const alone: GaussianMixture = {
        weights: Float64Array.of(1),
        means: prior.means.slice(k * d, (k + 1) * d),
        covariance: { kind: 'full', matrices: covarianceOf(prior, k) },
      };
      // p(y) = p(z, y) / p(z | y), here by a z so noisy that it says nothing.
      return weight * Math.exp(jointLogDensity(alone, general, 1e6, 0.2, new Float64Array(d), y));
    });
    const total = evidence.reduce((sum, value) => sum + value, 0);
    evidence.forEach((value, k) => expect(posterior.weights[k]).toBeCloseTo(value / total, 8));
  });

  it('keeps the prior where y says nothing, and finds x0 where it says everything', () => {
    const y = measured(identity);
    const vague = posteriorMixture(prior, identity, y, 1e6);
    expect(relativeError(vague.means, prior.means)).toBeLessThan(1e-9);
    expect(relativeError(vague.weights, prior.weights)).toBeLessThan(1e-9);
    const sharp = mixtureMoments(posteriorMixture(prior, identity, y, 1e-5));
    expect(relativeError(sharp.mean, y)).toBeLessThan(1e-8);
    for (let i = 0; i < d; i++) expect(sharp.covariance[i * d + i]).toBeCloseTo(1e-10, 12);
  });

  it('refuses a singular measurement without noise', () => {
    expect(() => posteriorMixture(prior, new Float64Array(d), Float64Array.of(0), 0)).toThrow(
      /singular for component 0: sigmaY 0/,
    );
  });
});

describe('mixtureMoments and drawFromMixture', () => {
  it.each(['isotropic', 'diagonal', 'full'] as const)('agree for %s covariances', (kind) => {
    const mixture = randomMixture(kind, 3, 3);
    const { mean, covariance } = mixtureMoments(mixture);
    const count = 5000;
    const draws = Array.from({ length: count }, (_, i) => drawFromMixture(mixture, keyedRandom(`draw ${i}`)));
    mixture.weights.forEach((weight, k) => {
      const share = draws.filter(({ component }) => component === k).length / count;
      expect(Math.abs(share - weight)).toBeLessThan(4 * Math.sqrt((weight * (1 - weight)) / count));
    });
    for (let i = 0; i < 3; i++) {
      const average = draws.reduce((sum, { x0 }) => sum + x0[i]!, 0) / count;
      expect(Math.abs(average - mean[i]!)).toBeLessThan(4 * Math.sqrt(covariance[i * 4]! / count));
      const second = draws.map(({ x0 }) => (x0[i]! - mean[i]!) * (x0[(i + 1) % 3]! - mean[(i + 1) % 3]!));
      const expected = covariance[i * 3 + ((i + 1) % 3)]!;
      const got = second.reduce((sum, value) => sum + value, 0) / count;
      const spread = Math.sqrt(second.reduce((sum, value) => sum + (value - got) ** 2, 0) / count);
      expect(Math.abs(got - expected)).toBeLessThan((4 * spread) / Math.sqrt(count));
    }
  });
});
