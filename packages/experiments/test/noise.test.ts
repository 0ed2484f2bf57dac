import { describe, expect, it } from 'vitest';
import { ConfigError } from '@tweedie/core';
import { plan, type ExperimentInput } from '../src/index.ts';
import { parseSigma, warnOfUnits } from '../src/recipe/noise.ts';

const recipe: ExperimentInput = {
  model: { id: 'gmm', options: { shape: [1, 2, 1], means: [[0, 0]], variances: [1] } },
  images: { from: 'prior', count: 1 },
  operators: ['identity'],
  sigmaY: 0.1,
  methods: ['none'],
};
const levelsOf = async (sigmaY: ExperimentInput['sigmaY']): Promise<readonly number[]> =>
  (await plan({ recipe: { ...recipe, sigmaY } })).rows.map((row) => row.sigmaY);
const warnings = (given: Parameters<typeof warnOfUnits>[0], range: readonly [number, number] = [-1, 1]) => {
  const said: string[] = [];
  warnOfUnits(given, range, (message) => said.push(message));
  return said;
};

describe('sigmaY', () => {
  it('is a number or a fraction, which is the number that it says', async () => {
    expect(await levelsOf('25/255')).toEqual([25 / 255]);
    expect(await levelsOf([' 12.75 / 127.5 ', '1/4'])).toEqual([0.1, 0.25]);
    expect(['0.2', '1e-2', 0].map(parseSigma)).toEqual([0.2, 0.01, 0]);
    expect(['', ' ', 'x', '-1', '1/0', '0/0', '1/-2', '1/2/3', 'Infinity', NaN, -1].map(parseSigma)).toEqual(
      Array.from({ length: 11 }, () => undefined),
    );
  });

  it('is refused where it is neither, or twice the same', async () => {
    await expect(levelsOf('25 grey')).rejects.toThrow(
      new ConfigError(
        'experiment /sigmaY',
        '"25 grey" is no standard deviation.',
        'Give a number of at least 0, or a fraction such as 25/255.',
      ),
    );
    await expect(levelsOf([0.1, '1/0'])).rejects.toThrow('[experiment /sigmaY/1] "1/0" is no standard deviation.');
    await expect(levelsOf([0.1, '1/10'])).rejects.toThrow(
      '[experiment /sigmaY/1] a second noise level is 0.1. Keep one.',
    );
    await expect(levelsOf([])).rejects.toThrow(ConfigError);
  });

  it('may name a level of its own by a fraction', async () => {
    const methods = [{ id: 'dps', perProblem: [{ operator: 'identity', sigmaY: '1/10', options: { scale: 2 } }] }];
    const [row] = (await plan({ recipe: { ...recipe, methods } })).rows;
    expect(row?.method.reference.options).toMatchObject({ scale: 2 });
  });

  it('is warned of once where it is above the range of the images', () => {
    expect(warnings([25, 0.1, 12.75])).toEqual([
      'sigmaY 25, 12.8: such noise hides everything, for the images are in [-1, 1]. If grey levels of 0 to 255 are meant, give 25/127.5, which is 0.196.',
    ]);
    expect(warnings([2, 0.05])).toEqual([]);
    expect(warnings([25], [0, 100])).toEqual([]);
  });

  it('is warned of where a fraction of 255 is half of what papers mean', () => {
    expect(warnings(['25/255'])).toEqual([
      'sigmaY 25/255: 25/255 is taken as the number 0.098, and the images are in [-1, 1]. Papers that write it mean images in [0, 1]: that noise is 0.196 here, 25/127.5.',
    ]);
    expect(warnings(['25/127.5'])).toEqual([]);
    expect(warnings(['25/255'], [0, 1])).toEqual([]);
  });
});
