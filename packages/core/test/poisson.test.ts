import { keyedRandom, makeProblem, type Operator, poissonCount, poissonMeasurement, sigmaOf, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';

const counts = (mean: number, n: number): number[] =>
  [...keyedRandom(`mean ${mean}`).uniform('u', n)].map((u) => poissonCount(mean, u));

/** ln of the probability of k. */
function logProbability(mean: number, k: number): number {
  let logFactorial = 0;
  for (let i = 2; i <= k; i++) logFactorial += Math.log(i);
  return k * Math.log(mean) - mean - logFactorial;
}

describe('poissonCount', () => {
  it('inverts the distribution function', () => {
    expect([0, 1e-9].map((mean) => poissonCount(mean, 0.999))).toEqual([0, 0]);
    for (const mean of [0.3, 4.2, 137, 2550]) {
      let below = 0;
      for (let k = 0; k < 2 * mean + 5; k++) {
        const p = Math.exp(logProbability(mean, k));
        if (p > 1e-6) expect([0.001, 0.999].map((part) => poissonCount(mean, below + part * p))).toEqual([k, k]);
        below += p;
      }
    }
  });

  it.each([0.05, 3, 47.5, 255, 2550])('has the distribution of mean %d (chi-square)', (mean) => {
    const n = 20_000;
    const drawn = counts(mean, n);
    // 20 classes of about equal probability, from the distribution function itself; neighbours that coincide are one
    // class.
    const edges = [...new Set(Array.from({ length: 19 }, (_, i) => poissonCount(mean, (i + 1) / 20)))];
    const expected = new Array<number>(edges.length + 1).fill(0);
    const classOf = (k: number): number => edges.filter((edge) => k > edge).length;
    for (let k = Math.max(0, Math.floor(mean - 12 * Math.sqrt(mean + 1))); k < mean + 12 * Math.sqrt(mean + 1); k++)
      expected[classOf(k)]! += n * Math.exp(logProbability(mean, k));
    const found = expected.map(() => 0);
    for (const k of drawn) found[classOf(k)]! += 1;
    const chiSquare = expected.reduce((sum, want, i) => sum + (found[i]! - want) ** 2 / want, 0);
    // Mean + 5 standard deviations of chi-square; the seed is fixed.
    expect(chiSquare).toBeLessThan(edges.length + 5 * Math.sqrt(2 * edges.length));
    const average = drawn.reduce((sum, k) => sum + k, 0) / n;
    const variance = drawn.reduce((sum, k) => sum + (k - average) ** 2, 0) / n;
    expect(Math.abs(average - mean)).toBeLessThan(4 * Math.sqrt(mean / n));
    expect(Math.abs(variance / mean - 1)).toBeLessThan(4 * Math.sqrt((2 + 1 / mean) / n));
  });
});

describe('poissonMeasurement', () => {
  it('has the variance 4 u / (255 rate) and stays in range', () => {
    const rate = 0.5;
    for (const level of [-1, -0.6, 0.4]) {
      const y = Float32Array.from(poissonMeasurement(tf.fill([20_000], level), rate, keyedRandom('y')).dataSync());
      const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
      const variance = y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length;
      const wanted = (2 * (level + 1)) / (255 * rate);
      expect(Math.abs(mean - level)).toBeLessThanOrEqual(4 * Math.sqrt(wanted / y.length) + 1e-6);
      expect(Math.abs(variance - wanted)).toBeLessThanOrEqual(0.05 * wanted);
    }
    const outside = poissonMeasurement(
      tf.tensor1d([-3, ...new Array<number>(50).fill(2)]),
      1,
      keyedRandom('y'),
    ).dataSync();
    expect(outside[0]).toBe(-1);
    expect(Math.max(...outside)).toBe(1);
  });

  it('makes problems whose sigmaY is the noise at mid-grey, and that hide what the operator hides', () => {
    const mask = tf.tensor1d([1, 0]);
    const operator: Operator = {
      linear: true,
      measurementShape: [1, 4000, 2],
      draw: () => ({}),
      forward: (x) => x.mul(mask),
      shapeNoise: (noise) => noise.mul(mask),
    };
    const make = (seed: number) =>
      makeProblem({
        name: 'grey',
        x0: new Float32Array(8000),
        imageShape: [1, 4000, 2],
        operator,
        operatorKey: 'mask',
        sigmaY: { poisson: 2 },
        seed,
      });
    const problem = make(0);
    expect(problem.sigmaY).toBe(sigmaOf({ poisson: 2 }));
    const [seen, hidden] = tf.unstack(problem.y.reshape([4000, 2]), 1);
    expect(Math.abs(Math.sqrt(seen!.square().mean().dataSync()[0]!) / problem.sigmaY - 1)).toBeLessThan(
      4 / Math.sqrt(2 * 4000),
    );
    expect(hidden!.abs().max().dataSync()[0]).toBe(0);
    expect([make(0).hash, make(1).hash].map((hash) => hash === problem.hash)).toEqual([true, false]);
    expect(() =>
      makeProblem({
        name: 'grey',
        x0: new Float32Array(8000),
        imageShape: [1, 4000, 2],
        operator,
        operatorKey: 'mask',
        sigmaY: { poisson: 0 },
        seed: 0,
      }),
    ).toThrow(
      '[problem] the rate of Poisson noise must be a number > 0, got 0. A white pixel gets 255 rate counts; 1 is the noise of an 8-bit picture.',
    );
  });
});
