import {
  bindGuidance,
  conflict,
  eagerEngine,
  type GaussianMixture,
  type Image,
  keyedRandom,
  knownPosteriors,
  mixtureModel,
  mixtureMoments,
  noiseProcess,
  type Operator,
  posteriorMixture,
  type Problem,
  type ScoreModel,
  tf,
} from '@tweedie/core';
import { bind, mixturePrior, randomProblems, relativeDifference, sampleRows, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const container = testContainer();
const engine = eagerEngine();
const scheduler = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 20 } });
const methods = {
  draw: await container.plugin('guidance', { id: 'posterior' }),
  mean: await container.plugin('guidance', { id: 'posterior', options: { statistic: 'mean' } }),
};
const run = async (
  parts: { model: ScoreModel; operator: Operator },
  problem: Problem,
  { statistic = 'draw', count = 1 }: { statistic?: keyof typeof methods; count?: number } = {},
) => {
  const bound = await bind(methods[statistic], { engine, scheduler, ...parts });
  const result = await sampleRows(
    bound,
    new Array<Problem>(count).fill(problem),
    Array.from({ length: count }, (_, i) => i),
  );
  bound.bound.dispose();
  return result;
};

async function modelOf(mixture: GaussianMixture, d: number): Promise<ScoreModel> {
  const model = mixtureModel({ imageShape: [1, d, 1], process: noiseProcess(), mixture: () => mixture });
  await model.load?.();
  return model;
}

/** Moments of draws beside true ones, each within `sigmas` of its own standard errors. */
function expectMoments(rows: readonly ArrayLike<number>[], mean: Float64Array, covariance: Float64Array): void {
  const [n, d] = [rows.length, mean.length];
  for (let i = 0; i < d; i++) {
    const own = rows.reduce((sum, row) => sum + row[i]!, 0) / n;
    expect(Math.abs(own - mean[i]!), `mean ${i}`).toBeLessThan(4.5 * Math.sqrt(covariance[i * d + i]! / n));
    for (let j = 0; j <= i; j++) {
      const products = rows.map((row) => (row[i]! - mean[i]!) * (row[j]! - mean[j]!));
      const average = products.reduce((sum, value) => sum + value, 0) / n;
      const spread = Math.sqrt(products.reduce((sum, value) => sum + (value - average) ** 2, 0) / n / n);
      expect(Math.abs(average - covariance[i * d + j]!), `covariance ${i} ${j}`).toBeLessThan(4.5 * spread);
    }
  }
}

describe('one Gaussian and a mask', () => {
  // N(m, C) with correlated neighbours; entries 0 and 2 are seen.
  const matrices = Float64Array.of(1, 0.6, 0.2, 0.6, 1, 0.6, 0.2, 0.6, 1);
  const means = Float64Array.of(0.5, -0.5, 0.25);
  const sigmaY = 0.3;
  const drawn = { mask: tf.tensor3d([1, 0, 1], [1, 3, 1]) };
  const problem: Problem = {
    hash: 'one Gaussian',
    name: 'one Gaussian',
    operator: 'mask',
    sigmaY,
    x0: tf.zeros([1, 3, 1]),
    y: tf.tensor3d([1, 0, -0.2], [1, 3, 1]),
    drawn,
  };
  // By hand: S = C_oo + 0.09 I = [[1.09, 0.2], [0.2, 1.09]], gain C_.o S^-1, r = y - m_o = (0.5, -0.45).
  const determinant = 1.09 ** 2 - 0.2 ** 2;
  const inverse = [1.09 / determinant, -0.2 / determinant, -0.2 / determinant, 1.09 / determinant] as const;
  const cross = [
    [1, 0.2],
    [0.6, 0.6],
    [0.2, 1],
  ] as const;
  const gains = cross.map(([a, b]) => [a * inverse[0] + b * inverse[2], a * inverse[1] + b * inverse[3]] as const);
  const mean = Float64Array.from(gains, ([a, b], i) => means[i]! + a * 0.5 + b * -0.45);
  const covariance = Float64Array.from({ length: 9 }, (_, index) => {
    const [i, j] = [Math.floor(index / 3), index % 3];
    return matrices[index]! - gains[i]![0] * cross[j]![0] - gains[i]![1] * cross[j]![1];
  });

  it('draws have its mean and covariance by hand, and no sample calls the network', async () => {
    const operator = await container.plugin('operator', { id: 'inpaint' }, { imageShape: [1, 3, 1] });
    const model = await modelOf({ weights: Float64Array.of(1), means, covariance: { kind: 'full', matrices } }, 3);
    const { rows, cost } = await run({ model, operator }, problem, { count: 6000 });
    expectMoments(rows, mean, covariance);
    expect([cost.forwards, cost.vjps]).toEqual([0, 0]);
    const ceiling = await run({ model, operator }, problem, { statistic: 'mean' });
    expect(relativeDifference(ceiling.rows[0]!, mean)).toBeLessThan(1e-6);
  });
});

describe('a mixture', () => {
  const shape = [4, 6, 1] as const;

  it.each([
    ['blur', { kernel: 'gaussian', std: 1 }],
    ['super-resolution', { factor: 2 }],
    ['inpaint', { rate: 0.5 }],
    ['identity', {}],
  ])('%s: the form in its own basis is that of dense matrices', async (id, options) => {
    const operator = await container.plugin('operator', { id, options }, { imageShape: shape });
    const model = await mixturePrior({ imageShape: shape, components: 3, variances: [0.04, 0.1, 0.3] });
    const { svd: _, ...withoutForm } = operator;
    const [problem] = randomProblems(operator, shape, 1, 0.3);
    const measured = (p: Problem) => ({
      y: tf.expandDims(p.y),
      sigmaY: p.sigmaY,
      drawn: Object.fromEntries(Object.entries(p.drawn).map(([k, v]) => [k, tf.expandDims(v as tf.Tensor)])),
    });
    const laws = [];
    for (const each of [operator, withoutForm]) {
      const known = await knownPosteriors(engine, { model, operator: each });
      if (typeof known === 'string') throw new Error(known);
      const { law } = await known.of(measured(problem!));
      const moments = mixtureMoments(law);
      // Back in pixels: the mean, and the covariance by its columns' images.
      const images = await known.toImages([moments.mean]);
      laws.push({ weights: law.weights, mean: images.dataSync(), trace: trace(moments.covariance) });
    }
    const [own, dense] = laws;
    expect(own!.weights).toHaveLength(dense!.weights.length);
    expect(relativeDifference(own!.weights, dense!.weights)).toBeLessThan(1e-4);
    expect(relativeDifference(own!.mean, dense!.mean)).toBeLessThan(1e-5);
    expect(own!.trace / dense!.trace).toBeCloseTo(1, 5);
  });

  it('components are drawn by their weights, and those in basis of a blur come back as images', async () => {
    const operator = await container.plugin(
      'operator',
      { id: 'blur', options: { kernel: 'gaussian', std: 1 } },
      { imageShape: shape },
    );
    const model = await mixturePrior({ imageShape: shape, components: 4, variances: 0.02 });
    // So much noise that every component counts.
    const [problem] = randomProblems(operator, shape, 1, 3);
    const { rows } = await run({ model, operator }, problem!, { count: 3000 });
    const matrix = new Float64Array(24 * 24);
    for (let j = 0; j < 24; j++) {
      const unit: Image = tf.tensor(
        Float32Array.from({ length: 24 }, (_, i) => Number(i === j)),
        [1, ...shape],
      );
      const column = operator.forward(unit, {}).dataSync();
      for (let i = 0; i < 24; i++) matrix[i * 24 + j] = column[i]!;
    }
    const truth = posteriorMixture(model.mixture!(), matrix, Float64Array.from(problem!.y.dataSync()), 3);
    const { mean, covariance } = mixtureMoments(truth);
    expectMoments(rows, mean, covariance);
    const nearest = (row: Float32Array) => {
      const distances = [0, 1, 2, 3].map((k) =>
        row.reduce((sum, value, i) => sum + (value - truth.means[k * 24 + i]!) ** 2, 0),
      );
      return distances.indexOf(Math.min(...distances));
    };
    const found = rows.map(nearest);
    truth.weights.forEach((weight, k) => {
      const share = found.filter((each) => each === k).length / rows.length;
      expect(Math.abs(share - weight)).toBeLessThan(4 * Math.sqrt((weight * (1 - weight)) / rows.length) + 1e-3);
    });
  });

  it('a covariance without full rank is drawn from as well: a measurement without noise', async () => {
    const matrices = Float64Array.of(1, 0.5, 0.5, 1);
    const mixture: GaussianMixture = {
      weights: Float64Array.of(1),
      means: new Float64Array(2),
      covariance: { kind: 'full', matrices },
    };
    const operator = await container.plugin('operator', { id: 'inpaint' }, { imageShape: [1, 2, 1] });
    const problem: Problem = {
      hash: 'no noise',
      name: 'no noise',
      operator: 'mask',
      sigmaY: 0,
      x0: tf.zeros([1, 2, 1]),
      y: tf.tensor3d([2, 0], [1, 2, 1]),
      drawn: { mask: tf.tensor3d([1, 0], [1, 2, 1]) },
    };
    const { rows, failures } = await run({ model: await modelOf(mixture, 2), operator }, problem, { count: 2000 });
    expect(failures.every((failure) => failure === undefined)).toBe(true);
    expect(Math.max(...rows.map((row) => Math.abs(row[0]! - 2)))).toBeLessThan(1e-4);
    const hidden = rows.map((row) => row[1]!);
    const mean = hidden.reduce((a, b) => a + b, 0) / hidden.length;
    // N(1, 3/4) given the first entry.
    expect(Math.abs(mean - 1)).toBeLessThan(4 * Math.sqrt(0.75 / 2000));
    expect(hidden.reduce((sum, value) => sum + (value - 1) ** 2, 0) / 2000 / 0.75).toBeCloseTo(1, 0);
  });
});

describe('where the posterior is not known', async () => {
  const shape = [4, 6, 1] as const;
  const model = await mixturePrior({ imageShape: shape, components: 3, variances: 0.1 });
  const operator = await container.plugin('operator', { id: 'inpaint' }, { imageShape: shape });
  const manifests = { guidance: container.registry.find('guidance', 'posterior') };
  const refusal = (parts: { model?: ScoreModel; operator?: Operator; noise?: number | { poisson: number } }) =>
    conflict({ model, operator, scheduler, noise: 0.1, ...parts, guidance: methods.draw }, manifests);

  it('it says so before anything runs', () => {
    const { mixture: _, ...network } = model;
    expect(refusal({})).toBeUndefined();
    expect(refusal({ model: network })).toBe('it needs model.mixture; the model has no mixture');
    expect(refusal({ operator: { ...operator, linear: false } })).toBe(
      'it needs operator.linear; the operator has no linear',
    );
    expect(refusal({ noise: { poisson: 1 } })).toBe("it needs noise.gaussian; the noise is Poisson's");
    const { svd: __, ...withoutForm } = operator;
    expect(refusal({ model: { ...model, imageShape: [32, 33, 1] }, operator: withoutForm })).toBe(
      'no closed form: the operator has no svd, and images of 1056 entries exceed the dense limit of 1024',
    );
  });

  it('or when the numbers of the prior are read', async () => {
    const large = [30, 36, 1] as const;
    const n = 1080;
    const prior = mixtureModel({
      imageShape: large,
      process: noiseProcess(),
      covariance: 'diagonal',
      mixture: () => ({
        weights: Float64Array.of(1),
        means: new Float64Array(n),
        covariance: { kind: 'diagonal', variances: keyedRandom('v').uniform('u', n) },
      }),
    });
    await prior.load?.();
    const blur = await container.plugin(
      'operator',
      { id: 'blur', options: { kernel: 'gaussian', std: 1 } },
      { imageShape: large },
    );
    await expect(bindGuidance(methods.draw, { engine, model: prior, operator: blur, scheduler })).rejects.toThrow(
      /^\[guidance\/posterior\] no closed form: diagonal covariances are not diagonal .* Use smaller images, or leave this row out\.$/,
    );
  });
});

const trace = (covariance: Float64Array): number => {
  const d = Math.sqrt(covariance.length);
  return covariance.reduce((sum, value, i) => sum + (i % (d + 1) === 0 ? value : 0), 0);
};
