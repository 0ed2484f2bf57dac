import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { covarianceOf, decodeMixture, keyedRandom } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { fitMixture } from '../src/index.ts';
import { type EmIteration, expectationMaximisation, fallsOf } from '../src/mixture/em.ts';
import { createExpectation, type Patches } from '../src/mixture/expectation.ts';
import { type CovarianceShape, mixtureOf, mostLikely } from '../src/mixture/parameters.ts';

const settings = {
  components: 3,
  covariance: 'full' as CovarianceShape,
  floor: 0.01,
  start: 'k-means++' as const,
  iterations: 200,
  tolerance: 1e-7,
  first: 1e9,
};
const expectation = createExpectation({ threads: 1 });

describe('EM', () => {
  // The same 48 points, start, floor and six iterations in NumPy, float64: log-likelihood in nats an entry before each
  // iteration, then weights, means and the first covariance.
  const [count, size] = [48, 4];
  const points: Patches = {
    count,
    size,
    values: Float32Array.from({ length: count * size }, (_, at) => {
      const [n, i] = [Math.floor(at / size), at % size];
      return Math.sin(1.7 * n + 2.3 * i) + 0.3 * Math.sin(5.1 * n * (i + 1)) + 1.5 * ((n % 3) - 1) * Math.cos(i);
    }),
  };
  it.each([
    [
      'full covariances, floor 0.3',
      'full',
      0.3,
      [-1.607883583, -1.202429719, -1.198974905, -1.189149562, -1.154535957, -1.130683422],
      [0.311703687, 0.228696263, 0.45960005],
      [-1.540918036, -0.778195864, 0.6275148, 1.464610878, 0.694538884, -0.30451461],
      [0.57001417, -0.322495327, -0.054949214, 0.411917634, -0.322495327, 0.578149819],
    ],
    [
      'covariances of rank 2',
      { rank: 2 },
      0.05,
      [-1.607883583, -1.328697808, -1.307311605, -1.279587102, -1.247684903, -1.208347433],
      [0.251132722, 0.3861869, 0.362680378],
      [-1.630813515, -0.04140011, 0.194221169, 0.947633206, 0.60428398, -0.669052765],
      [0.66446069, 0.387972946, -0.529847943, -0.038257469, 0.387972946, 0.434357175],
    ],
  ] as readonly (readonly [string, CovarianceShape, number, number[], number[], number[], number[]])[])(
    'is that of NumPy: %s',
    async (_name, shape, floor, logLikelihoods, weights, means, covariance) => {
      const identity = Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
      let parameters = mostLikely(
        {
          counts: Float64Array.of(1, 1, 1),
          means: Float64Array.from(points.values.subarray(0, 3 * size)),
          covariances: [identity, identity, identity],
        },
        shape,
        floor,
      );
      for (const expected of logLikelihoods) {
        const { mean, moments } = await expectation.moments(points, parameters);
        // Float32 densities: 1e-6 of numbers near 5, and what six iterations make of it.
        expect(Math.abs(mean / size - expected)).toBeLessThan(2e-5);
        parameters = mostLikely(moments, shape, floor);
      }
      const close = (got: ArrayLike<number>, expected: readonly number[]) =>
        expected.forEach((value, i) => expect(Math.abs((got[i] ?? NaN) - value)).toBeLessThan(1e-4));
      close(parameters.weights, weights);
      close(parameters.means, means);
      close(covarianceOf(mixtureOf(parameters), 0), covariance);
      const logs = await expectation.logDensities(points, parameters);
      expect(logs.reduce((sum, value) => sum + value, 0) / count / size).toBeGreaterThan(logLikelihoods.at(-1)!);
    },
  );

  /** 6000 draws of three Gaussians in four dimensions, each with a long axis of its own. */
  const truth = {
    weights: [0.5, 0.3, 0.2],
    means: [
      [0, 0, 0, 0],
      [2, 0, -1, 0],
      [-1, 2, 0, 1],
    ],
    long: [0, 1, 2],
  };
  const drawn = (draws: number): Patches => {
    const random = keyedRandom('three Gaussians');
    const uniform = random.uniform('component', draws);
    const normal = random.normal('x', 4 * draws);
    return {
      count: draws,
      size: 4,
      values: Float32Array.from(normal, (value, at) => {
        const u = uniform[Math.floor(at / 4)]!;
        const k = u < 0.5 ? 0 : u < 0.8 ? 1 : 2;
        return truth.means[k]![at % 4]! + value * (truth.long[k] === at % 4 ? 0.6 : 0.15);
      }),
    };
  };

  it.each([['full'], [{ rank: 1 }]] as readonly (readonly [CovarianceShape])[])(
    'finds a known mixture again, its log-likelihood never falling: %j',
    async (covariance) => {
      const draws = drawn(6000);
      const { parameters, rows } = await expectationMaximisation(
        draws,
        { ...settings, covariance, first: 3000 },
        expectation,
        keyedRandom('start'),
      );
      expect(rows.some((row) => row.patches === 3000)).toBe(true);
      expect(rows.at(-1)!.patches).toBe(6000);
      expect(fallsOf(rows)).toBe(0);
      const order = [...parameters.weights.keys()].sort((p, q) => parameters.weights[q]! - parameters.weights[p]!);
      const mixture = mixtureOf(parameters);
      for (const [k, own] of order.entries()) {
        // Five standard errors of a share, of a mean and of a variance over at least 1200 draws.
        expect(Math.abs(parameters.weights[own]! - truth.weights[k]!)).toBeLessThan(0.035);
        for (let i = 0; i < 4; i++) {
          const std = truth.long[k] === i ? 0.6 : 0.15;
          expect(Math.abs(parameters.means[own * 4 + i]! - truth.means[k]![i]!)).toBeLessThan(0.15 * std);
          expect(Math.abs(covarianceOf(mixture, own)[i * 5]! / std ** 2 - 1)).toBeLessThan(0.21);
        }
      }
    },
  );

  it('begins dead components anew, and tells', async () => {
    // Twelve components for patches of which all but two are the same: most have nothing to hold.
    const values = new Float32Array(100 * 2).map((_, at) => (at < 4 ? at + 1 : 0));
    const { parameters, rows } = await expectationMaximisation(
      { values, count: 100, size: 2 },
      { ...settings, components: 12, start: 'random', iterations: 12, tolerance: 0 },
      expectation,
      keyedRandom('start'),
    );
    expect(rows.reduce((sum, row) => sum + row.reseeded, 0)).toBeGreaterThan(0);
    expect(parameters.weights.every((weight) => weight > 0)).toBe(true);
    const removed = rows.reduce((sum, row) => sum + row.removed, 0);
    expect(parameters.weights.length).toBe(12 - removed);
    expect(parameters.spectra.every((value) => value >= settings.floor ** 2)).toBe(true);
  });

  it('counts the iterations in which a log-likelihood fell', () => {
    const row = (logLikelihood: number, changes: Partial<EmIteration> = {}): EmIteration => ({
      patches: 10,
      iteration: 1,
      logLikelihood,
      reseeded: 0,
      removed: 0,
      ...changes,
    });
    expect(fallsOf([row(1), row(2), row(1.999_995)])).toBe(0);
    expect(fallsOf([row(1), row(2), row(1.9), row(1.8)])).toBe(2);
    expect(fallsOf([row(2, { reseeded: 1 }), row(1), row(0.5, { patches: 20 })])).toBe(0);
  });
});

describe('tweedie fit mixture', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-mixture-'));
  const emoji = '{ id: emoji, options: { size: 32, split: train } }';
  const recipeOf = (name: string, changes: Readonly<Record<string, string>> = {}): string => {
    const file = join(folder, `${name}.mixture.yaml`);
    const keys = {
      data: `{ dataset: ${emoji}, scales: [1, 2] }`,
      heldOut: '{ dataset: { id: emoji, options: { size: 32, split: test } }, scales: [1, 2], patches: 200 }',
      size: '2',
      components: '4',
      patches: '600',
      first: '300',
      iterations: '5',
      ...changes,
    };
    writeFileSync(
      file,
      Object.entries(keys)
        .map(([key, value]) => `${key}: ${value}\n`)
        .join(''),
    );
    return file;
  };

  it('writes a mixture that gmm reads, its log and its card; the same seed, the same bits', async () => {
    const out = join(folder, 'out');
    const { card, mixture, logLikelihood, rows } = await fitMixture({ recipe: recipeOf('emoji'), out, threads: 1 });
    const read = decodeMixture(readFileSync(mixture), mixture, 'test');
    expect([read.count, read.means.length, read.covariance.kind]).toEqual([4, 4 * 12, 'full']);
    expect(logLikelihood.heldOut).toBeGreaterThan(logLikelihood.gaussianHeldOut);
    expect(card).toContain('- Mixture: 4 Gaussians with full covariances over 2x2x3 patches');
    expect(card).toContain(`${logLikelihood.heldOut.toFixed(4)} of 200 held out (emoji {"size":32,"split":"test"})`);
    expect(card).toContain('the log-likelihood rose in every one');
    expect(card).toContain(`model: { id: gmm, options: { shape: [2, 2, 3], file: ${mixture} } }`);
    expect(readFileSync(join(out, 'README.md'), 'utf8')).toBe(card);
    expect(readFileSync(join(out, 'log.csv'), 'utf8').trim().split('\n').length).toBe(rows.length + 1);
    const again = await fitMixture({ recipe: recipeOf('emoji'), out: join(folder, 'again'), threads: 1 });
    expect(readFileSync(again.mixture)).toEqual(readFileSync(mixture));
    const other = await fitMixture({ recipe: recipeOf('seed', { seed: '1' }), out: join(folder, 'seed'), threads: 1 });
    expect(readFileSync(other.mixture)).not.toEqual(readFileSync(mixture));
  });

  it('stops between two iterations and leaves nothing', async () => {
    const stop = new AbortController();
    await expect(
      fitMixture({
        recipe: recipeOf('stopped'),
        out: join(folder, 'stopped'),
        threads: 1,
        signal: stop.signal,
        onProgress: () => stop.abort(),
      }),
    ).rejects.toThrow('Stopped. Nothing is kept of a fit that has not finished.');
    expect(() => readFileSync(join(folder, 'stopped', 'mixture.safetensors'))).toThrow('ENOENT');
  });

  it.each([
    ['first', { first: '900' }, '900 patches in the first round are more than the 600 in all. Lower it'],
    ['few', { components: '200' }, '200 components cannot start from 300 patches. Give at least twice as many'],
    ['rank', { covariance: '{ rank: 12 }' }, 'a patch has 12 entries, which 12 axes do not leave any of. Lower the'],
    ['large', { size: '33' }, 'must be <= 32, got 33.'],
    ['fit', { size: '20', data: `{ dataset: ${emoji}, scales: [2] }` }, 'crops of 2 times 20x20 do not fit'],
    ['floor', { floor: '0' }, 'must be > 0, got 0.'],
    ['key', { component: '3' }, '"component" is not a known key. Did you mean "components"?'],
  ] as readonly (readonly [string, Readonly<Record<string, string>>, string])[])(
    'says what is wrong: %s',
    async (name, changes, message) => {
      await expect(
        fitMixture({ recipe: recipeOf(name, changes), out: join(folder, name), threads: 1 }),
      ).rejects.toThrow(message);
    },
  );
});
