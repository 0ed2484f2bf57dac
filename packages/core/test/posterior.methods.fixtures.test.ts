/** Known posteriors of mixture priors: p(x0 | y) in float64. */
import { covarianceOf, type GaussianMixture, mixtureMoments, posteriorMixture } from '@tweedie/core';
import { fixtureReport } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { relativeError } from './float64.ts';

function open<T>(name: string, empty: T) {
  const report = fixtureReport('methods', name);
  const facts = report.index<T & { tensors: string }>(`${name}.json`, { ...empty, tensors: '' });
  const tensors = report.tensors(facts.tensors);
  const has = (tensor: string) => tensors.has(tensor);
  const values = (tensor: string) => Float64Array.from(tensors.get(tensor)!.data, Number);
  /** Whatever of a posterior the file stores: another one may leave parts out. */
  const close = (got: ArrayLike<number>, tensor: string, tolerance = 1e-8) => {
    if (!has(tensor)) return report.notListed(tensor);
    expect(relativeError(got, values(tensor)), tensor).toBeLessThan(tolerance);
  };
  return { facts, values, has, close, report, listed: facts.tensors !== '' };
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
const within = (got: number, expected: number | undefined, tolerance: number, what: string) => {
  if (expected !== undefined) expect(Math.abs(got / expected - 1), what).toBeLessThan(tolerance);
};

{
  type Facts = { problems: Record<string, { d: number; sigma: number; effectiveComponents?: number }> };
  const { facts, values, has, close, report } = open<Facts>('posterior-gmm25', { problems: {} });
  for (const [id, { d, sigma, effectiveComponents: effective }] of Object.entries(facts.problems)) {
    report.case(id, () => {
      const prior = gmm25(values('prior/weights'), d);
      if (has('prior/means')) expect(prior.means).toEqual(values('prior/means'));
      const posterior = posteriorMixture(prior, values(`${id}/A`), values(`${id}/y`), sigma);
      close(posterior.weights, `${id}/posterior/weights`, 1e-9);
      close(posterior.means, `${id}/posterior/means`);
      for (const k of posterior.weights.keys()) close(covarianceOf(posterior, k), `${id}/posterior/covariance`);
      within(effectiveComponents(posterior), effective, 1e-9, 'effective components');
      const { mean, covariance } = mixtureMoments(posterior);
      close(mean, `${id}/posterior/mixtureMean`);
      close(covariance, `${id}/posterior/mixtureCovariance`);
    });
  }
}

{
  type Facts = {
    problems: { id: string; d: number; sigma: number; effectiveComponents?: number; posteriorTrace?: number }[];
  };
  const { facts, values, close, report } = open<Facts>('posterior-gmm-random', { problems: [] });
  for (const { id, d, sigma, effectiveComponents: effective, posteriorTrace } of facts.problems) {
    report.case(id, () => {
      const prior = gmm25(values(`${id}/weights`), d);
      const posterior = posteriorMixture(prior, values(`${id}/A`), values(`${id}/y`), sigma);
      close(posterior.weights, `${id}/posterior/weights`, 1e-9);
      close(posterior.means, `${id}/posterior/means`);
      close(covarianceOf(posterior, 24), `${id}/posterior/covariance`);
      within(effectiveComponents(posterior), effective, 1e-9, 'effective components');
      const { mean, covariance } = mixtureMoments(posterior);
      close(mean, `${id}/posterior/mixtureMean`);
      const trace = covariance.reduce((sum, value, i) => sum + (i % (d + 1) === 0 ? value : 0), 0);
      within(trace, posteriorTrace, 1e-8, 'trace');
    });
  }
}

{
  type Facts = { observed: number[]; problems: Record<string, { sigma: number; posteriorWeights?: number[] }> };
  const { facts, values, close, report } = open<Facts>('posterior-bipsda', { observed: [], problems: {} });
  for (const [id, { sigma, posteriorWeights = [] }] of Object.entries(facts.problems)) {
    report.case(id, () => {
      const prior: GaussianMixture = {
        weights: values('prior/weights'),
        means: values('prior/means'),
        covariance: { kind: 'full', matrices: values('prior/covariances') },
      };
      const d = prior.means.length / prior.weights.length;
      const rows = Float64Array.from({ length: facts.observed.length * d }, (_, i) =>
        Number(facts.observed[Math.floor(i / d)] === i % d),
      );
      const posterior = posteriorMixture(prior, rows, values(`${id}/y`), sigma);
      // Down to 1e-152, each to its own size.
      posteriorWeights.forEach((weight, k) => within(posterior.weights[k]!, weight, 1e-9, `weight ${k}`));
      close(posterior.means, `${id}/posterior/means`);
      close((posterior.covariance as { matrices: Float64Array }).matrices, `${id}/posterior/covariances`);
    });
  }
}

const gaussianPrior = (matrices: Float64Array): GaussianMixture => ({
  weights: Float64Array.of(1),
  means: new Float64Array(Math.sqrt(matrices.length)),
  covariance: { kind: 'full', matrices },
});

{
  const { facts, values, close, report, listed } = open<{ sigma: number }>('posterior-gaussian', { sigma: 1 });
  if (listed)
    report.case('posterior', () => {
      const prior = gaussianPrior(values('priorCovariance'));
      const posterior = posteriorMixture(prior, values('A'), values('y'), facts.sigma);
      close(posterior.means, 'posteriorMean');
      close(covarianceOf(posterior, 0), 'posteriorCovariance');
    });
}

{
  type Facts = { operators: Record<string, { measurements: number; noiseVariance: number }> };
  const { facts, values, has, close, report } = open<Facts>('posterior-levy-gauss', { operators: {} });
  // Cumulative sums of independent increments of variance 0.25.
  const walk = (d: number) =>
    gaussianPrior(Float64Array.from({ length: d * d }, (_, i) => 0.25 * (1 + Math.min(Math.floor(i / d), i % d))));
  for (const [id, { measurements, noiseVariance }] of Object.entries(facts.operators)) {
    report.case(id, () => {
      const a = values(`${id}/A`);
      const d = a.length / measurements;
      const ys = values(`${id}/y`);
      const means = has(`${id}/posterior/means`) ? values(`${id}/posterior/means`) : undefined;
      if (means === undefined) report.notListed(`${id}/posterior/means`);
      for (let signal = 0; signal < ys.length / measurements; signal += 5) {
        const y = ys.slice(signal * measurements, (signal + 1) * measurements);
        const posterior = posteriorMixture(walk(d), a, y, Math.sqrt(noiseVariance));
        if (means !== undefined)
          expect(
            relativeError(posterior.means, means.slice(signal * d, (signal + 1) * d)),
            `mean ${signal}`,
          ).toBeLessThan(1e-8);
        if (signal === 0) close(covarianceOf(posterior, 0), `${id}/posterior/covariance`);
      }
    });
  }
}
