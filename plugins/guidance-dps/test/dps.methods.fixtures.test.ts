import {
  bindings,
  fixtureReport,
  largestDifference,
  methodWorld,
  stepsOfSchedule,
  storedRandom,
} from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { dps, type DpsOptions } from '../src/index.ts';

type Case = {
  id: string;
  time: string;
  problem: string;
  scale: number;
  variance?: string;
  residualNorm: number;
  likelihoodCoefficient?: number;
  float32Deviation?: number;
  outputs: string[];
};

const report = fixtureReport('methods', 'dps');
const { cases, tensors } = report.index<{ cases: Case[]; tensors: string }>('dps.json', {
  cases: [],
  tensors: '',
});
const world = methodWorld();
const bind = bindings(await world.engine());
const forms: Record<string, DpsOptions['form']> = { reference: 'norm', paper: 'paper', likelihood: 'likelihood' };

for (const one of cases) {
  report.case(one.id, async () => {
    const { operator, ...problem } = world.problem(one.problem);
    const { xt, noise, noise2 } = world.state(one.time);
    const schedule = world.core.times[one.time]!.schedule;
    const variance = one.variance ?? 'learned-range';
    for (const output of one.outputs.filter((name) => name.startsWith('xNext/'))) {
      const form = forms[output.slice('xNext/'.length)]!;
      const scale = form === 'likelihood' ? 1 : one.scale;
      const key = [operator, schedule, variance, form, scale].join();
      const { sampler, steps } = await bind(key, async () => ({
        guidance: await dps({ scale, form, clamp: true }, world.context),
        model: await world.model(),
        operator: world.operator(operator),
        scheduler: await world.scheduler('ddpm', { steps: stepsOfSchedule(schedule), variance }),
      }));
      const { state } = await sampler.step(xt, world.stepAt(steps, one.time), problem, storedRandom(noise, noise2));
      const base = Math.max(5 * (one.float32Deviation ?? 0), 1e-5);
      const ratio = Math.max(1, (2 * (one.likelihoodCoefficient ?? 0) * one.residualNorm) / one.scale);
      const tolerance = base * (form === 'paper' ? 2 : form === 'likelihood' ? ratio : 1);
      expect.soft(largestDifference(state, tensors, `${one.id}/${output}`), output).toBeLessThan(tolerance);
    }
  });
}
