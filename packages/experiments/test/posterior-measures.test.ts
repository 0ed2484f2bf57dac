/** Measures of samples against a known posterior, beside NumPy's and SciPy's numbers and stored reference files. */
import { keyedRandom, mixtureDraws, readJson, type GaussianMixture } from '@tweedie/core';
import { fixtureReport } from '@tweedie/testing/fixtures';
import { describe, expect, it } from 'vitest';
import {
  crps,
  hpdRank,
  mmseGap,
  rankShare,
  sbcRank,
  spreadSkill,
  tarpRank,
  uniformP,
} from '../src/statistics/calibration.ts';
import { fastNormalCdf, lineAt, lineQuantiles } from '../src/statistics/gaussian-line.ts';
import { gaussianDensity } from '../src/statistics/mixture-density.ts';
import {
  energyDistance,
  knownMoments,
  meanOwnDistance,
  modeWeightError,
  momentErrors,
  nearestNeighbourAccuracy,
} from '../src/statistics/posterior-distance.ts';
import { directionsOf, slicedDistances, slicedLaw } from '../src/statistics/sliced-wasserstein.ts';
import { normalCdf } from '../src/statistics/special.ts';

type Matrix = number[][];
type Case = {
  name: string;
  kind: 'full' | 'diagonal';
  weights: number[];
  means: Matrix;
  covariances: Matrix[];
  samples: Matrix;
  truth: number[];
  point: number[];
  reference: Matrix;
  directions: Matrix;
  nearest: number[];
} & Record<
  | 'slicedW1'
  | 'slicedW2'
  | 'meanError'
  | 'covarianceError'
  | 'traceRatio'
  | 'modeWeightError'
  | 'energyDistance'
  | 'nearestNeighbourAccuracy'
  | 'hpdRank'
  | 'tarpRank'
  | 'sbcRank'
  | 'mmseGap'
  | 'crps'
  | 'spreadSkill',
  number
>;
const { cases } = readJson(new URL('posterior-measures.json', import.meta.url).pathname) as { cases: Case[] };

const mixtureOf = ({ kind, weights, means, covariances }: Case): GaussianMixture => ({
  weights: Float64Array.from(weights),
  means: Float64Array.from(means.flat()),
  covariance:
    kind === 'full'
      ? { kind, matrices: Float64Array.from(covariances.flat(2)) }
      : { kind, variances: Float64Array.from(covariances.flatMap((c) => c.map((row, i) => row[i]!))) },
});

describe.each(cases.map((each) => [each.name, each] as const))('case %s', (_, stored) => {
  const { samples, truth, point, reference } = stored;
  const mixture = mixtureOf(stored);
  const density = gaussianDensity(mixture)!;
  const near = (got: number, expected: number, tolerance = 1e-9) =>
    expect(Math.abs(got - expected), `${got} for ${expected}`).toBeLessThan(
      tolerance * Math.max(1, Math.abs(expected)),
    );

  it('sliced Wasserstein distances are those of quadrature', () => {
    const directions = stored.directions.map((row) => Float64Array.from(row));
    const { w1, w2 } = slicedDistances(samples, slicedLaw(mixture, directions, samples.length));
    near(w1, stored.slicedW1, 1e-8);
    near(w2, stored.slicedW2, 1e-8);
  });

  it('moments, modes and two-sample measures', () => {
    const errors = momentErrors(samples, knownMoments(mixture));
    near(errors.meanError, stored.meanError);
    near(errors.covarianceError, stored.covarianceError);
    near(errors.traceRatio, stored.traceRatio);
    near(modeWeightError(samples, mixture.weights, density), stored.modeWeightError);
    expect(samples.map((x) => density.nearest(x))).toEqual(stored.nearest);
    near(energyDistance(samples, reference, meanOwnDistance(reference)), stored.energyDistance);
    near(nearestNeighbourAccuracy(samples, reference), stored.nearestNeighbourAccuracy);
  });

  it('ranks and scores of the truth', () => {
    const direction = stored.directions[0]!;
    expect(hpdRank(truth, samples, (x) => density.logDensity(x))).toBe(stored.hpdRank);
    expect(tarpRank(truth, samples, point)).toBe(stored.tarpRank);
    expect(sbcRank(truth, samples, direction)).toBe(stored.sbcRank);
    near(mmseGap(truth, samples, knownMoments(mixture).mean), stored.mmseGap);
    near(crps(truth, samples), stored.crps);
    near(spreadSkill(truth, samples), stored.spreadSkill);
  });
});

describe('a mixture on a line', () => {
  it('has the normal distribution function to 1e-11, and its own quantiles', () => {
    for (let z = -9; z <= 9; z += 0.0173)
      expect(Math.abs(fastNormalCdf(z) - normalCdf(z)), `at ${z}`).toBeLessThan(1e-11);
    // Two modes 40 standard deviations apart: between them Newton's step leads nowhere.
    const line = { weights: Float64Array.of(0.3, 0.7), means: Float64Array.of(-2, 2), stds: Float64Array.of(0.1, 0.1) };
    const quantiles = lineQuantiles(line, 10);
    quantiles.forEach((x, i) => {
      if (i !== 2) expect(Math.abs(lineAt(line, x).cdf - (i + 1) / 10)).toBeLessThan(1e-10);
    });
    expect(quantiles[0]).toBeCloseTo(-2 + 0.1 * -0.43072729929545756, 9);
  });
});

/** Narrow points at the second set of samples: the sliced distances of two sets are those of their laws. */
const report = fixtureReport('statistics', 'sliced wasserstein');
type Stored = { name: string; n: [number, number]; dim: number; sliced_w1: number; sliced_w2: number };
const { cases: sets } = report.index<{ cases: Stored[] }>('sliced-wasserstein.json', { cases: [] });
if (sets.length > 0) {
  const tensors = report.tensors('samples.safetensors');
  const rows = (name: string, d: number): Float64Array[] => {
    const values = Float64Array.from(tensors.get(name)!.data, Number);
    return Array.from({ length: values.length / d }, (_, i) => values.slice(i * d, (i + 1) * d));
  };
  for (const { name, dim, ...stored } of sets)
    report.case(name, () => {
      const [x, y, directions] = [rows(`${name}.x`, dim), rows(`${name}.y`, dim), rows(`${name}.projections`, dim)];
      const points: GaussianMixture = {
        weights: new Float64Array(y.length).fill(1 / y.length),
        means: Float64Array.from(y.flatMap((row) => [...row])),
        covariance: { kind: 'isotropic', variances: new Float64Array(y.length).fill(1e-12) },
      };
      const { w1, w2 } = slicedDistances(x, slicedLaw(points, directions, x.length));
      expect(Math.abs(w1 - stored.sliced_w1)).toBeLessThan(1e-5 * stored.sliced_w1 + 2e-6);
      expect(Math.abs(w2 - stored.sliced_w2)).toBeLessThan(1e-5 * stored.sliced_w2 + 2e-6);
    });
}

const calibration = fixtureReport('statistics', 'coverage');
type Coverage = {
  name: string;
  problems: number;
  samples: number;
  dim: number;
  tarp_fraction: number[];
  hpd_fraction: number[];
  rank_first_coordinate: number[];
};
const { cases: calibrated } = calibration.index<{ cases: Coverage[] }>('coverage.json', { cases: [] });
if (calibrated.length > 0) {
  const tensors = calibration.tensors('samples.safetensors');
  const values = (name: string) => Float64Array.from(tensors.get(name)!.data, Number);
  for (const { name, problems, samples: n, dim: d, ...stored } of calibrated)
    calibration.case(name, () => {
      const [truths, all, points, means] = ['truth', 'samples', 'references', 'mean'].map((part) =>
        values(`${name}.${part}`),
      ) as [Float64Array, Float64Array, Float64Array, Float64Array];
      for (let p = 0; p < problems; p++) {
        const own = (list: Float64Array) => list.slice(p * d, (p + 1) * d);
        const samples = Array.from({ length: n }, (_, i) => all.slice((p * n + i) * d, (p * n + i + 1) * d));
        const mean = own(means);
        const logDensity = (x: ArrayLike<number>) => -mean.reduce((sum, m, i) => sum + (x[i]! - m) ** 2, 0) / 2;
        expect(tarpRank(own(truths), samples, own(points)) / n).toBeCloseTo(stored.tarp_fraction[p]!, 9);
        expect(hpdRank(own(truths), samples, logDensity) / n).toBeCloseTo(stored.hpd_fraction[p]!, 9);
        const first = Float64Array.from({ length: d }, (_, i) => Number(i === 0));
        expect(sbcRank(own(truths), samples, first)).toBe(stored.rank_first_coordinate[p]);
      }
    });
}

describe('exact draws', () => {
  const d = 64;
  const n = 50;
  const mixture: GaussianMixture = {
    weights: Float64Array.of(1),
    means: new Float64Array(d),
    covariance: { kind: 'diagonal', variances: Float64Array.from({ length: d }, (_, i) => 0.2 + i / 32) },
  };
  const density = gaussianDensity(mixture)!;
  const draw = mixtureDraws(mixture);

  it('cover the truth 90 times of 100 at d = 64 with 50 draws, and have uniform ranks', () => {
    const problems = 400;
    const [direction] = directionsOf(keyedRandom('direction'), d, 1);
    const ranks = { hpd: [] as number[], tarp: [] as number[], sbc: [] as number[] };
    for (let p = 0; p < problems; p++) {
      const normal = keyedRandom(`coverage ${p}`).normal('x', (n + 2) * d);
      const rows = Array.from({ length: n + 2 }, (_, i) => draw(0.5, normal.subarray(i * d, (i + 1) * d)));
      const [truth = [], point = [], ...samples] = rows;
      ranks.hpd.push(
        rankShare(
          hpdRank(truth, samples, (x) => density.logDensity(x)),
          n,
        ),
      );
      ranks.tarp.push(rankShare(tarpRank(truth, samples, point), n));
      ranks.sbc.push(rankShare(sbcRank(truth, samples, direction!), n));
    }
    for (const [name, shares] of Object.entries(ranks)) {
      const covered = shares.filter((share) => share < 0.9).length / problems;
      // Three standard errors of 400 problems.
      expect(Math.abs(covered - 0.9), name).toBeLessThan(3 * Math.sqrt(0.09 / problems));
      expect(uniformP(shares), name).toBeGreaterThan(0.005);
    }
    // Narrow samples do not.
    const narrow = Array.from({ length: 100 }, (_, p) => {
      const normal = keyedRandom(`coverage ${p}`).normal('x', (n + 2) * d);
      const rows = Array.from({ length: n + 2 }, (_, i) => draw(0.5, normal.subarray(i * d, (i + 1) * d)));
      const [truth = [], , ...samples] = rows;
      return (
        hpdRank(
          truth,
          samples.map((x) => x.map((value) => 0.9 * value)),
          (x) => density.logDensity(x),
        ) / n
      );
    });
    expect(narrow.filter((share) => share < 0.9).length).toBeLessThan(60);
  });
});
