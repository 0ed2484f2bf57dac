import {
  bindGuidance,
  eagerEngine,
  type GaussianMixture,
  type Image,
  keyedRandom,
  type Measured,
  mixtureModel,
  noiseProcess,
  type Operator,
  type ProcessOptions,
  type Step,
  type StepRandom,
  tf,
} from '@tweedie/core';
import { mixturePrior, namedImages, stepOnce, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const imageShape = [4, 5, 3] as const;
const d = 60;
const q = 0.6;
const gaussian: GaussianMixture = {
  weights: Float64Array.of(1),
  means: new Float64Array(d),
  covariance: { kind: 'isotropic', variances: Float64Array.of(q * q) },
};
const container = testContainer();
const ddpm = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 100 } });
const operator = (id: string, options: object = {}): Promise<Operator> =>
  container.plugin('operator', { id, options: { ...options } }, { imageShape });
const identity = await operator('identity');
const inpaint = await operator('inpaint', { rate: 0.6 });

const image = namedImages(imageShape);
const random: StepRandom = {
  normal: ((purpose, shape) => tf.reshape(image(purpose), [...shape])) as StepRandom['normal'],
  uniform: () => tf.zeros([1]),
};
type State = { xt: Image; cached: tf.Tensor };
type Scalars = { [name: string]: tf.Tensor };

async function bound(
  guidanceOptions: object,
  more: { operator?: Operator; process?: Partial<ProcessOptions>; id?: string } = {},
) {
  const model = mixtureModel({ imageShape, process: noiseProcess(more.process), mixture: () => gaussian });
  await model.load?.();
  const guidance = await container.plugin('guidance', { id: more.id ?? 'dps-w', options: { ...guidanceOptions } });
  return bindGuidance(guidance, { engine: eagerEngine(), model, operator: more.operator ?? identity, scheduler: ddpm });
}

/** One step from a state at its level. */
async function stepWith(
  bind: Awaited<ReturnType<typeof bound>>,
  step: Step,
  sigmaY: number,
  drawn: Measured['drawn'] = {},
) {
  const xt = ({ level }: Step) => image('state', Math.hypot(level.signal * q, level.noise));
  const taken = await stepOnce(bind, {
    index: step.index,
    problem: { y: image('y', 0.7), sigmaY, drawn },
    xt,
    noise: image,
  });
  return { xNext: taken.xNext, scalars: taken.scalars as Scalars };
}
const distance = (a: Image, b: Image) => Math.max(...a.sub(b).abs().dataSync());

describe.each(['vp', 've'] as const)('the weight of a Gaussian prior on a %s process', (kind) => {
  it.each([0.02, 0.1, 0.5])(
    'is 1 / (2 (v + sigmaY^2)), v = q^2 sigma^2 / (q^2 + sigma^2); sigmaY %f',
    async (sigmaY) => {
      const method = await bound({}, { process: { kind } });
      for (const step of method.steps.filter(({ index }) => index % 11 === 0)) {
        const { scalars } = await stepWith(method, step, sigmaY);
        const variance = step.level.sigma ** 2;
        const v = (q * q * variance) / (q * q + variance);
        const expected = 1 / (2 * (v + sigmaY ** 2));
        const [weight = NaN] = scalars['weight']!.dataSync();
        // Both scores are nearly equal where sigma is large: their difference has fewer digits.
        expect(Math.abs(weight / expected - 1), `sigma ${step.level.sigma}`).toBeLessThan(
          step.level.sigma > 3 ? 1e-2 : 2e-4,
        );
        const [update = NaN] = scalars['updateWeight']!.dataSync();
        expect(update / weight / step.scoreWeight).toBeCloseTo(1, 5);
      }
    },
  );
});

describe('masks', () => {
  it('are fitted on observed entries only; enhanced multiplies by entries / observed', async () => {
    const drawn = { mask: tf.expandDims((inpaint.draw(keyedRandom('mask')) as { mask: tf.Tensor }).mask) };
    const observed = drawn.mask.sum().dataSync()[0]!;
    expect(observed).toBe(20 - 12);
    const [plain, enhanced] = [
      await bound({}, { operator: inpaint }),
      await bound({ enhanced: true }, { operator: inpaint }),
    ];
    const step = plain.steps.find(({ index }) => index === 20)!;
    const [a, b] = [
      (await stepWith(plain, step, 0.1, drawn)).scalars,
      (await stepWith(enhanced, step, 0.1, drawn)).scalars,
    ];
    const variance = step.level.sigma ** 2;
    expect(a['weight']!.dataSync()[0]! * 2 * ((q * q * variance) / (q * q + variance) + 0.01)).toBeCloseTo(1, 3);
    expect(b['updateWeight']!.dataSync()[0]! / a['updateWeight']!.dataSync()[0]!).toBeCloseTo(20 / 8, 4);
  });
});

describe('what yRef holds on hidden entries', async () => {
  // Components tie the entries together, so that hidden ones matter; on VP `state` is not the state itself.
  const model = await mixturePrior({ imageShape, components: 5, variances: 0.1 });
  const drawn = { mask: tf.expandDims((inpaint.draw(keyedRandom('mask')) as { mask: tf.Tensor }).mask) };
  const step = ddpm.levels(model.process).find(({ index }) => index === 40)!;
  const xt = image('state');
  const y = image('y', 0.7);
  const after = async (options: object, measured: Image) => {
    const guidance = await container.plugin('guidance', { id: 'dps-w', options: { ...options } });
    const { sampler } = await bindGuidance(guidance, {
      engine: eagerEngine(),
      model,
      operator: inpaint,
      scheduler: ddpm,
    });
    const problem = { y: measured, sigmaY: 3, drawn };
    const { cached } = (await sampler.start!(problem, step, random)) as State;
    const { state, scalars, x0hat } = await sampler.step({ xt, cached }, step, problem, random);
    return { xNext: (state as State).xt, weight: (scalars as Scalars)['weight']!.dataSync()[0]!, x0hat: x0hat! };
  };
  const filled = (fill: Image): Image => y.mul(drawn.mask).add(fill.mul(tf.sub(1, drawn.mask)));

  it.each(['zero', 'state', 'x0hat'])('%s is what y itself could have held', async (hidden) => {
    const { weight, xNext, x0hat } = await after({ hidden }, y);
    const fills: Record<string, Image> = { zero: tf.zerosLike(xt), state: xt.div(step.level.signal), x0hat };
    const expected = await after({ hidden: 'measured' }, filled(fills[hidden]!));
    expect(weight / expected.weight).toBeCloseTo(1, 4);
    expect(distance(xNext, expected.xNext)).toBeLessThan(1e-5);
    expect(Math.abs(weight / (await after({ hidden: 'measured' }, y)).weight - 1)).toBeGreaterThan(1e-3);
  });

  it('the cached score of zero does not look at what y holds there', async () => {
    const options = { hidden: 'zero', cache: true, refresh: 1 };
    expect((await after(options, y)).xNext.dataSync()).toEqual(
      (await after(options, filled(tf.zerosLike(xt)))).xNext.dataSync(),
    );
  });
});

describe('limits', () => {
  it('sigmaY of 1e6 leaves no guidance', async () => {
    const [guided, prior] = [await bound({}), await bound({}, { id: 'none' })];
    for (const step of guided.steps.filter(({ index }) => index % 33 === 0)) {
      const { xNext, scalars } = await stepWith(guided, step, 1e6);
      expect(Math.abs(scalars['updateWeight']!.dataSync()[0]!)).toBeLessThan(1e-5);
      expect(distance(xNext, (await stepWith(prior, step, 1e6)).xNext)).toBeLessThan(1e-5);
    }
  });

  it('scale 0 is no guidance, whatever the rest', async () => {
    const [guided, prior] = [await bound({ scale: 0 }), await bound({}, { id: 'none' })];
    const step = guided.steps.find(({ index }) => index === 30)!;
    expect(distance((await stepWith(guided, step, 0.1)).xNext, (await stepWith(prior, step, 0.1)).xNext)).toBeLessThan(
      1e-6,
    );
  });

  it('a cap bounds the weight of the update, or of the score', async () => {
    const free = await bound({});
    const step = free.steps.find(({ index }) => index === 30)!;
    const { scalars } = await stepWith(free, step, 0.1);
    const [update = 0] = scalars['updateWeight']!.dataSync();
    const half = async (options: object) =>
      (await stepWith(await bound(options), step, 0.1)).scalars['updateWeight']!.dataSync()[0]!;
    expect((await half({ cap: update / 2 })) / update).toBeCloseTo(0.5, 5);
    expect((await half({ cap: update * 2 })) / update).toBeCloseTo(1, 5);
    expect((await half({ cap: scalars['weight']!.dataSync()[0]! / 2, capUnits: 'score' })) / update).toBeCloseTo(
      0.5,
      5,
    );
  });

  it('a cap bounds the enhanced weight, not the one before', async () => {
    const drawn = { mask: tf.expandDims((inpaint.draw(keyedRandom('mask')) as { mask: tf.Tensor }).mask) };
    const cap = 1e-6;
    for (const capUnits of ['update', 'score']) {
      const capped = await bound({ enhanced: true, cap, capUnits }, { operator: inpaint });
      const step = capped.steps.find(({ index }) => index === 20)!;
      const [update = NaN] = (await stepWith(capped, step, 0.1, drawn)).scalars['updateWeight']!.dataSync();
      expect(update / (capUnits === 'update' ? cap : cap * step.scoreWeight)).toBeCloseTo(1, 5);
    }
  });
});

describe('the score cache', () => {
  it('with a refresh that every step exceeds is the method without it', async () => {
    const [cached, naive] = [await bound({ cache: true, refresh: 1e-12 }), await bound({})];
    for (const step of cached.steps.filter(({ index }) => index % 33 === 0)) {
      expect((await stepWith(cached, step, 0.1)).xNext.dataSync()).toEqual(
        (await stepWith(naive, step, 0.1)).xNext.dataSync(),
      );
    }
  });

  it('where xt hardly enters the combined point changes the step little, and saves a forward', async () => {
    const [cached, naive] = [await bound({ cache: true }), await bound({})];
    const step = naive.steps.find(({ index }) => index === 60)!;
    expect(0.1 ** 2 / (step.level.sigma ** 2 + 0.1 ** 2)).toBeLessThan(0.02);
    const before = [cached.cost().forwards, naive.cost().forwards];
    expect(distance((await stepWith(cached, step, 0.1)).xNext, (await stepWith(naive, step, 0.1)).xNext)).toBeLessThan(
      1e-2,
    );
    // One at the measurement and one in the step; two in the step.
    expect([cached.cost().forwards - before[0]!, naive.cost().forwards - before[1]!]).toEqual([2, 2]);
    await cached.sampler.step(
      { xt: image('state'), cached: image('epsilon') },
      step,
      { y: image('y'), sigmaY: 0.1, drawn: {} },
      random,
    );
    expect(cached.cost().forwards - before[0]!).toBe(3);
  });

  it('is refused where the reference image changes from step to step', async () => {
    const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => gaussian });
    const refusal = async (options: object, a: Operator) =>
      (await container.plugin('guidance', { id: 'dps-w', options: { ...options } })).refuses?.(
        { model, operator: a, scheduler: ddpm },
        0.1,
      );
    expect(await refusal({ cache: true }, inpaint)).toBe(
      "the score cache needs a reference image that stays the same, and hidden 'x0hat' changes it at every step; set hidden to 'zero' or 'measured', or cache to false",
    );
    expect(await refusal({ cache: true, hidden: 'x0hat-noise' }, inpaint)).toContain("hidden 'x0hat-noise' changes it");
    for (const [options, a] of [
      [{ cache: true, hidden: 'zero' }, inpaint],
      [{ cache: true, hidden: 'measured' }, inpaint],
      [{ cache: true }, identity],
      [{}, inpaint],
    ] as const) {
      expect(await refusal(options, a)).toBeUndefined();
    }
  });

  it('costs what it says over a whole run: 1000 + 1 + about 100 forwards for 1000 steps at sigmaY 0.05', async () => {
    const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => gaussian });
    const parts = { model, operator: identity, scheduler: ddpm };
    const thousand = (await container.plugin('scheduler', { id: 'ddpm', options: { steps: 1000 } })).levels(
      noiseProcess(),
    );
    const guidance = await container.plugin('guidance', { id: 'dps-w', options: { cache: true, refresh: 0.02 } });
    const { forwards, vjps } = guidance.cost!(parts, thousand, 0.05);
    expect(vjps).toBe(1000);
    expect(Math.abs(forwards - 1101)).toBeLessThan(10);
    expect((await container.plugin('guidance', { id: 'dps-w' })).cost!(parts, thousand, 0.05)).toEqual({
      forwards: 2000,
      vjps: 1000,
    });
  });
});
