/** Models, metrics and data sets with one fault each, and what their kits say. */
import { ConfigError, type Dataset, eagerEngine, type Image, type Metric, type ScoreModel, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { datasetChecks, failuresOf, metricChecks, mixturePrior, modelChecks, modelSubject } from '../src/index.ts';

describe('describeModel', () => {
  const failing = async (change: (model: ScoreModel) => Partial<ScoreModel>) => {
    const make = async (): Promise<ScoreModel> => {
      const model = await mixturePrior({ imageShape: [2, 3, 1], components: 3, variances: 0.1 });
      return { ...model, ...change(model) };
    };
    return failuresOf(
      modelChecks,
      await modelSubject(
        { name: 'model/mine', manifest: { provides: ['model.gradient', 'model.mixture'] }, make },
        eagerEngine(),
      ),
    );
  };

  it('passes a closed-form prior', async () => {
    expect(await failing(() => ({}))).toEqual([]);
  });

  it.each<[string, (model: ScoreModel) => Partial<ScoreModel>, readonly string[], RegExp]>([
    [
      'epsilon in other units',
      ({ predict }) => ({
        predict: (xt, level) => {
          const { x0hat, epsilon } = predict(xt, level);
          return { x0hat, epsilon: epsilon.mul(level.noise) };
        },
      }),
      ['xt = signal x0hat + noise epsilon'],
      /^signal x0hat \+ noise epsilon is [\d.e-]+ \(relative\) away from xt at sigma/,
    ],
    [
      'a gradient that stops',
      ({ predict }) => ({
        predict: (xt, level) =>
          predict(
            tf.customGrad((x) => ({ value: (x as Image).clone(), gradFunc: (dy: Image) => dy.mul(0.5) }))(xt) as Image,
            level,
          ),
      }),
      ['the gradient is what differences say'],
      /^the gradient of x0hat along a direction differs from the difference quotient by 0\.\d+ of its size/,
    ],
    [
      'another mixture than its prior',
      ({ mixture }) => ({
        mixture: () => ({
          ...(mixture?.() ?? { weights: new Float64Array(0), means: new Float64Array(0) }),
          covariance: { kind: 'isotropic', variances: new Float64Array(3).fill(0.4) },
        }),
      }),
      ['with a closed form, x0hat is E[x0 | xt]'],
      /^x0hat differs by [\d.e-]+ \(relative\) from the mean of `mixture\(\)`/,
    ],
    [
      'weights that stay',
      () => ({ dispose: () => undefined }),
      ['it leaves no tensors behind'],
      /^\d+ tensors remain after `dispose`/,
    ],
    [
      'no mixture',
      () => ({ mixture: undefined }) as never,
      ['it provides what its manifest says'],
      /^its manifest provides model\.mixture, and the model has no `mixture`/,
    ],
    [
      'one shape where another was asked for',
      (model) => ({ sizes: { multipleOf: 2, forShape: () => model } }),
      ['a model of any size keeps its shape, its weights and its numbers'],
      /^sizes\.forShape\(\[4, 7, 1\]\) gives a model of \[2, 3, 1\]/,
    ],
    [
      'a size without a network for it',
      (model) => ({ sizes: { multipleOf: 0.5, forShape: (imageShape) => ({ ...model, imageShape }) } }),
      ['a model of any size keeps its shape, its weights and its numbers'],
      /^sizes\.multipleOf is 0\.5, and a whole number above 0 is wanted/,
    ],
  ])('catches %s', async (_fault, change, fails, says) => {
    const found = await failing(change);
    expect(found.map(({ name }) => name).toSorted()).toEqual(fails.toSorted());
    expect(found[0]?.message).toMatch(says);
  });
});

describe('describeMetric', () => {
  const error = (x: Image, reference: Image): readonly number[] =>
    tf.tidy(() => Array.from(x.sub(reference).square().mean([1, 2, 3]).dataSync()));
  const good: Metric = {
    better: 'lower',
    compare: async (x, reference) => {
      if (x.shape.join() !== reference.shape.join()) throw new ConfigError('metric/mine', 'shapes differ.', '');
      return error(x, reference);
    },
  };
  const failing = (metric: Partial<Metric>) =>
    failuresOf(metricChecks, {
      name: 'metric/mine',
      metric: { ...good, ...metric },
      makeUnbounded: async () => ({ ...good, ...metric }),
      range: [-1, 1],
      imageShape: [4, 4, 1],
      best: 0,
      symmetric: true,
      worked: [{ shape: [1, 1, 2], x: [0, 1], reference: 0, value: 0.5 }],
    });

  it('passes the mean squared error', async () => {
    expect(await failing({})).toEqual([]);
  });

  it.each<[string, Partial<Metric>, readonly string[], RegExp]>([
    [
      'the wrong direction',
      { better: 'higher' },
      ['more noise is worse'],
      /^`better` is 'higher', but noise of 0\.02 scores [\d.]+ and noise of 0\.1 scores/,
    ],
    [
      'a mean over the batch',
      {
        compare: async (x, reference) => {
          const all = await good.compare(x, reference);
          return all.map(() => all.reduce((a, b) => a + b, 0) / all.length);
        },
      },
      ['it gives one number per sample, whatever the batch', 'more noise is worse'],
      /^a pair scores [\d.]+ alone and [\d.]+ beside two others: something is taken over the batch/,
    ],
    [
      'a NaN that is hidden',
      {
        compare: async (x, reference) =>
          (await good.compare(x, reference)).map((value) => (Number.isNaN(value) ? 0 : value)),
      },
      ['a number that is not finite is not hidden'],
      /^an image of NaN scores 0/,
    ],
    [
      'clipping without a range',
      {
        compare: (x, reference) =>
          good.compare(...([x, reference].map((image) => tf.clipByValue(image, -1, 1)) as [Image, Image])),
      },
      ['images without a range are not clipped', 'it leaves no tensors behind'],
      /^images of 2 and of 2.5 score 0, equal ones 0: clip to the range in the context/,
    ],
    [
      'a tensor left',
      { compare: (x, reference) => (tf.zeros([1]), good.compare(x, reference)) },
      ['it leaves no tensors behind'],
      /^a comparison leaves 1 tensors behind/,
    ],
  ])('catches %s', async (_fault, metric, fails, says) => {
    const found = await failing(metric);
    expect(found.map(({ name }) => name).toSorted()).toEqual(fails.toSorted());
    expect(found[0]?.message).toMatch(says);
  });
});

describe('describeDataset', () => {
  const make = (change: Partial<Dataset>): Dataset => ({
    imageShape: [2, 2, 1],
    size: 5,
    item: async (index) => {
      if (!Number.isInteger(index) || index < 0 || index > 4)
        throw new ConfigError('dataset/mine', `there is no image ${index}.`, '');
      return { name: `image ${index}`, x0: new Float32Array(4).fill(index / 5) };
    },
    ...change,
  });
  const failing = (change: (dataset: Dataset) => Partial<Dataset>) => {
    const again = (): Dataset => make(change(make({})));
    return failuresOf(datasetChecks, { name: 'dataset/mine', dataset: again(), again: async () => again() });
  };
  let calls = 0;
  const shared = new Float32Array(4);

  it('passes a data set in order', async () => {
    expect(await failing(() => ({}))).toEqual([]);
  });

  it.each<[string, (dataset: Dataset) => Partial<Dataset>, readonly string[], RegExp]>([
    [
      'bytes instead of [-1, 1]',
      ({ item }) => ({ item: async (index) => ({ ...(await item(index)), x0: new Float32Array(4).fill(128) }) }),
      ['images have the shape it says and numbers in [-1, 1]'],
      /^image 0 \(image 0\) holds 128, outside \[-1, 1\]/,
    ],
    [
      'names that repeat',
      ({ item }) => ({ item: async (index) => ({ ...(await item(index)), name: 'image' }) }),
      ['no two images have one name'],
      /^images 0 and 1 are both called "image"/,
    ],
    [
      'other images each time',
      ({ item }) => ({
        item: async (index) => ({ ...(await item(index)), x0: new Float32Array(4).fill((calls++ % 97) / 97) }),
      }),
      ['names and images are the same each time, in any order of asking', 'who changes an image changes no other'],
      /^image 4 is "image 4" and, made again, "image 4" with other numbers/,
    ],
    [
      'an array that is shared',
      ({ item }) => ({ item: async (index) => ({ name: (await item(index)).name, x0: shared }) }),
      ['who changes an image changes no other'],
      /^image 0 changed \(its first number from 0 to 0\.5\) when a caller wrote into/,
    ],
    [
      'images of another shape than it says',
      () => ({ shapeOf: (index) => (index === 3 ? [2, 3, 1] : [2, 2, 1]) }),
      ['images have the shape it says and numbers in [-1, 1]'],
      /^image 3 \(image 3\) has 4 numbers, and 6 float32 ones are wanted for the shape \[2, 3, 1\]/,
    ],
    [
      'a first image of another shape',
      () => ({ shapeOf: () => [1, 4, 1] }),
      ['images have the shape it says and numbers in [-1, 1]'],
      /^imageShape is \[2, 2, 1\], and the first image is \[1, 4, 1\]/,
    ],
    [
      'no end',
      () => ({ item: async (index) => ({ name: `image ${index}`, x0: new Float32Array(4) }) }),
      ['an image that is not there is refused'],
      /^item\(5\) of 5 images gives an image/,
    ],
  ])('catches %s', async (_fault, change, fails, says) => {
    const found = await failing(change);
    expect(found.map(({ name }) => name).toSorted()).toEqual(fails.toSorted());
    expect(found[0]?.message).toMatch(says);
  });
});
