import type { TensorTree } from '@tweedie/core';
import {
  bindings,
  fixtureReport,
  largestDifference,
  methodWorld,
  stepsOfSchedule,
  storedRandom,
} from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { exact, type ExactOptions } from '../src/index.ts';

type Case = { id: string; time: string; problem: string; outputs: string[] };

const report = fixtureReport('methods', 'exact');
const { cases, tensors } = report.index<{ cases: Case[]; tensors: string }>('exact.json', {
  cases: [],
  tensors: '',
});
const world = methodWorld();
const bind = bindings(await world.engine());
/** The posterior depends on the problem, not on the time: formed once. */
const starts = new Map<string, Promise<TensorTree>>();

for (const one of cases) {
  report.case(one.id, async () => {
    const { operator, ...problem } = world.problem(one.problem);
    const { t, xt, noise, noise2 } = world.state(one.time);
    const schedule = world.core.times[one.time]!.schedule;
    for (const output of one.outputs.filter((name) => name.startsWith('xNext/'))) {
      const [variance = '', ...flags] = output.slice('xNext/'.length).split(/-(?=table|noclip)/);
      // Where A = I every path must give the same step.
      const paths: ExactOptions['path'][] =
        world.core.operators[operator]?.kind !== 'identity'
          ? ['closed-form']
          : flags.includes('table')
            ? ['denoiser', 'score']
            : ['denoiser', 'score', 'closed-form'];
      for (const path of paths) {
        const { sampler, steps } = await bind([operator, schedule, output, path].join(), async () => ({
          guidance: await exact({ path, clamp: !flags.includes('noclip') }, world.context),
          model: await world.model({ table: flags.includes('table') }),
          operator: world.operator(operator),
          scheduler: await world.scheduler('ddpm', {
            steps: stepsOfSchedule(schedule),
            variance: variance === 'learned' ? 'learned-range' : variance,
          }),
        }));
        const step = world.stepAt(steps, one.time);
        const random = storedRandom(noise, noise2);
        const key = `${one.problem} ${path}`;
        const started = starts.get(key) ?? sampler.start?.(problem, step, { ...random, normal: () => xt });
        if (started !== undefined) starts.set(key, started);
        const { state } = await sampler.step(
          started === undefined ? xt : { ...((await started) as object), xt },
          step,
          problem,
          random,
        );
        const xNext = sampler.result ? await sampler.result(state, problem) : state;
        expect
          .soft(largestDifference(xNext, tensors, `${one.id}/${output}`), `${output} by ${path}`)
          .toBeLessThan(t >= 700 ? 2e-5 : 1e-5);
      }
    }
  });
}
