import {
  ConfigError,
  cosineBetas,
  geometricProcess,
  geometricSigmas,
  levelsThrough,
  noiseProcess,
  polynomialSigmas,
  respacedLevels,
  reverseCoefficients,
  sigmaRange,
  spaceTimesteps,
  veProcess,
  vpProcessOfAlphaBars,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';

describe('the linear VP table', () => {
  const { table } = noiseProcess();

  // docs/methods.md 1.1.
  it.each([
    [0, 0.9999, 0.010001],
    [1, 0.99978009, 0.014831],
    [10, 0.99780657, 0.046885],
    [11, 0.99748815, 0.050181],
    [50, 0.96995149, 0.17601],
    [100, 0.89514159, 0.34226],
    [200, 0.65634701, 0.723591],
    [500, 0.07779666, 3.442967],
    [900, 2.7024e-4, 60.8223],
    [999, 4.036e-5, 157.4073],
  ])('at %i', (t, alphaBar, sigma) => {
    const level = table[t]!;
    expect(Math.abs(level.alphaBar / alphaBar - 1)).toBeLessThan(5e-5);
    expect(Math.abs(level.sigma / sigma - 1)).toBeLessThan(5e-5);
    expect(level.signal ** 2 + level.noise ** 2).toBeCloseTo(1, 14);
    expect(level.noise / level.signal / level.sigma).toBeCloseTo(1, 12);
    expect([level.t, level.tableSigma]).toEqual([t, level.sigma]);
  });
});

describe('the cosine table', () => {
  it('has the values of docs/methods.md 1.3', () => {
    const betas = cosineBetas(1000);
    expect(betas[0]).toBeCloseTo(4.1284e-5, 9);
    expect(betas[999]).toBe(0.999);
    expect(noiseProcess({ schedule: 'cosine' }).table[500]!.alphaBar).toBeCloseTo(0.49229, 5);
  });
});

describe('respacing', () => {
  it('keeps the indices of docs/methods.md 1.2', () => {
    const kept = spaceTimesteps(1000, 100);
    expect(kept.slice(0, 12)).toEqual([0, 10, 20, 30, 40, 50, 61, 71, 81, 91, 101, 111]);
    expect(kept.at(-1)).toBe(999);
    expect(spaceTimesteps(1000, 20).slice(0, 6)).toEqual([0, 53, 105, 158, 210, 263]);
    expect(spaceTimesteps(1000, 'ddim100').at(-1)).toBe(990);
    expect(spaceTimesteps(1000, [500, 500])).toEqual(Array.from({ length: 1000 }, (_, t) => t));
  });

  it.each([
    // docs/methods.md 4.13, computed with NumPy: first and last entries, and the sum of all.
    [20, [0, 26, 54, 82, 111, 141], [487, 541, 602, 675, 770, 999], 6871],
    [50, [0, 10, 20, 31, 41, 52], [680, 714, 752, 797, 857, 999], 16838],
    [100, [0, 5, 10, 15, 20, 25], [775, 798, 825, 857, 899, 999], 33469],
  ])('quad%i is dense where the noise is low', (count, first, last, sum) => {
    const kept = spaceTimesteps(1000, `quad${count}`);
    expect([kept.length, kept.slice(0, 6), kept.slice(-6), kept.reduce((a, b) => a + b)]).toEqual([
      count,
      first,
      last,
      sum,
    ]);
  });

  it('quad1 is pure noise and then the end, quad501 the most that 1000 levels give', () => {
    expect(spaceTimesteps(1000, 'quad1')).toEqual([999]);
    expect(new Set(spaceTimesteps(1000, 'quad501')).size).toBe(501);
  });

  it('has the betas of docs/methods.md 1.2', () => {
    const betas = respacedLevels(noiseProcess(), 100)
      .toReversed()
      .map(({ level, next }) => reverseCoefficients(level, next).beta);
    expect(betas[0]).toBeCloseTo(1e-4, 9);
    expect(betas[1]).toBeCloseTo(2.0936e-3, 6);
    expect(betas[50]).toBeCloseTo(0.10526, 5);
    expect(betas[99]).toBeCloseTo(0.18218, 5);
  });

  it('counts down, ends clean, and each level is the next of the one before', () => {
    const pairs = respacedLevels(noiseProcess({ kind: 've' }), 7);
    expect(pairs.map(({ index }) => index)).toEqual([6, 5, 4, 3, 2, 1, 0]);
    expect(pairs.at(-1)!.next).toMatchObject({ sigma: 0, alphaBar: 1, signal: 1, noise: 0 });
    pairs.slice(1).forEach(({ level }, i) => expect(pairs[i]!.next).toBe(level));
  });

  it.each([
    [0, 'cannot take 0 steps out of a section of 1000 levels. Give an integer from 1 to 1000.'],
    [1001, 'cannot take 1001 steps out of a section of 1000 levels. Give an integer from 1 to 1000.'],
    [2.5, 'cannot take 2.5 steps'],
    ['ddim37', 'no integer stride over 1000 levels gives 37 steps. Give a number of steps without the ddim prefix.'],
    [
      'fast',
      "steps 'fast' is not understood. Give a number, 'ddimN', 'quadN', or counts per section such as '10,20,30'.",
    ],
    [
      'quad0',
      "'quad0' over 1000 levels would visit one of them twice. Give 1 to 501 steps, or a number without the quad prefix.",
    ],
    [
      'quad502',
      "'quad502' over 1000 levels would visit one of them twice. Give 1 to 501 steps, or a number without the quad prefix.",
    ],
  ])('refuses %s', (spacing, message) => {
    expect(() => spaceTimesteps(1000, spacing)).toThrow(ConfigError);
    expect(() => spaceTimesteps(1000, spacing)).toThrow(`[schedule] ${message}`);
  });
});

describe("noise levels of one's own choice", () => {
  it('are spaced as told, both ends included', () => {
    const near = (got: readonly number[], expected: readonly number[], digits: number) =>
      got.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, digits));
    // docs/methods.md 4.8: the inner grid of DAPS.
    near(polynomialSigmas(100, 0.01, 6, 7), [100, 33.03, 8.856, 1.748, 0.2106, 0.01], 2);
    near(polynomialSigmas(3, 1, 5, 1), [3, 2.5, 2, 1.5, 1], 12);
    near(geometricSigmas(100, 0.01, 5), [100, 10, 1, 0.1, 0.01], 12);
    expect([polynomialSigmas(80, 0.002, 1, 7)[0], geometricSigmas(80, 0.002, 1)]).toEqual([
      expect.closeTo(80, 12),
      [80],
    ]);
  });

  it('become steps that end clean', () => {
    const process = noiseProcess();
    const steps = levelsThrough(process, [3, 1, 0.1]);
    expect(steps.map(({ index, level, next }) => [index, level.sigma, next.sigma])).toEqual([
      [2, 3, 1],
      [1, 1, 0.1],
      [0, 0.1, 0],
    ]);
    expect(steps[1]!.level).toEqual(process.levelAt(1));
  });

  it('run between what is given, or what is usual as far as the table reaches', () => {
    const process = noiseProcess({ kind: 've', sigmaMin: 0.01, sigmaMax: 50 });
    const [low, high] = [process.table[0]!.sigma, process.table.at(-1)!.sigma];
    expect(sigmaRange(process, {})).toEqual({ sigmaMin: low, sigmaMax: high });
    expect(sigmaRange(process, {}, { sigmaMin: 0.002, sigmaMax: 80 })).toEqual({ sigmaMin: low, sigmaMax: high });
    expect(sigmaRange(process, {}, { sigmaMin: 0.02, sigmaMax: 20 })).toEqual({ sigmaMin: 0.02, sigmaMax: 20 });
    expect(sigmaRange(process, { sigmaMin: 0.001, sigmaMax: 100 })).toEqual({ sigmaMin: 0.001, sigmaMax: 100 });
    expect(() => sigmaRange(process, { sigmaMin: 3, sigmaMax: 2 })).toThrow(
      '[schedule] sigmaMin 3 and sigmaMax 2 are not 0 < sigmaMin < sigmaMax. Choose sigmaMin below sigmaMax.',
    );
  });
});

describe.each(['vp', 've'] as const)('any level of a %s process', (kind) => {
  const process = noiseProcess({ kind });
  const first = process.table[0]!;
  const last = process.table.at(-1)!;

  it('is the entry at the entries', () => {
    for (const t of [0, 1, 500, 998, 999]) {
      const level = process.levelAt(process.table[t]!.sigma);
      expect(level.t).toBeCloseTo(t, 9);
      expect(level.signal).toBeCloseTo(process.table[t]!.signal, 12);
      expect(level.noise / process.table[t]!.noise).toBeCloseTo(1, 12);
    }
  });

  it('between entries interpolates t in ln sigma', () => {
    const [low, high] = [process.table[10]!.sigma, process.table[11]!.sigma];
    const level = process.levelAt(low ** 0.75 * high ** 0.25);
    expect(level.t).toBeCloseTo(10.25, 9);
    expect(level.tableSigma).toBe(level.sigma);
    expect(level.noise / level.signal).toBeCloseTo(level.sigma, 12);
    expect(level.alphaBar).toBeCloseTo(1 / (1 + level.sigma ** 2), 12);
  });

  it('outside the table tells the level asked for and the level used', () => {
    const below = process.levelAt(0.002);
    expect(below).toMatchObject({ sigma: 0.002, t: 0, tableSigma: first.sigma });
    expect(below.noise / below.signal).toBeCloseTo(0.002, 12);
    expect(process.levelAt(400)).toMatchObject({ sigma: 400, t: 999, tableSigma: last.sigma });
    expect(process.levelAt(0)).toMatchObject({ sigma: 0, noise: 0, signal: 1, tableSigma: first.sigma });
  });

  it.each([-0.1, NaN, Infinity])('refuses sigma %f', (sigma) => {
    expect(() => process.levelAt(sigma)).toThrow(`[noise process] noise level ${sigma} is not a number >= 0.`);
  });
});

describe('the reverse of one noising step', () => {
  it.each(['vp', 've'] as const)('agrees with Bayes on a %s process', (kind) => {
    // Given x0, the next level's N(signal' x0, noise'^2) times the step's likelihood N(xt; ratio x', beta).
    const x0 = 0.7;
    const xt = -1.3;
    for (const { level, next } of respacedLevels(noiseProcess({ kind }), 50)) {
      const { beta, x0Weight, xtWeight, variance } = reverseCoefficients(level, next);
      const ratio = level.signal / next.signal;
      expect((ratio * next.noise) ** 2 + beta).toBeCloseTo(level.noise ** 2, 10);
      if (next.noise === 0) {
        expect([variance, xtWeight]).toEqual([0, 0]);
        expect(x0Weight).toBeCloseTo(next.signal, 12);
        continue;
      }
      const precision = 1 / next.noise ** 2 + ratio ** 2 / beta;
      expect(variance * precision).toBeCloseTo(1, 9);
      const mean = ((next.signal * x0) / next.noise ** 2 + (ratio * xt) / beta) / precision;
      expect(x0Weight * x0 + xtWeight * xt).toBeCloseTo(mean, 9);
    }
  });

  it('c = x0Weight noise^2 / signal is beta / sqrt(alpha), and sigma^2 - next sigma^2 for VE', () => {
    for (const steps of [1000, 100]) {
      for (const { level, next } of respacedLevels(noiseProcess(), steps)) {
        const { beta, x0Weight } = reverseCoefficients(level, next);
        // x0hat changes by noise^2 / signal per unit of score, the mean by x0Weight of that.
        expect(Math.abs(x0Weight * (level.noise ** 2 / level.signal) - beta / Math.sqrt(1 - beta))).toBeLessThan(1e-12);
      }
    }
    for (const { level, next } of respacedLevels(noiseProcess({ kind: 've', sigmaMax: 10 }), 100)) {
      expect(
        Math.abs(reverseCoefficients(level, next).x0Weight * level.noise ** 2 - (level.sigma ** 2 - next.sigma ** 2)),
      ).toBeLessThan(1e-12);
    }
  });
});

describe('tables by hand', () => {
  it('VP from alphaBar, VE from sigma', () => {
    expect(vpProcessOfAlphaBars([0.9, 0.5]).table[1]).toMatchObject({ sigma: 1, alphaBar: 0.5, noise: Math.sqrt(0.5) });
    expect(veProcess([0.1, 2]).table[1]).toMatchObject({ sigma: 2, signal: 1, noise: 2, alphaBar: 0.2 });
    const { table } = geometricProcess(0.01, 100, 5);
    table.forEach(({ sigma }, t) => expect(sigma).toBeCloseTo(10 ** (t - 2), 10));
  });

  it('refuses nonsense', () => {
    expect(() => geometricProcess(2, 1, 10)).toThrow(
      '[noise process] sigmaMin 2 and sigmaMax 1 are not 0 < sigmaMin < sigmaMax.',
    );
    expect(() => veProcess([])).toThrow('[noise process] the table is empty.');
    expect(() => veProcess([0.1, 0.1])).toThrow(
      '[noise process] sigma must be positive and rise along the table, but entry 1 of 2 is 0.1.',
    );
    // With 10 steps the last linear beta would be 2.
    expect(() => noiseProcess({ trainingSteps: 10 })).toThrow('Linear betas need at least 21 training steps');
    expect(noiseProcess({ trainingSteps: 21 }).table).toHaveLength(21);
  });
});
