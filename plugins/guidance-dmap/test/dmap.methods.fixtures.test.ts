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
import { dmap, type DmapOptions } from '../src/index.ts';

type Case = {
  id: string;
  time: string;
  problem: string;
  variant: DmapOptions['form'];
  scale: number;
  K: number;
  residualNorms?: number[];
  candidateT?: number;
  outputs: string[];
};

const report = fixtureReport('methods', 'dmap');
const { cases, tensors } = report.index<{ cases: Case[]; tensors: string }>('dmap.json', {
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
    const { schedule } = world.core.times[one.time]!;
    /** xNext after so many inner steps is the candidate of the next one. */
    const after = async (inner: number) => {
      const { sampler, steps } = await bind([operator, schedule, one.variant, one.scale, inner].join(), async () => ({
        guidance: await dmap({ scale: one.scale, inner, form: one.variant, clamp: true }, world.context),
        model: await world.model(),
        operator: world.operator(operator),
        scheduler: await world.scheduler('ddpm', { variance: 'learned-range', steps: stepsOfSchedule(schedule) }),
      }));
      const step = world.stepAt(steps, one.time);
      if (one.candidateT !== undefined) expect(step.next.t).toBe(one.candidateT);
      return sampler.step(xt, step, problem, storedRandom(noise, noise2));
    };
    const { state, scalars } = await after(3);
    expect.soft(largestDifference(state, tensors, `${one.id}/xNext`), 'xNext').toBeLessThan(5e-6);
    const last = one.residualNorms?.at(-1);
    if (last !== undefined) expect.soft(scalars!['residualNorm']!.dataSync()[0]! / last).toBeCloseTo(1, 5);
    for (const output of one.outputs.filter((name) => name.startsWith('candidate'))) {
      const { state: candidate } = await after(Number(output.slice('candidate'.length)));
      expect.soft(largestDifference(candidate, tensors, `${one.id}/${output}`), output).toBeLessThan(5e-6);
    }
  });
}
