import {
  batchSize,
  bindGuidance,
  covarianceOf,
  eagerEngine,
  type GaussianMixture,
  type Image,
  type ImageShape,
  keyedRandom,
  type Measured,
  mixtureModel,
  mixtureMoments,
  noiseProcess,
  type Operator,
  posteriorMixture,
  type Scheduler,
  type ScoreModel,
  type Step,
  stackTrees,
  type StepRandom,
  type TensorTree,
  tf,
  sizeOf,
} from '@tweedie/core';
import { mixturePrior, namedImages, stepOnce, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const imageShape = [2, 3, 1] as const;
const d = 6;
const container = testContainer();
const operator = (id: string, shape: ImageShape = imageShape): Promise<Operator> =>
  container.plugin('operator', { id }, { imageShape: shape });
const identity = await operator('identity');
const inpaint = await operator('inpaint');
const schedulers: Record<string, Scheduler> = {
  ddpm: await container.plugin('scheduler', { id: 'ddpm', options: { steps: 50 } }),
  ddim: await container.plugin('scheduler', { id: 'ddim', options: { steps: 50, eta: 0.3 } }),
};
const image = namedImages(imageShape);

async function step(
  id: string,
  options: object,
  parts: {
    model: ScoreModel;
    operator: Operator;
    scheduler?: Scheduler;
    drawn?: TensorTree;
    sigmaY?: number;
    index?: number;
  },
) {
  const { model, scheduler = schedulers['ddpm']!, drawn = {}, sigmaY = 0.1, index = 15 } = parts;
  const guidance = await container.plugin('guidance', { id, options: { ...options } });
  const bound = await bindGuidance(guidance, { engine: eagerEngine(), model, operator: parts.operator, scheduler });
  const xt = ({ level }: Step) => image('state', Math.hypot(level.signal * 0.5, level.noise));
  const taken = await stepOnce(bound, { index, problem: { y: image('y', 0.5), sigmaY, drawn }, xt, noise: image });
  return { ...taken, x0hat: taken.x0hat! };
}
/** One draw of an operator, as a batch of the rows that `image` has. */
const operatorRows = (of: Operator): TensorTree => {
  const rows = batchSize(image('y', 1));
  return stackTrees(Array.from({ length: rows }, (_, row) => of.draw(keyedRandom(`row ${row}`))));
};
const distance = (a: Image, b: Image) => Math.max(...a.sub(b).abs().dataSync());

describe.each(['vp', 've'] as const)('on a %s process', (kind) => {
  it.each([
    ['equal', 0.1],
    ['different', [0.05, 0.1, 0.3, 0.2]],
  ])('all paths are one step where A = I, %s variances', async (_name, variances) => {
    const model = await mixturePrior({ imageShape, components: 4, variances, process: { kind } });
    for (const scheduler of Object.values(schedulers)) {
      for (const index of [0, 5, 25, 45]) {
        const xNext = async (path: string) =>
          (await step('exact', { path }, { model, operator: identity, scheduler, index })).xNext;
        const expected = await xNext('closed-form');
        const scale = Math.max(1, ...expected.abs().dataSync());
        expect(distance(await xNext('denoiser'), expected) / scale, `denoiser at ${index}`).toBeLessThan(1e-5);
        expect(distance(await xNext('score'), expected) / scale, `score at ${index}`).toBeLessThan(1e-5);
      }
    }
  });

  it('x0hat of inpainting is E[x0 | xt, y] in float64', async () => {
    const model = await mixturePrior({
      imageShape,
      components: 4,
      variances: [0.05, 0.1, 0.3, 0.2],
      process: { kind },
    });
    const mask = tf.tensor4d([1, 0, 0, 1, 1, 0], [1, 2, 3, 1]);
    for (const index of [2, 20, 45]) {
      const { x0hat, at, xt } = await step('exact', {}, { model, operator: inpaint, drawn: { mask }, index });
      // z and y are measured together: rows of I / sigma, then of M / sigmaY, with unit noise.
      const seen = mask.dataSync();
      const rows = new Float64Array(2 * d * d);
      const values = new Float64Array(2 * d);
      const [z, y] = [xt.dataSync(), image('y', 0.5).dataSync()];
      for (let i = 0; i < d; i++) {
        rows[i * d + i] = 1 / at.level.sigma;
        rows[(d + i) * d + i] = seen[i]! / 0.1;
        values[i] = z[i]! / at.level.signal / at.level.sigma;
        values[d + i] = (seen[i]! * y[i]!) / 0.1;
      }
      const { mean } = mixtureMoments(posteriorMixture(model.mixture!(), rows, values, 1));
      x0hat
        .dataSync()
        .forEach((value, i) => expect(Math.abs(value - mean[i]!), `entry ${i} at ${index}`).toBeLessThan(1e-5));
    }
  });
});

describe('closed form', () => {
  it('without a spectral form, from dense matrices, is the same step', async () => {
    const model = await mixturePrior({ imageShape, components: 4, variances: 0.1 });
    const mask = tf.tensor4d([1, 0, 0, 1, 1, 0], [1, 2, 3, 1]);
    const { svd: _, ...withoutForm } = inpaint;
    const [spectral, dense] = [
      await step('exact', {}, { model, operator: inpaint, drawn: { mask } }),
      await step('exact', {}, { model, operator: withoutForm, drawn: { mask } }),
    ];
    expect(distance(spectral.xNext, dense.xNext)).toBeLessThan(1e-5);
    expect(spectral.cost.forwards).toBe(0);
  });

  it('a mask without noise is one step by both ways, and what it shows is x0hat', async () => {
    const model = await mixturePrior({ imageShape, components: 4, variances: [0.05, 0.1, 0.3, 0.2] });
    const mask = tf.tensor4d([1, 0, 0, 1, 1, 0], [1, 2, 3, 1]);
    const { svd: _, ...withoutForm } = inpaint;
    const [spectral, dense] = [inpaint, withoutForm].map((each) =>
      step('exact', {}, { model, operator: each, drawn: { mask }, sigmaY: 0 }),
    );
    expect(distance((await dense!).xNext, (await spectral!).xNext)).toBeLessThan(1e-4);
    expect(distance((await dense!).x0hat.mul(mask), image('y', 0.5).mul(mask))).toBeLessThan(1e-5);
  });

  it.each([
    ['colorize', 3],
    ['super-resolution', 4],
    ['blur', 4],
  ] as const)('in a basis that is not pixels, with other singular values than 0 and 1: %s', async (id, side) => {
    const shape = [side, side, 3] as const;
    const model = await mixturePrior({ imageShape: shape, components: 4, variances: 0.1 });
    const one = await container.plugin(
      'operator',
      { id, options: id === 'super-resolution' ? { factor: 2 } : {} },
      { imageShape: shape },
    );
    const { svd: _, ...withoutForm } = one;
    const normal = (name: string, numbers: readonly number[]) =>
      tf.tensor(keyedRandom(name).normal('x', sizeOf(numbers)), [1, ...numbers]);
    const xNext = async (a: Operator) => {
      const { sampler, steps } = await bindGuidance(await container.plugin('guidance', { id: 'exact' }), {
        engine: eagerEngine(),
        model,
        operator: a,
        scheduler: schedulers['ddpm']!,
      });
      const same: StepRandom = {
        normal: (purpose: string) => normal(purpose, shape) as Image,
        uniform: () => tf.zeros([1]),
      };
      const problem: Measured = { y: normal('y', one.measurementShape).mul(0.5), sigmaY: 0.1, drawn: {} };
      const at = steps.find(({ index }) => index === 15)!;
      const { state } = await sampler.step(await sampler.start!(problem, at, same), at, problem, same);
      return (state as { xt: Image }).xt;
    };
    expect(distance(await xNext(one), await xNext(withoutForm))).toBeLessThan(1e-4);
  });

  it('a measurement without noise is x0hat', async () => {
    const model = await mixturePrior({ imageShape, components: 4, variances: 0.1 });
    for (const path of ['denoiser', 'score', 'closed-form']) {
      const { x0hat } = await step('exact', { path }, { model, operator: identity, sigmaY: 0 });
      expect(distance(x0hat, image('y', 0.5)), path).toBeLessThan(1e-5);
    }
  });
});

describe('refusals, at plan time', () => {
  const mixture = mixtureModel({
    imageShape,
    process: noiseProcess(),
    mixture: () => Promise.reject(new Error('weights are not read')),
  });
  const { mixture: _, ...network } = mixture;
  const refusal = async (options: object, model: ScoreModel, a: Operator) =>
    (await container.plugin('guidance', { id: 'exact', options: { ...options } })).refuses?.(
      { model, operator: a, scheduler: schedulers['ddpm']! },
      0.1,
    );

  it('a network and a mask have no closed form', async () => {
    expect(await refusal({}, network, inpaint)).toBe(
      'no closed form: the operator is not the identity, and the model is not a prior in closed form (model.mixture)',
    );
    expect(await refusal({}, network, identity)).toBeUndefined();
    expect(await refusal({}, mixture, inpaint)).toBeUndefined();
  });

  it('a path is exact only where it is', async () => {
    for (const path of ['denoiser', 'score']) {
      expect(await refusal({ path }, mixture, inpaint)).toBe(
        `path '${path}' is exact only for A = I; use 'closed-form' with a prior in closed form`,
      );
      expect(await refusal({ path }, network, identity)).toBeUndefined();
    }
  });

  it('nonlinear operators, and large ones without a spectral form', async () => {
    expect(await refusal({}, mixture, { ...inpaint, linear: false })).toBe(
      'no closed form: the operator is not linear',
    );
    const large = { ...mixture, imageShape: [32, 32, 3] as const };
    const { svd: _svd, ...withoutForm } = inpaint;
    expect(await refusal({}, large, withoutForm)).toBe(
      'no closed form: the operator has no svd, and images of 3072 entries exceed the dense limit of 1024',
    );
    expect(await refusal({}, large, inpaint)).toBeUndefined();
  });
});

it('with covariances of low rank the step is that with the full ones, masks and y of each problem its own', async () => {
  const [count, rank] = [3, 2];
  const factors = Float64Array.from({ length: count * d * rank }, (_, at) => {
    const [k, i, j] = [Math.floor(at / (d * rank)), Math.floor(at / rank) % d, at % rank];
    return 0.4 * (1 + j) * Math.cos((2 * Math.PI * (i + 0.25 * k) * (j + 1)) / d);
  });
  const low: GaussianMixture = {
    weights: Float64Array.of(0.2, 0.5, 0.3),
    means: Float64Array.from({ length: count * d }, (_, i) => Math.sin(2 * i)),
    covariance: { kind: 'low-rank', factors, variances: Float64Array.of(0.01, 0.04, 0.09) },
  };
  const matrices = Float64Array.from(Array.from({ length: count }, (_, k) => [...covarianceOf(low, k)]).flat());
  const steps: Image[] = [];
  for (const mixture of [low, { ...low, covariance: { kind: 'full', matrices } as const }]) {
    const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => mixture });
    await model.load?.();
    const drawn = operatorRows(inpaint);
    steps.push((await step('exact', {}, { model, operator: inpaint, drawn, sigmaY: 0.05 })).x0hat);
  }
  expect(distance(steps[0]!, steps[1]!)).toBeLessThan(1e-5);
});

it('a component that no draw of the posterior meets changes nothing, and costs nothing', async () => {
  const near = { weights: [0.5, 0.5], means: [0, 0.3] };
  const withFar = { weights: [0.4, 0.4, 0.2], means: [0, 0.3, 50] };
  const steps: Image[] = [];
  for (const { weights, means } of [near, withFar]) {
    const matrix = Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 0.1 : 0.02));
    const mixture: GaussianMixture = {
      weights: Float64Array.from(weights),
      means: Float64Array.from(means.flatMap((value) => Array<number>(d).fill(value))),
      covariance: { kind: 'full', matrices: Float64Array.from(means.flatMap(() => matrix)) },
    };
    const model = mixtureModel({ imageShape, process: noiseProcess(), mixture: () => mixture });
    await model.load?.();
    steps.push((await step('exact', {}, { model, operator: inpaint, drawn: operatorRows(inpaint) })).x0hat);
  }
  expect(distance(steps[0]!, steps[1]!)).toBeLessThan(1e-6);
});
