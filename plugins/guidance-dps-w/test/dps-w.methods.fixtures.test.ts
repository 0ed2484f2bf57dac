import { tf } from '@tweedie/core';
import {
  bindings,
  fixtureReport,
  largestDifference,
  methodWorld,
  stepsOfSchedule,
  storedRandom,
} from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { dpsW, type DpsWOptions } from '../src/index.ts';

type Case = {
  id: string;
  time: string;
  problem: string;
  variant: string;
  weight: number;
  updateWeight: number;
  cappedUpdateWeight?: number;
  cap?: number;
  outputs: string[];
};

const report = fixtureReport('methods', 'dps-w');
const { cases, tensors } = report.index<{ cases: Case[]; tensors: string }>('dpsw.json', {
  cases: [],
  tensors: '',
});
const world = methodWorld();
const bind = bindings(await world.engine());

const defaults: DpsWOptions = {
  hidden: 'x0hat',
  scale: 1,
  enhanced: false,
  capUnits: 'update',
  cache: false,
  refresh: 0.02,
  clamp: true,
};
const variants: Record<string, Partial<DpsWOptions>> = {
  denoising: {},
  'hidden-zero': { hidden: 'zero' },
  'hidden-x0hat': { hidden: 'x0hat' },
  'hidden-x0hat-noise': { hidden: 'x0hat-noise' },
  enhanced: { enhanced: true },
  // Every step reuses the cached score: what xt weighs in the combined point never exceeds 1.
  cached: { cache: true, refresh: 1 },
  nearest: {},
  'adjoint-gain': {},
  grey: {},
};

for (const one of cases) {
  const table = one.variant.endsWith('-table');
  const variant = one.variant.replace(/-table$/, '');
  const options = variants[variant];
  report.case(one.id, async () => {
    expect(options, `variant ${one.variant}`).toBeDefined();
    const { operator, ...problem } = world.problem(one.problem);
    const { t, xt, noise, noise2 } = world.state(one.time);
    const schedule = world.core.times[one.time]!.schedule;
    for (const output of one.outputs.filter((name) => name.startsWith('xNext'))) {
      const cap = output === 'xNextCapped' ? one.cap : undefined;
      const { sampler, steps } = await bind([operator, schedule, one.variant, cap].join(), async () => ({
        guidance: await dpsW({ ...defaults, ...options, ...(cap !== undefined && { cap }) }, world.context),
        model: await world.model({ table }),
        operator: world.operator(operator, variant),
        scheduler: await world.scheduler('ddpm', { steps: stepsOfSchedule(schedule), variance: 'learned-range' }),
      }));
      const step = world.stepAt(steps, one.time);
      const random = storedRandom(noise, noise2);
      const { cached } = (await sampler.start!(problem, step, { ...random, normal: () => xt })) as {
        cached: tf.Tensor;
      };
      const { state, scalars } = await sampler.step({ xt, cached }, step, problem, random);
      const { xt: xNext } = state as { xt: tf.Tensor };
      expect
        .soft(largestDifference(xNext, tensors, `${one.id}/${output}`), output)
        .toBeLessThan(t >= 700 ? 2e-5 : 1e-5);

      const relative = t >= 700 ? 5e-3 : 1e-4;
      const expected = {
        weight: one.weight,
        updateWeight: cap === undefined ? one.updateWeight : one.cappedUpdateWeight!,
      };
      for (const [name, value] of Object.entries(expected)) {
        const [got = NaN] = scalars![name]!.dataSync();
        expect.soft(Math.abs(got - value) / Math.abs(value), name).toBeLessThan(relative);
      }
    }
  });
}
