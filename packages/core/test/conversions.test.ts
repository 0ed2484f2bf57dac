import {
  epsilonFromX0,
  fromEpsilonNetwork,
  fromVe,
  type Image,
  noiseProcess,
  predictionFromEpsilon,
  predictionFromScore,
  predictionFromX0,
  type Scalar,
  scoreFromEpsilon,
  tf,
  toVe,
  traced,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { relativeError } from './float64.ts';

const xt = tf.tensor4d([0.5, -1.2, 0.3, 2, -0.7, 0.1], [1, 1, 2, 3]);
const x0hat = tf.tensor4d([0.2, -0.9, 0.1, 0.8, 0.4, -0.3], [1, 1, 2, 3]);
const near = (got: Image, expected: Image, tolerance = 2e-6) =>
  expect(relativeError(got.dataSync(), expected.dataSync())).toBeLessThan(tolerance);

describe.each(['vp', 've'] as const)('a prediction on a %s process', (kind) => {
  const process = noiseProcess({ kind });
  const level = traced(process.levelAt(0.8));
  const { signal, noise, sigma } = process.levelAt(0.8);

  it('is the same as x0hat, epsilon or score', () => {
    const { epsilon } = predictionFromX0(xt, x0hat, level);
    near(epsilon, xt.sub(x0hat.mul(signal)).div(noise));
    near(epsilonFromX0(xt, x0hat, level), epsilon);
    near(predictionFromEpsilon(xt, epsilon, level).x0hat, x0hat);
    const score = scoreFromEpsilon(epsilon, level);
    // N(xt; signal x0hat, noise^2 I)
    near(
      score,
      x0hat
        .mul(signal)
        .sub(xt)
        .div(noise ** 2),
    );
    near(predictionFromScore(xt, score, level).x0hat, x0hat);
    near(predictionFromScore(xt, score, level).epsilon, epsilon);
  });

  it('in VE units has signal times the score', () => {
    const z = toVe(xt, level);
    near(fromVe(z, level), xt);
    const score = scoreFromEpsilon(epsilonFromX0(xt, x0hat, level), level);
    near(x0hat.sub(z).div(sigma ** 2), score.mul(signal));
  });
});

describe('an epsilon network', () => {
  const seen: { x: number[]; t: number }[] = [];
  const constant = [1, -0.5, 0.25, 2, 0, -1];
  const modelOf = (kind: 'vp' | 've') =>
    fromEpsilonNetwork({
      imageShape: [1, 2, 3],
      process: kind === 'vp' ? noiseProcess() : noiseProcess({ kind: 've', sigmaMin: 0.005, sigmaMax: 300 }),
      weightsHash: () => 'none',
      network: (x: Image, t: Scalar) => {
        seen.push({ x: [...x.dataSync()], t: t.dataSync()[0]! });
        return { epsilon: tf.tensor4d(constant, [1, 1, 2, 3]), varianceFraction: x.onesLike() };
      },
    });

  it.each(['vp', 've'] as const)('is shown the VP state of the level, from a %s state', (kind) => {
    const model = modelOf(kind);
    const level = model.process.levelAt(0.05);
    const { x0hat: got, epsilon, varianceFraction } = model.predict(xt, traced(level));
    const { x, t } = seen.at(-1)!;
    expect(t).toBeCloseTo(level.t, 4);
    expect(
      relativeError(
        x,
        [...xt.dataSync()].map((value) => value / level.signal / Math.sqrt(1 + 0.05 ** 2)),
      ),
    ).toBeLessThan(1e-6);
    expect(relativeError(epsilon.dataSync(), constant)).toBeLessThan(1e-6);
    near(got, xt.div(level.signal).sub(tf.tensor4d(constant, [1, 1, 2, 3]).mul(0.05)));
    expect(varianceFraction).toBeDefined();
  });

  it('below the table uses the first entry, and its score: D = z - sigma^2 epsilon / sigma_0', () => {
    const model = modelOf('vp');
    const { sigma: first } = model.process.table[0]!;
    const level = model.process.levelAt(0.004);
    const { x0hat: got, epsilon } = model.predict(xt, traced(level));
    const { x, t } = seen.at(-1)!;
    expect(t).toBe(0);
    expect(
      relativeError(
        x,
        [...xt.dataSync()].map((value) => value / level.signal / Math.sqrt(1 + first ** 2)),
      ),
    ).toBeLessThan(1e-6);
    // Not z - sigma epsilon: what is kept is the score -epsilon / sigma_0.
    near(got, xt.div(level.signal).sub(tf.tensor4d(constant, [1, 1, 2, 3]).mul(0.004 ** 2 / first)), 1e-7);
    near(
      scoreFromEpsilon(epsilon, traced(level)).mul(level.signal),
      tf.tensor4d(constant, [1, 1, 2, 3]).mul(-1 / first),
    );
  });
});
