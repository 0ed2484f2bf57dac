import {
  bindGuidance,
  CancelledError,
  eagerEngine,
  type Guidance,
  type Image,
  mixtureModel,
  noiseProcess,
  type Operator,
  respacedLevels,
  sampleBatch,
  type SampleKey,
  type Scheduler,
  type StepEvent,
  type StepTensors,
  type Tensor,
  tf,
  valueAndGrad,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { randomMixture } from './float64.ts';

const imageShape = [1, 1, 3] as const;
const STEPS = 5;
const scheduler: Scheduler = {
  levels: (process) => respacedLevels(process, STEPS).map((pair) => ({ ...pair, scoreWeight: 1, coefficients: {} })),
  transition: (xt, { x0hat }, { next }) => ({
    mean: x0hat.mul(next.signal).add(xt.mul(next.noise)),
    std: tf.scalar(0),
  }),
};
const operator: Operator = { linear: true, measurementShape: imageShape, draw: () => ({}), forward: (x) => x.mul(2) };
const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => randomMixture('shared', 3, 3) });
await model.load?.();

const keys = (count: number): SampleKey[] =>
  Array.from({ length: count }, (_, sample) => ({ seed: 1, problem: 'p', sample }));
const problemOf = (count: number) => ({ y: tf.zeros([count, ...imageShape]), sigmaY: 0.1, drawn: {} });

/** One forward, one vjp, one operator call and its gradient per step; `spoil` puts a value into a row of the state. */
const method = (spoil: { step: number; row: number; value: number }[] = []): Guidance => ({
  bind: ({ engine, model: prior, operator: a, scheduler: s }) => {
    const advance = engine.compile((xt: Image, step: StepTensors) => {
      const { value, gradient: grad } = valueAndGrad(
        (x) => [a.forward(prior.predict(x, step.level).x0hat, {}).square().sum(), []],
        xt,
      );
      const prediction = { x0hat: xt.sub(grad.mul(0.01)), epsilon: xt };
      return {
        state: s.transition(xt, prediction, step).mean,
        x0hat: prediction.x0hat,
        scalars: { loss: value.mul(tf.ones([xt.shape[0]])) },
      };
    });
    return {
      async step(xt, step) {
        const stepped = await advance(xt, step);
        const hits = spoil.filter((each) => each.step === step.index);
        const bad = tf.buffer(stepped.state.shape, 'float32', (await stepped.state.data()).slice() as Float32Array);
        for (const { row, value } of hits) bad.set(value, row, 0, 0, 1);
        return { ...stepped, state: bad.toTensor() as Image };
      },
    };
  },
});
const bindMethod = (guidance: Guidance) =>
  bindGuidance(guidance, { engine: eagerEngine(), model, operator, scheduler });

const run = async (
  guidance: Guidance,
  count = 3,
  more: { onStep?: (event: StepEvent) => void; signal?: AbortSignal } = {},
) => {
  const bound = await bindMethod(guidance);
  const problem = problemOf(count);
  try {
    const { x, ...rest } = await sampleBatch({ bound, imageShape, problem, keys: keys(count), ...more });
    const rows = x.arraySync().map((image) => image.flat(2));
    x.dispose();
    return { rows, ...rest };
  } finally {
    problem.y.dispose();
    bound.dispose();
  }
};

describe('the sampling loop', () => {
  it('reports what is not a number for its sample; the others go on as if nothing had happened', async () => {
    const good = await run(method());
    expect(good.failures).toEqual([undefined, undefined, undefined]);
    const { rows, failures } = await run(method([{ step: 3, row: 1, value: NaN }]));
    expect(failures).toEqual([undefined, { step: 3, reason: 'not a number: a value became NaN' }, undefined]);
    expect(rows[0]).toEqual(good.rows[0]);
    expect(rows[2]).toEqual(good.rows[2]);
    expect(rows[1]!.every(Number.isFinite)).toBe(false);
  });

  it('reports divergence, at the first step where it shows', async () => {
    const { failures } = await run(
      method([
        { step: 4, row: 0, value: -3e6 },
        { step: 1, row: 2, value: Infinity },
      ]),
    );
    expect(failures[0]).toEqual({ step: 4, reason: 'diverged: a value reached -3.0e+6' });
    expect(failures[1]).toBeUndefined();
    expect(failures[2]).toEqual({ step: 1, reason: 'not a number: a value became Infinity' });
  });

  it('measures divergence by the noise of the level', async () => {
    // 1e6 is noise on a VE level of 1e4, and divergence where the noise is below 1.
    const ve = mixtureModel({
      imageShape,
      process: noiseProcess({ kind: 've', sigmaMax: 1e6 }),
      mixture: () => randomMixture('shared', 3, 3),
    });
    await ve.load?.();
    const constant: Guidance = {
      bind: () => ({ step: async (xt) => ({ state: tf.fill<tf.Rank.R4>(xt.shape, 3e6) }) }),
    };
    const bound = await bindGuidance(constant, { engine: eagerEngine(), model: ve, operator, scheduler });
    const { failures, x } = await sampleBatch({ bound, imageShape, problem: problemOf(1), keys: keys(1) });
    expect(bound.steps.findLast(({ next }) => next.noise * 1e5 >= 3e6)!.index).toBeGreaterThan(failures[0]!.step);
    x.dispose();
  });

  it('shows each step to an observer, and takes the tensors back', async () => {
    const events: { done: number; index: number; x0hat: number[]; loss: number }[] = [];
    const held: Tensor[] = [];
    await run(method(), 2, {
      onStep: ({ step, done, total, x0hat, scalars }) => {
        expect(total).toBe(STEPS);
        events.push({ done, index: step.index, x0hat: x0hat!.shape, loss: scalars!['loss']!.size });
        held.push(x0hat!);
      },
    });
    expect(events).toEqual(
      [5, 4, 3, 2, 1].map((done) => ({ done: 6 - done, index: done - 1, x0hat: [2, 1, 1, 3], loss: 2 })),
    );
    expect(held.every(({ isDisposed }) => isDisposed)).toBe(true);
  });

  it('counts every row through the network and the operator', async () => {
    const { cost } = await run(method(), 3);
    expect(cost).toEqual({ forwards: 3 * STEPS, vjps: 3 * STEPS, operatorCalls: 2 * 3 * STEPS });
  });

  it('counts runs of one binding apart, and compiles once', async () => {
    const bound = await bindMethod(method());
    for (let i = 1; i <= 2; i++) {
      const { cost, x } = await sampleBatch({ bound, imageShape, problem: problemOf(2), keys: keys(2) });
      expect(cost.forwards).toBe(2 * STEPS);
      expect(bound.cost().forwards).toBe(2 * STEPS * i);
      x.dispose();
    }
    expect(bound.compilations()).toBe(1);
  });

  it('leaks no tensor: finished, failed, cancelled, or with an observer that throws', async () => {
    await run(method());
    const before = tf.memory().numTensors;
    await run(method());
    await run(method([{ step: 2, row: 0, value: NaN }]));
    const control = new AbortController();
    await expect(
      run(method(), 2, { signal: control.signal, onStep: ({ done }) => void (done === 2 && control.abort()) }),
    ).rejects.toThrow(CancelledError);
    const refuse = ({ done }: { done: number }) => {
      if (done === 2) throw new Error('enough');
    };
    await expect(run(method(), 2, { onStep: refuse })).rejects.toThrow('enough');
    expect(tf.memory().numTensors).toBe(before);
  });

  it('stops between two steps', async () => {
    const control = new AbortController();
    let steps = 0;
    const onStep = () => {
      steps++;
      if (steps === 2) control.abort();
    };
    await expect(run(method(), 2, { signal: control.signal, onStep })).rejects.toThrow('Stopped between two steps.');
    expect(steps).toBe(2);
  });

  it('carries any state: own start, own levels, kept tensors, own result', async () => {
    type State = { x: Image; moments: readonly Tensor[]; cached: Tensor };
    const starts: number[] = [];
    const guidance: Guidance<State> = {
      levels: (process) => scheduler.levels(process).slice(0, 2),
      bind: () => ({
        start: async ({ y }, first, random) => {
          starts.push(first.index);
          return {
            x: random.normal('start', [y.shape[0]!, ...imageShape]),
            moments: [tf.zerosLike(y)],
            cached: tf.ones([7]),
          };
        },
        step: async ({ x, moments, cached }) => ({
          state: { x: x.mul(0.5), moments: moments.map((m) => m.add(1)), cached },
        }),
        result: ({ moments, cached }) => moments[0]!.mul<Image>(cached.sum()),
      }),
    };
    const before = tf.memory().numTensors;
    const bound = await bindGuidance(guidance, { engine: eagerEngine(), model, operator, scheduler });
    const problem = problemOf(2);
    const { x, failures } = await sampleBatch({ bound, imageShape, problem, keys: keys(2) });
    expect([...x.dataSync()]).toEqual(new Array(6).fill(14));
    expect(starts).toEqual([STEPS - 1]);
    expect(failures).toEqual([undefined, undefined]);
    x.dispose();
    problem.y.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('gives a sample the same numbers whatever its neighbours', async () => {
    const noisy: Guidance = {
      bind: () => ({
        step: async (xt, _step, _problem, random) => ({ state: xt.add(random.normal('step', xt.shape)) }),
      }),
    };
    const bound = await bindMethod(noisy);
    const sample = async (order: readonly number[]) => {
      const { x } = await sampleBatch({
        bound,
        imageShape,
        problem: problemOf(order.length),
        keys: order.map((sampleNumber) => ({ seed: 1, problem: 'p', sample: sampleNumber })),
      });
      return x.arraySync().map((image) => image.flat(2));
    };
    const [a, b, c] = await sample([0, 1, 2]);
    expect(await sample([2, 0])).toEqual([c, a]);
    expect(await sample([1])).toEqual([b]);
  });
});
