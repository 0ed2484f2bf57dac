/** "DPS" of other repositories: those that are ours with other parts and options; the rest are other algorithms. */
import {
  bindings,
  fixtureReport,
  largestDifference,
  methodWorld,
  stepsOfSchedule,
  storedRandom,
} from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { dps } from '../src/index.ts';

type Case = {
  id: string;
  time: string;
  problem: string;
  variant: string;
  scale: number;
  eta?: number;
  float32Deviation?: number;
};

const report = fixtureReport('methods', 'dps-variants');
const { cases, tensors } = report.index<{ cases: Case[]; tensors: string }>('dps-variants.json', {
  cases: [],
  tensors: '',
});
const world = methodWorld();
const bind = bindings(await world.engine());

/** Their own grids, factors and noise: DPS on RED-diff's, InverseBench's and deepinv's terms. */
const missing = ['red', 'inversebench', 'deepinv'];
for (const variant of missing) {
  const ids = cases.filter((one) => one.variant === variant).map(({ id }) => id);
  if (ids.length > 0) report.missing(`variant '${variant}' of guidance/dps`, ids);
}

const schedulers: Readonly<
  Record<string, (one: Case) => { id: string; options: Record<string, unknown>; clamp: boolean }>
> = {
  azula: () => ({ id: 'ddpm', options: { variance: 'fixed-small' }, clamp: false }),
  'dsg-ddim': ({ eta }) => ({ id: 'ddim', options: { eta }, clamp: true }),
};

for (const one of cases.filter(({ variant }) => !missing.includes(variant))) {
  report.case(one.id, async () => {
    const parts = schedulers[one.variant]?.(one);
    expect(parts, `variant ${one.variant}`).toBeDefined();
    const { id, options, clamp } = parts!;
    const { operator, ...problem } = world.problem(one.problem);
    const { xt, noise, noise2 } = world.state(one.time);
    const { schedule } = world.core.times[one.time]!;
    const { sampler, steps } = await bind([operator, schedule, one.variant, one.eta, one.scale].join(), async () => ({
      guidance: await dps({ scale: one.scale, form: 'norm', clamp }, world.context),
      model: await world.model(),
      operator: world.operator(operator),
      scheduler: await world.scheduler(id, { ...options, steps: stepsOfSchedule(schedule) }),
    }));
    const { state } = await sampler.step(xt, world.stepAt(steps, one.time), problem, storedRandom(noise, noise2));
    expect(largestDifference(state, tensors, `${one.id}/xNext`)).toBeLessThan(
      Math.max(5 * (one.float32Deviation ?? 0), 1e-5),
    );
  });
}
