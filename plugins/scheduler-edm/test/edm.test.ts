import {
  bindGuidance,
  type Denoise,
  eagerEngine,
  epsilonFromX0,
  type Image,
  noiseProcess,
  reverseStep,
  type Scheduler,
  type TensorTree,
  tf,
  traced,
} from '@tweedie/core';
import { bind, mixturePrior, randomProblems, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const container = testContainer();
const make = (options: object = {}): Promise<Scheduler> =>
  container.plugin('scheduler', { id: 'edm', options: { ...options } });
const prior = { mean: 0.5, variance: 0.09 };
const denoise: Denoise = (xt, level) => {
  const noise = level.sigma.square();
  const x0hat = xt.div(level.signal).mul(prior.variance).add(noise.mul(prior.mean)).div(noise.add(prior.variance));
  return { x0hat, epsilon: epsilonFromX0(xt, x0hat, level) };
};

describe.each(['vp', 've'] as const)('on a %s process', (kind) => {
  const process = noiseProcess({ kind });

  it('visits the published grid as far as the table reaches, and any other as it is', async () => {
    const sigmas = async (options: object) =>
      (await make(options))
        .levels(process)
        .flatMap(({ level, next }, i) => (i === 0 ? [level.sigma, next.sigma] : [next.sigma]));
    const usual = await sigmas({ steps: 18 });
    expect([usual.length, usual[0], usual.at(-2), usual.at(-1)]).toEqual([
      19,
      expect.closeTo(80, 9),
      expect.closeTo(process.table[0]!.sigma, 12),
      0,
    ]);
    // Karras et al. 2022, Equation 5, N = 18, written out for i = 9.
    const published = await sigmas({ steps: 18, sigmaMin: 0.002, sigmaMax: 80 });
    expect(published[9]).toBeCloseTo((80 ** (1 / 7) + (9 / 17) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7, 9);
    expect(await sigmas({ steps: 1, sigmaMax: 50 })).toEqual([expect.closeTo(50, 9), 0]);
  });

  it.each([1, 2])('order %i: the distance to the solution of the equation falls so with the step', async (order) => {
    /**
     * The flow keeps (z - mean) / sqrt(variance + sigma^2). The last step is left out: its length does not change with
     * `steps`.
     */
    const error = async (steps: number) => {
      const scheduler = await make({ steps, order, sigmaMin: 0.05, sigmaMax: 20 });
      const levels = scheduler.levels(process);
      const { level } = levels[0]!;
      const { next } = levels.at(-2)!;
      let xt: Image = tf.tensor4d([level.signal * 12], [1, 1, 1, 1]);
      for (const step of levels.slice(0, -1))
        xt = tf.tidy(() => reverseStep(scheduler, denoise, xt, traced(step), tf.zerosLike(xt)).state);
      const exact =
        prior.mean +
        (12 - prior.mean) * Math.sqrt((prior.variance + next.sigma ** 2) / (prior.variance + level.sigma ** 2));
      return Math.abs(xt.dataSync()[0]! / next.signal - exact);
    };
    const counts = [16, 32, 64, 128];
    const points = await Promise.all(
      counts.map(async (steps) => [Math.log(steps), Math.log(await error(steps))] as const),
    );
    const [x, y] = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis]!, 0) / points.length) as [
      number,
      number,
    ];
    const slope =
      points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) /
      points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
    expect(-slope).toBeGreaterThan(order - 0.2);
    expect(-slope).toBeLessThan(order + 0.3);
  });

  it('its Euler step is that of scheduler/ddim without noise', async () => {
    const euler = await make({ steps: 12 });
    const ddim = await container.plugin('scheduler', { id: 'ddim', options: { eta: 0 } });
    const [xt, x0hat] = [tf.tensor4d([0.3, -2], [1, 1, 2, 1]), tf.tensor4d([0.1, 0.7], [1, 1, 2, 1])];
    for (const step of euler.levels(process)) {
      const other = { ...step, coefficients: { direction: step.next.noise, std: 0 } };
      const [mine, its] = [
        euler.transition(xt, { x0hat, epsilon: xt }, traced(step)),
        ddim.transition(xt, { x0hat, epsilon: xt }, traced(other)),
      ];
      expect([...mine.mean.dataSync(), ...mine.std.dataSync()]).toEqual([
        ...its.mean.dataSync(),
        ...its.std.dataSync(),
      ]);
    }
  });
});

describe('cost', async () => {
  const imageShape = [2, 3, 1] as const;
  const model = await mixturePrior({ imageShape, components: 3, variances: 0.1 });
  const identity = await container.plugin('operator', { id: 'identity' }, { imageShape });
  const engines = { eager: eagerEngine(), onnxruntime: await container.plugin('engine', { id: 'onnxruntime' }) };

  it.each([
    ['none', 2, 2 * 6 - 1],
    ['exact', 2, 2 * 6 - 1],
    ['none', 1, 6],
    ['dps', 2, 6],
  ])('%s, order %i: %i forwards for 6 steps, planned and counted', async (id, order, forwards) => {
    const scheduler = await make({ steps: 6, order });
    const guidance = await container.plugin('guidance', { id });
    const parts = { model, operator: identity, scheduler };
    if (guidance.cost) expect(guidance.cost(parts, scheduler.levels(model.process), 0.1).forwards).toBe(forwards);
    for (const engine of Object.values(engines)) {
      const run = await bind(guidance, { engine, ...parts });
      const { cost, failures } = await sampleRows(run, randomProblems(identity, imageShape, 2, 0.1));
      expect([cost.forwards, failures]).toEqual([2 * forwards, [undefined, undefined]]);
      expect(run.bound.compilations()).toBe(order === 2 && id !== 'dps' ? 2 : 1);
      run.bound.dispose();
    }
  });

  it('the last step costs one forward, those before two', async () => {
    const { sampler, steps, cost } = await bindGuidance(await container.plugin('guidance', { id: 'none' }), {
      engine: engines.eager,
      model,
      operator: identity,
      scheduler: await make({ steps: 3 }),
    });
    const random = { normal: (): Image => tf.zeros([1, ...imageShape]), uniform: () => tf.zeros([1]) };
    let state: TensorTree = tf.zeros([1, ...imageShape]);
    const counted: number[] = [];
    for (const step of steps) {
      const before = cost().forwards;
      ({ state } = await sampler.step(
        state,
        step,
        { y: tf.zeros([1, ...imageShape]), sigmaY: 0.1, drawn: {} },
        random,
      ));
      counted.push(cost().forwards - before);
    }
    expect(counted).toEqual([2, 2, 1]);
  });
});

it.each([
  [{ sigmaMin: 2, sigmaMax: 1 }, '[schedule] sigmaMin 2 and sigmaMax 1 are not 0 < sigmaMin < sigmaMax.'],
  [{ sigmaMin: 100 }, '[schedule] sigmaMin 100 and sigmaMax 80 are not 0 < sigmaMin < sigmaMax.'],
])('refuses %j', async (options, message) => {
  const scheduler = await make(options);
  expect(() => scheduler.levels(noiseProcess())).toThrow(message);
});

it('refuses an order that it has not', async () => {
  await expect(make({ order: 3 })).rejects.toThrow(/order/);
});
