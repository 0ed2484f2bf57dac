/** Known posteriors of mixture priors: p(x0 | y) in float64. */
import { covarianceOf, type GaussianMixture, mixtureMoments, posteriorMixture } from '@tweedie/core';
import { fixtureReport, hasFixture, readFixtureJson, readFixtureTensors } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { relativeError } from './float64.ts';

function open<T>(name: string) {
  const facts = readFixtureJson<T & { tensors: string }>('methods', `${name}.json`);
  const tensors = readFixtureTensors('methods', facts.tensors);
  const values = (tensor: string) => Float64Array.from(tensors.get(tensor)!.data, Number);
  return { facts, values, has: (tensor: string) => tensors.has(tensor), report: fixtureReport('methods', name) };
}

/** The 25 modes of docs/methods.md 11.1: means (-8i, -8j, -8i, -8j, ...), i outer, j inner, covariance I. */
function gmm25(weights: Float64Array, d: number): GaussianMixture {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const means = Float64Array.from({ length: 25 * d }, (_, index) => {
    const k = Math.floor(index / d);
    return -8 * (((index % d) % 2 === 0 ? Math.floor(k / 5) : k % 5) - 2);
  });
  return {
    weights: weights.map((weight) => weight / total),
    means,
    covariance: { kind: 'isotropic', variances: new Float64Array(25).fill(1) },
  };
}
const effectiveComponents = ({ weights }: GaussianMixture) => 1 / weights.reduce((sum, weight) => sum + weight ** 2, 0);

if (hasFixture('methods', 'posterior-gmm25.json')) {
  const { facts, values, report } = open<{
    problems: Record<string, { d: number; sigma: number; effectiveComponents: number }>;
  }>('posterior-gmm25');
  for (const [id, { d, sigma, effectiveComponents: effective }] of Object.entries(facts.problems)) {
    report.case(id, () => {
      const prior = gmm25(values('prior/weights'), d);
      expect(prior.means).toEqual(values('prior/means'));
      const posterior = posteriorMixture(prior, values(`${id}/A`), values(`${id}/y`), sigma);
      expect(relativeError(posterior.weights, values(`${id}/posterior/weights`)), 'weights').toBeLessThan(1e-9);
      expect(relativeError(posterior.means, values(`${id}/posterior/means`)), 'means').toBeLessThan(1e-8);
      for (const k of posterior.weights.keys())
        expect(
          relativeError(covarianceOf(posterior, k), values(`${id}/posterior/covariance`)),
          `covariance ${k}`,
        ).toBeLessThan(1e-8);
      expect(Math.abs(effectiveComponents(posterior) / effective - 1)).toBeLessThan(1e-9);
      const { mean, covariance } = mixtureMoments(posterior);
      expect(relativeError(mean, values(`${id}/posterior/mixtureMean`)), 'mean').toBeLessThan(1e-8);
      expect(relativeError(covariance, values(`${id}/posterior/mixtureCovariance`)), 'covariance').toBeLessThan(1e-8);
    });
  }
}

if (hasFixture('methods', 'posterior-gmm-random.json')) {
  const { facts, values, has, report } = open<{
    problems: { id: string; d: number; sigma: number; effectiveComponents: number; posteriorTrace: number }[];
  }>('posterior-gmm-random');
  for (const { id, d, sigma, effectiveComponents: effective, posteriorTrace } of facts.problems) {
    report.case(id, () => {
      const posterior = posteriorMixture(
        gmm25(values(`${id}/weights`), d),
        values(`${id}/A`),
        values(`${id}/y`),
        sigma,
      );
      expect(relativeError(posterior.weights, values(`${id}/posterior/weights`)), 'weights').toBeLessThan(1e-9);
      if (has(`${id}/posterior/means`))
        expect(relativeError(posterior.means, values(`${id}/posterior/means`)), 'means').toBeLessThan(1e-8);
      if (has(`${id}/posterior/covariance`))
        expect(
          relativeError(covarianceOf(posterior, 24), values(`${id}/posterior/covariance`)),
          'covariance',
        ).toBeLessThan(1e-8);
      expect(Math.abs(effectiveComponents(posterior) / effective - 1)).toBeLessThan(1e-9);
      const { mean, covariance } = mixtureMoments(posterior);
      expect(relativeError(mean, values(`${id}/posterior/mixtureMean`)), 'mean').toBeLessThan(1e-8);
      const trace = covariance.reduce((sum, value, i) => sum + (i % (d + 1) === 0 ? value : 0), 0);
      expect(Math.abs(trace / posteriorTrace - 1)).toBeLessThan(1e-8);
    });
  }
}

if (hasFixture('methods', 'posterior-bipsda.json')) {
  const { facts, values, report } = open<{
    observed: number[];
    problems: Record<string, { sigma: number; posteriorWeights: number[] }>;
  }>('posterior-bipsda');
  const d = 10;
  const prior: GaussianMixture = {
    weights: values('prior/weights'),
    means: values('prior/means'),
    covariance: { kind: 'full', matrices: values('prior/covariances') },
  };
  const rows = Float64Array.from({ length: facts.observed.length * d }, (_, i) =>
    Number(facts.observed[Math.floor(i / d)] === i % d),
  );
  for (const [id, { sigma, posteriorWeights }] of Object.entries(facts.problems)) {
    report.case(id, () => {
      const posterior = posteriorMixture(prior, rows, values(`${id}/y`), sigma);
      // Down to 1e-152, each to its own size.
      posteriorWeights.forEach((weight, k) =>
        expect(Math.abs(posterior.weights[k]! / weight - 1), `weight ${k}`).toBeLessThan(1e-9),
      );
      expect(relativeError(posterior.means, values(`${id}/posterior/means`)), 'means').toBeLessThan(1e-8);
      expect(
        relativeError(
          (posterior.covariance as { matrices: Float64Array }).matrices,
          values(`${id}/posterior/covariances`),
        ),
        'covariances',
      ).toBeLessThan(1e-8);
    });
  }
}

const gaussianPrior = (matrices: Float64Array): GaussianMixture => ({
  weights: Float64Array.of(1),
  means: new Float64Array(Math.sqrt(matrices.length)),
  covariance: { kind: 'full', matrices },
});

if (hasFixture('methods', 'posterior-gaussian.json')) {
  const { facts, values, report } = open<{ sigma: number }>('posterior-gaussian');
  report.case('posterior', () => {
    const posterior = posteriorMixture(gaussianPrior(values('priorCovariance')), values('A'), values('y'), facts.sigma);
    expect(relativeError(posterior.means, values('posteriorMean')), 'mean').toBeLessThan(1e-8);
    expect(relativeError(covarianceOf(posterior, 0), values('posteriorCovariance')), 'covariance').toBeLessThan(1e-8);
  });
}

if (hasFixture('methods', 'posterior-levy-gauss.json')) {
  const { facts, values, report } = open<{
    operators: Record<string, { measurements: number; noiseVariance: number }>;
  }>('posterior-levy-gauss');
  // Cumulative sums of independent increments of variance 0.25.
  const d = 64;
  const prior = gaussianPrior(
    Float64Array.from({ length: d * d }, (_, i) => 0.25 * (1 + Math.min(Math.floor(i / d), i % d))),
  );
  for (const [id, { measurements, noiseVariance }] of Object.entries(facts.operators)) {
    report.case(id, () => {
      const [ys, means] = [values(`${id}/y`), values(`${id}/posterior/means`)];
      for (let signal = 0; signal < ys.length / measurements; signal += 5) {
        const posterior = posteriorMixture(
          prior,
          values(`${id}/A`),
          ys.slice(signal * measurements, (signal + 1) * measurements),
          Math.sqrt(noiseVariance),
        );
        expect(
          relativeError(posterior.means, means.slice(signal * d, (signal + 1) * d)),
          `mean ${signal}`,
        ).toBeLessThan(1e-8);
        if (signal === 0)
          expect(
            relativeError(covarianceOf(posterior, 0), values(`${id}/posterior/covariance`)),
            'covariance',
          ).toBeLessThan(1e-8);
      }
    });
  }
}
