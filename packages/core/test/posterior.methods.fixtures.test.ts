import { covarianceOf, type GaussianMixture, mixtureMoments, posteriorMixture } from '@tweedie/core';
import { fixtureReport, readFixtureJson, readFixtureTensors } from '@tweedie/testing';
import { expect } from 'vitest';

type Problem = { d: number; dy: number; sigma: number; logEvidence: number; effectiveComponents: number };
const { problems, tensors: file } = readFixtureJson<{ problems: Record<string, Problem>; tensors: string }>('methods', 'posterior-gmm25.json');
const tensors = readFixtureTensors('methods', file);
const values = (name: string) => Float64Array.from(tensors.get(name)!.data, Number);
const report = fixtureReport('methods', 'posterior-gmm25');

const weights = values('prior/weights');
const total = weights.reduce((sum, weight) => sum + weight, 0);
const prior: GaussianMixture = {
  weights: weights.map((weight) => weight / total),
  means: values('prior/means'),
  covariance: { kind: 'isotropic', variances: new Float64Array(weights.length).fill(1) },
};

/** 2-norm of the difference over 2-norm of what is expected. */
const relative = (got: ArrayLike<number>, expected: Float64Array) => Math.hypot(...expected.map((value, i) => got[i]! - value)) / Math.hypot(...expected);

for (const [id, { sigma, effectiveComponents }] of Object.entries(problems)) {
  report.case(id, () => {
    const posterior = posteriorMixture(prior, values(`${id}/A`), values(`${id}/y`), sigma);
    expect(relative(posterior.weights, values(`${id}/posterior/weights`)), 'weights').toBeLessThan(1e-8);
    expect(relative(posterior.means, values(`${id}/posterior/means`)), 'means').toBeLessThan(1e-8);
    for (const k of weights.keys()) expect(relative(covarianceOf(posterior, k), values(`${id}/posterior/covariance`)), `covariance ${k}`).toBeLessThan(1e-8);
    expect(1 / posterior.weights.reduce((sum, weight) => sum + weight ** 2, 0) / effectiveComponents - 1).toBeLessThan(1e-8);
    const { mean, covariance } = mixtureMoments(posterior);
    expect(relative(mean, values(`${id}/posterior/mixtureMean`)), 'mean').toBeLessThan(1e-8);
    expect(relative(covariance, values(`${id}/posterior/mixtureCovariance`)), 'covariance').toBeLessThan(1e-8);
  });
}
