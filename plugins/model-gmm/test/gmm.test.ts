import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ConfigError,
  encodeSafetensors,
  processSchema,
  sampleSum,
  type SafetensorsInput,
  tf,
  traced,
  valueAndGrad,
} from '@tweedie/core';
import { testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import manifest from '../plugin.json' with { type: 'json' };

const folder = await mkdtemp(join(tmpdir(), 'gmm-'));
const container = testContainer(folder);
const make = (options: object) => container.plugin('model', { id: 'gmm', options: { ...options } });
const load = async (options: object) => {
  const model = await make(options);
  await model.load?.();
  return model;
};

const shape = [1, 2, 1];
const means = [
  [0, 1],
  [2, -1],
];

describe('parameters by value', () => {
  it('one variance for all, one per component, one per entry, a matrix per component', async () => {
    const covarianceOf = async (options: object) => (await load({ shape, means, ...options })).mixture!().covariance;
    expect(await covarianceOf({ variances: 0.5 })).toEqual({ kind: 'isotropic', variances: Float64Array.of(0.5, 0.5) });
    expect(await covarianceOf({ variances: [0.5, 0.1] })).toEqual({
      kind: 'isotropic',
      variances: Float64Array.of(0.5, 0.1),
    });
    expect(
      await covarianceOf({
        variances: [
          [1, 2],
          [3, 4],
        ],
      }),
    ).toEqual({ kind: 'diagonal', variances: Float64Array.of(1, 2, 3, 4) });
    expect(
      await covarianceOf({
        covariances: [
          [
            [2, 1],
            [1, 2],
          ],
          [
            [1, 0],
            [0, 1],
          ],
        ],
      }),
    ).toEqual({ kind: 'full', matrices: Float64Array.of(2, 1, 1, 2, 1, 0, 0, 1) });
  });

  it('smooth: one Gaussian of mean 0, correlated by distance within a channel', async () => {
    const mixture = (await load({ shape: [1, 3, 2], smooth: { length: Math.sqrt(3), std: 0.5 } })).mixture!();
    const by = (distance: number) => 0.25 * (1 + distance) * Math.exp(-distance);
    const row = (...distances: (number | undefined)[]) =>
      distances.map((distance) => (distance === undefined ? 0 : by(distance)));
    const { covariance } = mixture;
    if (covariance.kind !== 'full') throw new Error(covariance.kind);
    expect([...mixture.means]).toEqual(Array.from({ length: 6 }, () => 0));
    row(0, undefined, 1, undefined, 2, undefined).forEach((value, i) =>
      expect(covariance.matrices[i]).toBeCloseTo(value, 12),
    );
    row(undefined, 1, undefined, 0, undefined, 1).forEach((value, i) =>
      expect(covariance.matrices[18 + i]).toBeCloseTo(value, 12),
    );
  });

  it('weights are equal by default, and sum to one', async () => {
    expect([...(await load({ shape, means, variances: 1 })).mixture!().weights]).toEqual([0.5, 0.5]);
    expect([...(await load({ shape, means, variances: 1, weights: [1, 3] })).mixture!().weights]).toEqual([0.25, 0.75]);
  });

  it('has any shape, no pixel range, and a hash of its numbers', async () => {
    const model = await load({ shape: [1, 1, 2], means, variances: 1 });
    expect(model.imageShape).toEqual([1, 1, 2]);
    expect(model.range).toBeUndefined();
    expect(model.weightsHash()).toMatch(/^[0-9a-f]{64}$/);
    expect(model.weightsHash()).toBe((await load({ shape: [1, 1, 2], means, variances: [1, 1] })).weightsHash());
    expect(model.weightsHash()).not.toBe((await load({ shape: [1, 1, 2], means, variances: 1.001 })).weightsHash());
  });
});

describe('parameters from a file', () => {
  const write = async (name: string, tensors: Record<string, { shape: number[]; data: number[] }>) => {
    const entries = Object.entries(tensors).map(
      ([key, { shape: size, data }]) =>
        [key, { dtype: 'F64', shape: size, data: Float64Array.from(data) } as SafetensorsInput] as const,
    );
    await writeFile(join(folder, name), encodeSafetensors(new Map(entries)));
    return { shape, file: name };
  };
  const stored = { weights: { shape: [2], data: [1, 3] }, means: { shape: [2, 2], data: means.flat() } };

  it.each([
    ['scalar', { shape: [], data: [0.5] }, { variances: 0.5 }],
    ['per component', { shape: [2], data: [0.5, 0.1] }, { variances: [0.5, 0.1] }],
    [
      'per entry',
      { shape: [2, 2], data: [1, 2, 3, 4] },
      {
        variances: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
  ])('variances %s are the same as by value', async (name, variances, byValue) => {
    const fromFile = await load(await write(`${name.replace(' ', '-')}.safetensors`, { ...stored, variances }));
    expect(fromFile.mixture!()).toEqual((await load({ shape, means, weights: [1, 3], ...byValue })).mixture!());
  });

  it('covariances too', async () => {
    const data = [2, 1, 1, 2, 1, 0, 0, 1];
    const fromFile = await load(
      await write('full.safetensors', { ...stored, covariances: { shape: [2, 2, 2], data } }),
    );
    expect(fromFile.mixture!().covariance).toEqual({ kind: 'full', matrices: Float64Array.from(data) });
  });

  it('triangles are covariances, and factors with variances are of low rank', async () => {
    const triangles = { shape: [2, 3], data: [2, 1, 2, 1, 0, 1] };
    const full = await load(await write('triangles.safetensors', { ...stored, triangles }));
    expect(full.mixture!().covariance).toEqual({ kind: 'full', matrices: Float64Array.of(2, 1, 1, 2, 1, 0, 0, 1) });
    const factors = { shape: [2, 2, 1], data: [0.5, -0.5, 0, 1] };
    const variances = { shape: [2], data: [0.1, 0.2] };
    const low = await load(await write('low.safetensors', { ...stored, factors, variances }));
    expect(low.mixture!().covariance).toEqual({
      kind: 'low-rank',
      factors: Float64Array.of(0.5, -0.5, 0, 1),
      variances: Float64Array.of(0.1, 0.2),
    });
  });

  it.each([
    ['angle', { shape: [2, 2, 2], data: [1, 1, 0, 1, 1, 0, 0, 1] }, 'columns 0 and 1 of the factor 0 are not at right'],
    [
      'rank',
      { shape: [2, 2, 3], data: Array<number>(12).fill(0) },
      'factors has 12 numbers, 2 components of 2 entries',
    ],
    ['large', { shape: [2, 2, 1], data: [1e99, 0, 0, 0] }, '1e+99 in factors is too large for float32.'],
  ] as const)('a wrong factor is refused: %s', async (name, factors, message) => {
    const tensors = { ...stored, factors: { ...factors, shape: [...factors.shape], data: [...factors.data] } };
    const file = await write(`factor-${name}.safetensors`, { ...tensors, variances: { shape: [2], data: [1, 1] } });
    await expect(load(file)).rejects.toThrow(`[model/gmm] ${message}`);
  });

  it('what is missing is named', async () => {
    await expect(load(await write('no-means.safetensors', { variances: { shape: [], data: [1] } }))).rejects.toThrow(
      "[model/gmm] no-means.safetensors has no tensor 'means'.",
    );
    await expect(load(await write('no-variances.safetensors', stored))).rejects.toThrow(
      "[model/gmm] no-variances.safetensors has neither 'variances' nor 'covariances'. Store one of them.",
    );
    await expect(load({ shape, file: 'absent.safetensors' })).rejects.toThrow(/absent\.safetensors/);
  });
});

describe('bad parameters', () => {
  it.each([
    [
      { means: [[0, 1, 2]], variances: 1 },
      '[model/gmm] 3 numbers in means are not rows of 2. The shape [1, 2, 1] has 2 entries.',
    ],
    [
      { means, variances: [1, 2, 3] },
      '[model/gmm] variances has 3 numbers, 2 components of 2 entries need 2. Make the sizes agree.',
    ],
    [
      { means, variances: 1, weights: [1] },
      '[model/gmm] weights has 1 numbers, 2 components of 2 entries need 2. Make the sizes agree.',
    ],
    [
      { means: [[0, 1, 2, 3]], variances: [1, 1] },
      '[model/gmm] 4 numbers in means are not rows of 2. The shape [1, 2, 1] has 2 entries.',
    ],
    [
      { means: [[0, 1, 2], [3]], variances: 1 },
      '[model/gmm] the rows of means have 3 and 1 numbers. Make the rows equally long.',
    ],
    [
      { means, variances: 1, file: 'prior.safetensors' },
      '[model/gmm] both file and means are given. Give the parameters by value or in a file.',
    ],
    [{ means }, '[model/gmm] exactly one of variances, covariances and smooth is needed. Give one of them.'],
    [
      {
        means,
        variances: 1,
        covariances: [
          [
            [1, 0],
            [0, 1],
          ],
        ],
      },
      '[model/gmm] exactly one of variances, covariances and smooth is needed. Give one of them.',
    ],
    [
      { variances: 1 },
      '[model/gmm] neither means nor file is given. Give means, one row per component, or a safetensors file.',
    ],
    [
      {
        means,
        covariances: [
          [
            [1, 2],
            [2, 1],
          ],
          [
            [1, 0],
            [0, 1],
          ],
        ],
      },
      '[model/gmm] covariance 0 is not positive definite. Give a symmetric positive definite matrix.',
    ],
    [
      { means: [[1e99, 0]], variances: 1 },
      '[model/gmm] 1e+99 in means is too large for float32. Scale the prior to entries of at most 1000000000000.',
    ],
    [
      { means, variances: 1e99 },
      '[model/gmm] the variance or covariance 1e+99 is too large for float32. Scale the prior to standard deviations of at most 1000000000000.',
    ],
    [
      { smooth: { length: 1, std: 1e200 } },
      '[model/gmm] the variance or covariance Infinity is too large for float32. Scale the prior to standard deviations of at most 1000000000000.',
    ],
    [
      { means, variances: 1, weights: [1e308, 1e308] },
      '[model/gmm] the weights add up to infinity. Give smaller weights; only their ratios matter.',
    ],
    [
      { shape: [256, 256, 3], smooth: { length: 2 } },
      '[model/gmm] smooth needs a matrix of 196608 x 196608 numbers for the shape [256, 256, 3]. Choose a shape of at most 4096 entries.',
    ],
    [
      {
        means,
        covariances: [
          [
            [1, 0],
            [0, 1],
          ],
          [
            [1, 0.9],
            [0, 1],
          ],
        ],
      },
      '[model/gmm] covariance 1 is not symmetric. Give a symmetric positive definite matrix.',
    ],
  ])('%j', async (options, message) => {
    await expect(load({ shape, ...options })).rejects.toThrow(ConfigError);
    await expect(load({ shape, ...options })).rejects.toThrow(message);
  });

  it.each([
    [{ means, variances: -1 }, /variances/],
    [{ means, variances: 1, weights: [0, 1] }, /weights/],
    [{ means, variances: 1, process: { kind: 'vp', sigmaMin: 0 } }, /sigmaMin/],
    // Ran for more than 40 s, without a word.
    [{ means, variances: 1, process: { trainingSteps: 1e9 } }, /trainingSteps/],
    [{ means, variances: 1, variance: 2 }, /variance/],
  ])('%j does not fit the schema', async (options, message) => {
    await expect(make({ shape, ...options })).rejects.toThrow(message);
  });
});

describe('the denoiser', () => {
  it.each(['vp', 've'] as const)('of one Gaussian is the Kalman gain, on a %s process', async (kind) => {
    const covariance = [
      [0.5, 0.2],
      [0.2, 0.3],
    ];
    const model = await load({ shape, means: [means[1]], covariances: [covariance], process: { kind } });
    const level = model.process.levelAt(0.4);
    const z = [0.7, -0.2];
    const xt = tf.tensor4d(
      z.map((value) => value * level.signal),
      [1, 1, 2, 1],
    );
    const [[a, b], [, c]] = [
      [0.5 + 0.16, 0.2],
      [0.2, 0.3 + 0.16],
    ] as const;
    const determinant = a * c - b * b;
    const [u, v] = [z[0]! - 2, z[1]! + 1];
    const solved = [(c * u - b * v) / determinant, (a * v - b * u) / determinant];
    const expected = covariance.map((row, i) => means[1]![i]! + row[0]! * solved[0]! + row[1]! * solved[1]!);
    const { x0hat } = model.predict(xt, traced(level));
    [...x0hat.dataSync()].forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
    const { gradient } = valueAndGrad((x) => [sampleSum(model.predict(x, traced(level)).x0hat), []], xt);
    expect([...gradient.dataSync()].every(Number.isFinite)).toBe(true);
    model.dispose?.();
  });
});

it('its manifest describes the noise process as core does', () => {
  expect(manifest.options.properties.process).toEqual(processSchema);
});
