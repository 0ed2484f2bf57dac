/**
 * Golden steps of the released code. Their variance is the same at every pixel, so that both variants agree where the
 * step has noise.
 */
import { eagerEngine } from '@tweedie/core';
import {
  bindings,
  fixtureReport,
  largestDifference,
  methodWorld,
  stepsOfSchedule,
  storedRandom,
} from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { dsg } from '../src/index.ts';

type Case = {
  id: string;
  time: string;
  problem: string;
  variant: 'ddpm' | 'ddim';
  eta?: number;
  rate: number;
  interval: number;
  guided: boolean;
  residualNorm?: number;
  float32Deviation?: number;
  outputs: string[];
};

const report = fixtureReport('methods', 'dsg');
const { cases, tensors } = report.index<{ cases: Case[]; tensors: string }>('dsg.json', {
  cases: [],
  tensors: '',
});
const world = methodWorld();
// Plain TensorFlow.js: its rounding is what the tolerances were measured for. That engines agree with it is tested for
// every method.
const bind = bindings(eagerEngine());

for (const one of cases) {
  report.case(one.id, async () => {
    const { operator, ...problem } = world.problem(one.problem);
    const { xt, noise, noise2 } = world.state(one.time);
    const { schedule, index } = world.core.times[one.time]!;
    for (const variant of ['reference', 'per-sample'] as const) {
      const { sampler, steps } = await bind(
        [operator, schedule, one.variant, one.rate, one.interval, variant].join(),
        async () => ({
          guidance: await dsg({ rate: one.rate, interval: one.interval, variant, clamp: true }, world.context),
          model: await world.model(),
          operator: world.operator(operator),
          scheduler: await world.scheduler(one.variant, {
            ...(one.variant === 'ddim' ? { eta: one.eta } : { variance: 'learned-range' }),
            steps: stepsOfSchedule(schedule),
          }),
        }),
      );
      const { state, scalars } = await sampler.step(
        xt,
        world.stepAt(steps, one.time),
        problem,
        storedRandom(noise, noise2),
      );
      // The last step has no noise: the released code moves all the same, by the predicted variance; per sample it is
      // the mean.
      const still = index === 0 && variant === 'per-sample';
      const expected = still && one.outputs.includes('mean') ? 'mean' : 'xNext';
      if (still && one.variant === 'ddpm' && one.rate > 0 && expected !== 'mean') continue;
      expect
        .soft(largestDifference(state, tensors, `${one.id}/${expected}`), `${variant} ${expected}`)
        .toBeLessThan(Math.max(5 * (one.float32Deviation ?? 0), 2e-6));
      if (one.residualNorm !== undefined)
        expect.soft(scalars!['residualNorm']!.dataSync()[0]! / one.residualNorm).toBeCloseTo(1, 5);
    }
  });
}
