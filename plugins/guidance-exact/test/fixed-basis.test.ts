/** Masks on fixed orthonormal transforms: compressed sensing, Fourier sampling, magnetic resonance imaging. */
import {
  bindGuidance,
  type Covariance,
  eagerEngine,
  type ImageShape,
  keyedRandom,
  mixtureModel,
  mixtureMoments,
  noiseProcess,
  type Operator,
  posteriorMixture,
  type ScoreModel,
  sizeOf,
  type Tensor,
  tf,
} from '@tweedie/core';
import { namedImages, stepOnce, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const container = testContainer();
const scheduler = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 50 } });
const exact = await container.plugin('guidance', { id: 'exact' });
const SIGMA_Y = 0.1;

/** The columns of an orthonormal [n, n] matrix, row-major: cosines (DCT-II), Hartley's form of the DFT, or random. */
const axes = {
  cosines: (n: number) =>
    matrix(n, (i, k) => Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * (i + 0.5) * k) / n)),
  fourier: (n: number) =>
    matrix(n, (i, k) => (Math.cos((2 * Math.PI * i * k) / n) + Math.sin((2 * Math.PI * i * k) / n)) / Math.sqrt(n)),
  random: (n: number) => orthonormal(Float64Array.from(keyedRandom('random transform').normal('v', n * n)), n),
};
const matrix = (n: number, at: (i: number, k: number) => number) =>
  Float64Array.from({ length: n * n }, (_, index) => at(Math.floor(index / n), index % n));
/** Gram-Schmidt, twice over so that float64 holds. */
function orthonormal(values: Float64Array, n: number): Float64Array {
  const rows: Float64Array[] = [];
  for (let i = 0; i < n; i++) {
    let row = values.slice(i * n, (i + 1) * n);
    for (const other of [...rows, ...rows]) {
      const along = row.reduce((sum, value, j) => sum + value * other[j]!, 0);
      row = row.map((value, j) => value - along * other[j]!);
    }
    const length = Math.hypot(...row);
    rows.push(row.map((value) => value / length));
  }
  return Float64Array.from(rows.flatMap((row) => [...row]));
}
/** The transform of an image of one channel, along both axes at once: V [d, d]. */
const kronecker = (a: Float64Array, b: Float64Array, m: number, n: number): Float64Array =>
  matrix(m * n, (i, k) => a[Math.floor(i / n) * m + Math.floor(k / n)]! * b[(i % n) * n + (k % n)]!);

type Drawn = { readonly gains: Tensor };

/** y = g * V^T x with gains g, most of them 0, that are drawn: V is fixed, q is not. */
function sampled(v: Float64Array, imageShape: ImageShape, basis: 'fixed' | 'drawn' = 'fixed'): Operator {
  const d = sizeOf(imageShape);
  const transform = () => tf.tensor2d(Float32Array.from(v), [d, d]);
  const toSpectral = (x: Tensor): Tensor => x.reshape([-1, d]).matMul(transform());
  const operator: Operator<Drawn> = {
    linear: true,
    measurementShape: [d],
    draw: (random) => ({
      gains: tf.tensor1d(Float32Array.from(random.uniform('gains', d), (u) => (u < 0.5 ? 0 : 2 * u - 0.5))),
    }),
    forward: (x, { gains }) => toSpectral(x).mul(gains),
    svd: ({ gains }) => ({
      basis,
      singularValues: gains,
      toSpectral,
      fromSpectral: (c) => c.matMul(transform(), false, true).reshape([-1, ...imageShape]) as tf.Tensor4D as never,
      measurementToSpectral: (y) => y.mul(gains.sign()),
    }),
  };
  return operator as Operator;
}

async function priorOf(imageShape: ImageShape, covariance: Covariance): Promise<ScoreModel> {
  const d = sizeOf(imageShape);
  const model = mixtureModel({
    imageShape,
    process: noiseProcess(),
    mixture: () => ({
      weights: Float64Array.of(0.5, 0.3, 0.2),
      means: Float64Array.from(keyedRandom('means').normal('means', 3 * d), (value) => value / 2),
      covariance,
    }),
    covariance: covariance.kind,
  });
  await model.load?.();
  return model;
}

const isotropic: Covariance = { kind: 'isotropic', variances: Float64Array.of(0.05, 0.1, 0.3) };
const shared: Covariance = { kind: 'isotropic', variances: Float64Array.of(0.1, 0.1, 0.1) };
/** V diag(s_k) V^T with variances from 0.02 to 1 along the axes of V. */
function stationary(v: Float64Array, d: number): Covariance {
  const s = [0, 1, 2].map((k) =>
    keyedRandom('spectrum')
      .uniform(`s ${k}`, d)
      .map((u) => 0.02 + 0.98 * u ** 2),
  );
  const matrices = s.map((own) =>
    matrix(d, (i, j) => own.reduce((sum, value, a) => sum + value * v[i * d + a]! * v[j * d + a]!, 0)),
  );
  return { kind: 'full', matrices: Float64Array.from(matrices.flatMap((one) => [...one])) };
}

const imageShape = [4, 5, 1] as const;
const d = 20;

describe.each(['cosines', 'fourier', 'random'] as const)('samples of a transform: %s', (name) => {
  const v = name === 'random' ? axes.random(d) : kronecker(axes[name](4), axes[name](5), 4, 5);
  const operator = sampled(v, imageShape);
  const drawn = { gains: tf.expandDims((operator.draw(keyedRandom('a problem')) as Drawn).gains) };
  const image = namedImages(imageShape);
  const y = image('y', 0.5).reshape([1, d]).mul(drawn.gains.sign());

  it.each([
    ['isotropic covariances', isotropic],
    ['equal isotropic covariances', shared],
    ['full covariances that V makes diagonal', stationary(v, d)],
  ])('x0hat is E[x0 | xt, y] of the dense closed form in float64, %s', async (_name, covariance) => {
    const model = await priorOf(imageShape, covariance);
    for (const index of [2, 20, 45]) {
      const bound = await bindGuidance(exact, { engine: eagerEngine(), model, operator, scheduler });
      const { x0hat, at, xt } = await stepOnce(bound, {
        index,
        problem: { y, sigmaY: SIGMA_Y, drawn },
        xt: ({ level }) => image('state', Math.hypot(level.signal * 0.5, level.noise)),
        noise: image,
      });
      // z and y are measured together: rows of I / sigma, then of diag(g) V^T / sigmaY, with unit noise.
      const rows = new Float64Array(2 * d * d);
      const values = new Float64Array(2 * d);
      const [z, gains, measured] = [xt.dataSync(), drawn.gains.dataSync(), y.dataSync()];
      for (let i = 0; i < d; i++) {
        rows[i * d + i] = 1 / at.level.sigma;
        values[i] = z[i]! / at.level.signal / at.level.sigma;
        for (let j = 0; j < d; j++) rows[(d + i) * d + j] = (gains[i]! * v[j * d + i]!) / SIGMA_Y;
        values[d + i] = measured[i]! / SIGMA_Y;
      }
      const { mean } = mixtureMoments(posteriorMixture(model.mixture!(), rows, values, 1));
      const largest = Math.max(1, ...mean.map(Math.abs));
      x0hat!
        .dataSync()
        .forEach((value, i) =>
          expect(Math.abs(value - mean[i]!) / largest, `entry ${i} at ${index}`).toBeLessThan(2e-5),
        );
      // One call a step: the singular basis. Dense matrices would take d at the start and none here.
      expect(bound.cost().operatorCalls).toBe(1);
    }
  });
});

describe('beyond the dense limit', () => {
  const large = [30, 36, 1] as const;
  const n = 30 * 36;
  const v = kronecker(axes.cosines(30), axes.cosines(36), 30, 36);
  const parts = (model: ScoreModel, operator: Operator) => ({ engine: eagerEngine(), model, operator, scheduler });
  const tooLarge = 'and images of 1080 entries exceed the dense limit of 1024';

  it('isotropic covariances are served: what a measurement without noise shows is x0hat', async () => {
    const model = await priorOf(large, isotropic);
    const operator = sampled(v, large);
    expect(exact.refuses?.(parts(model, operator), 0)).toBeUndefined();
    const drawn = { gains: tf.expandDims((operator.draw(keyedRandom('a problem')) as Drawn).gains) };
    const image = namedImages(large);
    const y = operator.forward(image('x0', 0.5), drawn);
    const { x0hat, cost } = await stepOnce(await bindGuidance(exact, parts(model, operator)), {
      index: 15,
      problem: { y, sigmaY: 0, drawn },
      xt: ({ level }) => image('state', Math.hypot(level.signal * 0.5, level.noise)),
      noise: image,
    });
    expect(cost.operatorCalls).toBe(1);
    expect(operator.forward(x0hat!, drawn).sub(y).abs().max().dataSync()[0]).toBeLessThan(1e-4);
  });

  it('a basis that changes with the draw is refused at plan time, whatever the prior', async () => {
    const drawnBasis = sampled(v, large, 'drawn');
    const reason = `no closed form: the basis of this operator's svd changes with what is drawn, ${tooLarge}`;
    for (const covariance of [isotropic, { kind: 'diagonal', variances: new Float64Array(3 * n).fill(0.1) } as const])
      expect(exact.refuses?.(parts(await priorOf(large, covariance), drawnBasis), 0.1)).toBe(reason);
  });

  it('full covariances in pixels are refused at plan time', async () => {
    const inpaint = await container.plugin('operator', { id: 'inpaint' }, { imageShape: large });
    const unread = mixtureModel({
      imageShape: large,
      process: noiseProcess(),
      mixture: () => Promise.reject(new Error('weights are not read')),
      covariance: 'full',
    });
    expect(exact.refuses?.(parts(unread, inpaint), 0.1)).toBe(
      `no closed form: full covariances are not diagonal in pixels, the basis of this operator, ${tooLarge}`,
    );
  });

  it('diagonal covariances that the basis mixes are refused when their numbers are read', async () => {
    const variances = keyedRandom('variances')
      .uniform('u', 3 * n)
      .map((u) => 0.1 + u);
    const model = await priorOf(large, { kind: 'diagonal', variances });
    expect(exact.refuses?.(parts(model, sampled(v, large)), 0.1)).toBeUndefined();
    await expect(bindGuidance(exact, parts(model, sampled(v, large)))).rejects.toThrow(
      `no closed form: diagonal covariances are not diagonal in the basis of this operator's svd, ${tooLarge}.`,
    );
  });

  it('diagonal covariances that colorize leaves diagonal are served, and are the dense step', async () => {
    for (const colour of [
      [3, 4, 3],
      [18, 20, 3],
    ] as const) {
      const colorize = await container.plugin('operator', { id: 'colorize' }, { imageShape: colour });
      // One variance for the three channels of a pixel.
      const size = sizeOf(colour);
      const variances = Float64Array.from({ length: 3 * size }, (_, i) => 0.1 + (Math.floor(i / 3) % 7) / 10);
      const model = await priorOf(colour, { kind: 'diagonal', variances });
      const bound = await bindGuidance(exact, parts(model, colorize));
      if (size > 1024) continue;
      const image = namedImages(colour);
      const numbers = keyedRandom('y').normal('y', sizeOf(colorize.measurementShape));
      const y = tf.tensor(numbers, [1, ...colorize.measurementShape]).mul(0.5);
      const { svd: _, ...withoutForm } = colorize;
      const means = [bound, await bindGuidance(exact, parts(model, withoutForm))].map(async (one) => {
        const { sampler, steps } = one;
        const at = steps.find(({ index }) => index === 15)!;
        const random = { normal: () => image('noise') as never, uniform: () => tf.zeros([1]) };
        const problem = { y, sigmaY: SIGMA_Y, drawn: {} };
        return (await sampler.step(await sampler.start!(problem, at, random), at, problem, random)).x0hat!;
      });
      const [spectral, dense] = await Promise.all(means);
      expect(spectral!.sub(dense!).abs().max().dataSync()[0]).toBeLessThan(2e-5);
      expect(bound.cost().operatorCalls).toBe(1);
    }
  });
});
