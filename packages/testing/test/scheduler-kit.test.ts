/** An Euler step that passes its kit, and what the kit says of it with one fault each. */
import { epsilonFromX0, noiseProcess, respacedLevels, type Scheduler, tf } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { failuresOf, schedulerChecks, testContainer } from '../src/index.ts';

type Fault =
  'scoreWeight' | 'noise at the end' | 'indices' | 'stretched' | 'norm of the batch' | 'starts late' | 'stale epsilon';

/** xNext = signalNext x0hat + noiseNext epsilon. */
const euler = (steps: number, fault?: Fault): Scheduler => ({
  levels: (process) =>
    respacedLevels(process, steps)
      .slice(fault === 'starts late' ? steps / 2 : 0)
      .map(({ index, level, next }) => ({
        index: fault === 'indices' ? index + 1 : index,
        level,
        next,
        scoreWeight:
          ((next.signal * level.noise ** 2) / level.signal - next.noise * level.noise) *
          (fault === 'scoreWeight' ? 2 : 1),
        coefficients: {},
      })),
  transition(xt, { x0hat, epsilon }, { level, next }) {
    const direction = fault === 'stale epsilon' ? epsilon : epsilonFromX0(xt, x0hat, level);
    const mean = x0hat.mul(next.signal).add(direction.mul(next.noise));
    if (fault === 'norm of the batch') return { mean: mean.add(xt.square().sum().mul(1e-3)), std: tf.scalar(0) };
    return {
      mean: fault === 'stretched' ? mean.mul(1.02) : mean,
      std: tf.scalar(fault === 'noise at the end' ? 0.01 : 0),
    };
  },
});
const container = testContainer();
const failing = (fault?: Fault) =>
  failuresOf(schedulerChecks, {
    name: 'scheduler/mine',
    scheduler: euler(100, fault),
    process: noiseProcess(),
    marginalTolerance: 0.1,
    lastSigma: 0,
    order: 1,
    withSteps: async (steps) => euler(steps, fault),
    engine: () => container.plugin('engine', { id: 'eager' }),
  });

const LEVELS = 'levels fall from pure noise to the end, each step starting where the last one ended';
const LAST = 'the last step gives x0hat, without noise';
const WEIGHT = 'scoreWeight is what one unit of score adds to the mean';
const FOLLOWS = 'a step follows x0hat, whatever epsilon comes with it';
const PURE = 'a step is pure, finite, and each row by itself';
const MARGINALS = 'every step keeps the marginals of a Gaussian prior';
const ORDER = 'its error has the order claimed';

it('a scheduler that keeps the rules passes', async () => {
  expect(await failing()).toEqual([]);
});

describe('the kit catches', () => {
  it.each<[Fault, readonly string[], RegExp]>([
    ['scoreWeight', [WEIGHT], /^in step 99 one unit of score adds [\d.]+ to the mean, and scoreWeight is [\d.]+/],
    ['noise at the end', [LAST], /^the last step ends 0\.0\d+ from x0hat: at sigma 0 the mean is x0hat and std is 0/],
    ['indices', [LEVELS], /^the step at position 0 of 100 has index 100, and 99 is wanted/],
    [
      'starts late',
      [LEVELS, MARGINALS],
      /^the first step starts at sigma [\d.]+; a run starts from pure noise, so sigma 10 is the least\. The process goes to 157/,
    ],
    [
      'stretched',
      [MARGINALS, LAST, ORDER, WEIGHT],
      /^after step \d+ the law is N\([\d.]+, [\d.]+\^2\) and should be N\(/,
    ],
    [
      'stale epsilon',
      [FOLLOWS],
      /^x0hat was changed, as methods do that clamp or guide it, with the network's epsilon left beside it: in step 99 the new state is 0\.\d+ \(relative\) from that with the epsilon of the changed x0hat, so part/,
    ],
    [
      'norm of the batch',
      [PURE, LAST, MARGINALS],
      /^row 0 moved by [\d.]+ \(relative\) in step 99 when batch mates were added/,
    ],
  ])('%s', async (fault, fails, says) => {
    const found = await failing(fault);
    expect(found.map(({ name }) => name).toSorted()).toEqual(fails.toSorted());
    expect(found.find(({ name }) => name === fails[0])?.message).toMatch(says);
  });
});
