import {
  covarianceOf,
  denoiseMixture,
  denoiseSharedIsotropic,
  disposeTree,
  type GaussianMixture,
  mixtureHash,
  mixtureModel,
  mixtureTensors,
  noiseProcess,
  sampleSum,
  sharedIsotropicTensors,
  sharedVariance,
  tf,
  traced,
  valueAndGrad,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { noisedDensity, numericalGradient, randomMixture, relativeError } from './float64.ts';

const d = 5;
const identity = Float64Array.from({ length: d * d }, (_, i) => Number(i % (d + 1) === 0));
const points = [0.4, -1.1, 0.9, 0.2, -0.3, 1.5, 0.1, -0.8, -0.2, 0.6];
const rows = [Float64Array.from(points.slice(0, d)), Float64Array.from(points.slice(d))];

/** x0hat = z + S grad ln p_S(z), with a diagonal noise covariance S. */
const direct = (prior: GaussianMixture, z: Float64Array, noise: Float64Array): Float64Array => {
  const s = Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? noise[Math.floor(i / d)]! : 0));
  return noisedDensity(prior, s, z).score.map((value, i) => z[i]! + noise[i]! * value);
};
const even = (sigma: number) => new Float64Array(d).fill(sigma ** 2);

describe.each(['isotropic', 'shared', 'diagonal', 'full'] as const)('a mixture with %s covariances', (kind) => {
  const prior = randomMixture(kind, 4, d);
  const z = tf.tensor2d(points, [2, d]);

  it.each([0.01, 0.3, 3, 100])('has the mean that its score gives, sigma %f', (sigma) => {
    const got = tf.tidy(() => denoiseMixture(z, tf.scalar(sigma ** 2), mixtureTensors(prior)).x0hat.dataSync());
    rows.forEach((row, b) =>
      expect(relativeError(got.slice(b * d, (b + 1) * d), direct(prior, row, even(sigma)))).toBeLessThan(1e-5),
    );
  });

  it.each(['vp', 've'] as const)('is a model on a %s process', async (process) => {
    const model = mixtureModel({
      imageShape: [1, 1, d],
      process: noiseProcess({ kind: process }),
      mixture: () => prior,
    });
    expect(() => model.predict(tf.zeros([1, 1, 1, d]), traced(model.process.table[0]!))).toThrow(/load/);
    await model.load?.();
    for (const t of [0, 100, 500, 999]) {
      const level = model.process.table[t]!;
      const xt = tf.tensor4d(
        points.map((value) => value * level.signal),
        [2, 1, 1, d],
      );
      const { x0hat, epsilon } = model.predict(xt, traced(level));
      rows.forEach((row, b) => {
        const expected = direct(prior, row, even(level.sigma));
        expect(relativeError(x0hat.dataSync().slice(b * d, (b + 1) * d), expected)).toBeLessThan(1e-5);
        // epsilon keeps its digits where x0hat is close to xt.
        expect(
          relativeError(
            epsilon.dataSync().slice(b * d, (b + 1) * d),
            expected.map((value, i) => (row[i]! - value) / level.sigma),
          ),
        ).toBeLessThan(2e-5);
      });
    }
    model.dispose?.();
  });

  it.each(['vp', 've'] as const)('knows x0 and no noise at sigma 0 of a %s process', async (process) => {
    const model = mixtureModel({
      imageShape: [1, 1, d],
      process: noiseProcess({ kind: process }),
      mixture: () => prior,
    });
    await model.load?.();
    const { x0hat, epsilon } = model.predict(tf.tensor4d(points, [2, 1, 1, d]), traced(model.process.levelAt(0)));
    expect(relativeError(x0hat.dataSync(), Float64Array.from(points))).toBeLessThan(1e-6);
    expect([...epsilon.dataSync()].every((value) => value === 0)).toBe(true);
    model.dispose?.();
  });

  it('has finite, right gradients, also where all noise is gone or everything is noise', async () => {
    const model = mixtureModel({ imageShape: [1, 1, d], process: noiseProcess(), mixture: () => prior });
    await model.load?.();
    for (const t of [0, 300, 999]) {
      const level = model.process.table[t]!;
      const xt = tf.tensor4d(
        points.map((value) => value * level.signal),
        [2, 1, 1, d],
      );
      const { gradient } = valueAndGrad((x) => [sampleSum(model.predict(x, traced(level)).x0hat.square()), []], xt);
      const values = gradient.dataSync();
      const expected = numericalGradient(
        (z) => direct(prior, z, even(level.sigma)).reduce((sum, value) => sum + value * value, 0),
        rows[0]!,
        Math.max(1e-4, 1e-3 * level.sigma),
      );
      // d/dxt = (1 / signal) d/dz. At t = 999 what remains is 1e-4 of a cancellation.
      expect(
        relativeError(
          values.slice(0, d),
          expected.map((value) => value / level.signal),
        ),
        `t ${t}`,
      ).toBeLessThan(t === 999 ? 5e-3 : 3e-4);
    }
    model.dispose?.();
  });
});

describe('equal isotropic covariances', () => {
  const prior = randomMixture('shared', 4, d);
  const z = tf.tensor2d(points, [2, d]);

  it.each([0.01, 0.3, 3, 100])('by matrix products give the same, sigma %f', (sigma) => {
    expect(sharedVariance(prior)).toBe(0.2);
    const fast = tf.tidy(() =>
      denoiseSharedIsotropic(z, tf.scalar(sigma ** 2), sharedIsotropicTensors(prior, 0.2)).x0hat.dataSync(),
    );
    rows.forEach((row, b) =>
      expect(relativeError(fast.slice(b * d, (b + 1) * d), direct(prior, row, even(sigma)))).toBeLessThan(1e-5),
    );
  });

  it('with another noise in every coordinate', () => {
    const noise = [0.01, 0.3, 4, 0.02, 1, 2, 0.5, 0.1, 0.05, 9];
    const perEntry = tf.tensor2d(noise, [2, d]);
    const fast = tf.tidy(() =>
      denoiseSharedIsotropic(z, perEntry, sharedIsotropicTensors(prior, 0.2)).x0hat.dataSync(),
    );
    const slow = tf.tidy(() => denoiseMixture(z, perEntry.expandDims(1), mixtureTensors(prior)).x0hat.dataSync());
    rows.forEach((row, b) => {
      const expected = direct(prior, row, Float64Array.from(noise.slice(b * d, (b + 1) * d)));
      expect(relativeError(fast.slice(b * d, (b + 1) * d), expected)).toBeLessThan(1e-5);
      expect(relativeError(slow.slice(b * d, (b + 1) * d), expected)).toBeLessThan(1e-5);
    });
  });

  it('far from the origin lose no digits', () => {
    const far: GaussianMixture = { ...prior, means: prior.means.map((value) => value + 100) };
    const got = tf.tidy(() =>
      denoiseSharedIsotropic(z.add(100), tf.scalar(0.09), sharedIsotropicTensors(far, 0.2)).x0hat.sub(100).dataSync(),
    );
    expect(
      Math.max(
        ...rows.flatMap((row, b) =>
          Array.from(direct(prior, row, even(0.3)), (value, i) => Math.abs(value - got[b * d + i]!)),
        ),
      ),
    ).toBeLessThan(1e-4);
  });
});

it('components whose widths have nothing in common', () => {
  const mixture: GaussianMixture = {
    weights: Float64Array.of(0.5, 0.5),
    means: Float64Array.of(1, 1),
    covariance: { kind: 'isotropic', variances: Float64Array.of(1, 1e-10) },
  };
  const [x0hat] = tf.tidy(() =>
    denoiseMixture(tf.tensor2d([1 + 1e-5], [1, 1]), tf.scalar(1e-12), mixtureTensors(mixture)).x0hat.dataSync(),
  );
  expect(x0hat).toBeCloseTo(1 + 1e-5, 6);
});

describe('mixture parameters', () => {
  it('unequal variances are not shared', () =>
    expect(sharedVariance(randomMixture('isotropic', 4, d))).toBeUndefined());

  it('covarianceOf writes every kind as a matrix', () => {
    const isotropic = randomMixture('isotropic', 2, d);
    expect([...covarianceOf(isotropic, 1)]).toEqual(
      Array.from(identity, (value) => value * (isotropic.covariance as { variances: Float64Array }).variances[1]!),
    );
  });

  it('the hash knows every number', () => {
    const base = randomMixture('diagonal', 2, d);
    expect(mixtureHash(base)).toBe(mixtureHash(randomMixture('diagonal', 2, d)));
    expect(mixtureHash({ ...base, weights: base.weights.toReversed() })).not.toBe(mixtureHash(base));
    expect(mixtureHash({ ...base, means: base.means.map((value, i) => (i === 3 ? value + 1e-9 : value)) })).not.toBe(
      mixtureHash(base),
    );
  });

  it('leave no tensors behind', async () => {
    const before = tf.memory().numTensors;
    disposeTree({ ...mixtureTensors(randomMixture('full', 3, d)) });
    for (const kind of ['shared', 'full'] as const) {
      const model = mixtureModel({
        imageShape: [1, 1, d],
        process: noiseProcess(),
        mixture: () => randomMixture(kind, 3, d),
      });
      await model.load?.();
      model.dispose?.();
    }
    expect(tf.memory().numTensors).toBe(before);
  });
});
