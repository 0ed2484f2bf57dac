import { type Image, noiseProcess, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { fixtureReport, readFixtureJson, stepFixtures } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import type { DdpmOptions } from '../src/index.ts';

const make = (options: DdpmOptions) => testContext().plugin('scheduler', { id: 'ddpm', options: { ...options } });
const report = fixtureReport('schedules', 'ddpm');
const { cases, inputs, check } = stepFixtures();
const variances = { learned_range: 'learned-range', fixed_small: 'fixed-small', fixed_large: 'fixed-large' } as const;

for (const one of cases) {
  report.case(one.case, async () => {
    const { step, noise, varianceFraction, transition, predictionOf } = await inputs(one, (steps) =>
      make({ steps, variance: variances[one.variance] }),
    );
    for (const output of Object.keys(one.outputs)) {
      if (output === 'log_variance') {
        check(one, output, logVariance(step.coefficients as Coefficients, varianceFraction));
        continue;
      }
      const [form, quantity] = output.split('.') as ['clip' | 'raw', string];
      const prediction = predictionOf(form);
      const { mean, std } = transition(prediction);
      if (quantity === 'x0hat') check(one, output, prediction.x0hat);
      else if (quantity === 'mean') check(one, output, mean);
      else if (quantity === 'ddpm') check(one, output, mean.add(noise.mul(std)));
      // The rest is scheduler/ddim's.
      else expect.soft(output).toMatch(/\.(ddim_eta[\d.]+|epsilon_rederived)$/);
    }
  });
}

type Coefficients = { std: number; logVarianceMin: number; logVarianceMax: number };

/**
 * From the coefficients: the logarithm of a float32 std near 1 would have lost its digits. At index 0 fixed variances
 * take the repaired bound.
 */
function logVariance({ std, logVarianceMin, logVarianceMax }: Coefficients, fraction: Image | undefined): tf.Tensor {
  if (fraction === undefined) return tf.scalar(std > 0 ? 2 * Math.log(std) : logVarianceMin);
  return fraction.mul(logVarianceMax - logVarianceMin).add(logVarianceMin);
}

type Selected = {
  index: number[];
  log_betas: number[];
  posterior_log_variance_clipped: number[];
  posterior_mean_coef1: number[];
  posterior_mean_coef2: number[];
};
type Tables = Record<string, { selected?: Selected }>;
const { respaced = {}, cosine_respaced = {}, ...tables } = readFixtureJson<Tables>('schedules', 'schedules.json');

/** Bounds of the learned-range log variance and the weights of the mean: float64, 1e-12 absolute or 1e-9 relative. */
function coefficientCase(
  name: string,
  schedule: 'linear' | 'cosine',
  trainingSteps: number,
  steps: number | string,
  selected: Selected,
): void {
  report.case(`schedules.json/${name}`, async () => {
    const ascending = (await make({ steps, variance: 'learned-range' }))
      .levels(noiseProcess({ schedule, trainingSteps }))
      .toReversed();
    selected.index.forEach((index, i) => {
      const coefficients = ascending[index]!.coefficients;
      const expected = {
        logVarianceMax: selected.log_betas[i]!,
        logVarianceMin: selected.posterior_log_variance_clipped[i]!,
        x0Weight: selected.posterior_mean_coef1[i]!,
        xtWeight: selected.posterior_mean_coef2[i]!,
      };
      for (const [field, value] of Object.entries(expected)) {
        expect
          .soft(Math.abs(coefficients[field]! - value), `${field} at ${index}`)
          .toBeLessThanOrEqual(Math.max(1e-12, 1e-9 * Math.abs(value)));
      }
    });
  });
}
for (const [name, { selected }] of Object.entries(tables)) {
  const [, schedule, count] = /^(linear|cosine)(\d+)$/.exec(name) ?? [];
  if (selected && schedule)
    coefficientCase(name, schedule as 'linear' | 'cosine', Number(count), Number(count), selected);
}
for (const [group, schedule, processes] of [
  ['respaced', 'linear', respaced],
  ['cosine_respaced', 'cosine', cosine_respaced],
] as const) {
  for (const [key, { selected }] of Object.entries(processes as Tables)) {
    if (selected) coefficientCase(`${group}/${key}`, schedule, 1000, /^\d+$/.test(key) ? Number(key) : key, selected);
  }
}
