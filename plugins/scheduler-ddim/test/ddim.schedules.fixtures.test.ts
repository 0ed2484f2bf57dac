import { testContext } from '@tweedie/testing';
import { fixtureReport, stepFixtures } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import type { DdimOptions } from '../src/index.ts';

const make = (options: DdimOptions) => testContext().plugin('scheduler', { id: 'ddim', options: { ...options } });
const report = fixtureReport('schedules', 'ddim');
const { cases, inputs, check } = stepFixtures(report);

for (const one of cases) {
  report.case(one.case, async () => {
    for (const output of Object.keys(one.outputs)) {
      const [, form, quantity = ''] = /^(clip|raw)\.(.*)$/.exec(output) ?? [];
      const [, eta] = /^ddim_eta([\d.]+)$/.exec(quantity) ?? [];
      // x0hat, mean, log_variance and the ancestral step are scheduler/ddpm's.
      if (eta === undefined && quantity !== 'epsilon_rederived') {
        expect.soft(output).toMatch(/^log_variance$|\.(x0hat|mean|ddpm)$/);
        continue;
      }
      const { noise, transition, predictionOf, epsilonRederived } = await inputs(one, (steps) =>
        make({ steps, eta: Number(eta ?? 0) }),
      );
      const prediction = predictionOf(form as 'clip' | 'raw');
      const { mean, std } = transition(prediction);
      check(one, output, eta === undefined ? epsilonRederived(prediction) : mean.add(noise.mul(std)));
    }
  });
}
