/** Golden levels of both released branches; their states are VE, ours have the units of the process. */
import { eagerEngine, type Image, type StepRandom, type Tensor, tf } from '@tweedie/core';
import { bindings, fixtureImage, fixtureReport, methodWorld } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { daps, type DapsOptions } from '../src/index.ts';

type Case = {
  id: string;
  level: number;
  branch: DapsOptions['variant'];
  problem: string;
  sigma: number;
  sigmaNext: number;
  learningRate: number;
  tau: number;
  momentum?: number;
  mcmc: string;
  float32Deviation?: number;
  outputs: string[];
};

const report = fixtureReport('methods', 'daps');
type Index = { cases: Case[]; tensors: string; settings: { learningRateMinRatio: number; mcmcSteps: number } };
const {
  cases,
  tensors: file,
  settings,
} = report.index<Index>('daps.json', {
  cases: [],
  tensors: '',
  settings: { learningRateMinRatio: 0.01, mcmcSteps: 5 },
});
const tensors = report.tensors(file);
const stored = (name: string): Image => fixtureImage(tensors.get(name)!);
const row = (name: string, i: number): Image => stored(name).slice([i, 0, 0, 0], [1, -1, -1, -1]);
const difference = (a: Tensor, b: Tensor) =>
  Math.max(...tf.tidy(() => a.sub(b).abs().dataSync()).map((value) => (Number.isNaN(value) ? Infinity : value)));

const world = methodWorld();
// Plain TensorFlow.js: its rounding is what the tolerances were measured for. That engines agree with it is tested for
// every method.
const bind = bindings(eagerEngine());
const samplers: Readonly<Record<string, DapsOptions['sampler']>> = {
  langevin: 'langevin',
  hmc: 'hmc',
  metropolis: 'mh',
  mh: 'mh',
};

for (const one of cases) {
  report.case(one.id, async () => {
    const { operator, ...problem } = world.problem(one.problem);
    const at = `level/${one.branch}-${one.level}`;
    const random = (renoise: Image): StepRandom => ({
      normal: (purpose) =>
        purpose === 'renoise'
          ? renoise
          : purpose === 'velocity'
            ? stored(`${at}/velocity`)
            : row(`${at}/langevin`, Number(purpose.replace('mcmc ', ''))),
      uniform: (purpose) =>
        tf.tensor1d([Number(tensors.get(`${at}/mhUniform`)!.data[Number(purpose.replace('accept ', ''))])]),
    });
    const level = async (mcmcSteps: number, renoise: Image) => {
      const sampler = samplers[one.mcmc];
      expect(sampler, `mcmc ${one.mcmc}`).toBeDefined();
      const options: DapsOptions = {
        variant: one.branch,
        levels: 200,
        odeSteps: 5,
        sampler: sampler!,
        mcmcSteps,
        lr: one.learningRate,
        lrMinRatio: settings.learningRateMinRatio,
        tau: one.tau,
        momentum: one.momentum ?? 0,
      };
      const bound = await bind([operator, JSON.stringify(options)].join(), async () => ({
        guidance: await daps(options, world.context),
        model: await world.model({ clip: false }),
        operator: world.operator(operator),
        scheduler: await world.scheduler('ddpm', { steps: 10 }),
      }));
      const step = bound.steps[one.level]!;
      expect([step.level.sigma / one.sigma, step.next.sigma]).toEqual([
        expect.closeTo(1, 10),
        expect.closeTo(one.sigmaNext, 10),
      ]);
      const { state, x0hat } = await bound.sampler.step(
        stored(`${at}/x`).mul(step.level.signal),
        step,
        problem,
        random(renoise),
      );
      return { ve: (state as Image).div(step.next.signal), x0hat: x0hat! };
    };
    const limit = Math.max(5 * (one.float32Deviation ?? 0), 2e-6);
    const { ve, x0hat } = await level(settings.mcmcSteps, stored(`${at}/renoise`));
    expect.soft(difference(ve, stored(`${one.id}/xNext`)), 'xNext').toBeLessThan(limit);
    expect.soft(difference(x0hat, row(`${at}/ode`, 5)), 'end of the ODE').toBeLessThan(limit);
    if (!one.outputs.includes('chain')) return;
    // Without new noise the state is the chain's.
    for (const i of [0, 2]) {
      const { ve: link } = await level(i + 1, x0hat.zerosLike());
      expect.soft(difference(link, row(`${one.id}/chain`, i)), `chain ${i}`).toBeLessThan(limit);
    }
  });
}
