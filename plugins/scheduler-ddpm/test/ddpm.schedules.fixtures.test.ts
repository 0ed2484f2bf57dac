import { type Image, noiseProcess, tf } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import { fixtureReport, stepFixtures } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import type { DdpmOptions } from '../src/index.ts';

const make = (options: DdpmOptions) => testContext().plugin('scheduler', { id: 'ddpm', options: { ...options } });
const report = fixtureReport('schedules', 'ddpm');
const { cases, inputs, check } = stepFixtures(report);
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

type Selected = { index: number[] } & Record<string, number[] | undefined>;
/** What this repository calls them. */
const coefficientNames = {
  log_betas: 'logVarianceMax',
  posterior_log_variance_clipped: 'logVarianceMin',
  posterior_mean_coef1: 'x0Weight',
  posterior_mean_coef2: 'xtWeight',
};
type Tables = Record<string, { selected?: Selected }>;
const { respaced = {}, cosine_respaced = {}, ...tables } = report.index<Tables>('schedules.json', {});

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
    for (const [stored, ours] of Object.entries(coefficientNames)) {
      const expected = selected[stored];
      if (expected === undefined) report.notListed(`schedules.json/${name}/${stored}`);
      selected.index.slice(0, expected?.length ?? 0).forEach((index, i) => {
        const value = expected![i]!;
        expect
          .soft(Math.abs(ascending[index]!.coefficients[ours]! - value), `${ours} at ${index}`)
          .toBeLessThanOrEqual(Math.max(1e-12, 1e-9 * Math.abs(value)));
      });
    }
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
