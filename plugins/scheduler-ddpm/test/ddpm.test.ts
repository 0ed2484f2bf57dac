import {
  ConfigError,
  noiseProcess,
  respacedLevels,
  reverseCoefficients,
  type StepTensors,
  tf,
  traced,
} from '@tweedie/core';
import { testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const container = testContainer();
const make = (options: object = {}) => container.plugin('scheduler', { id: 'ddpm', options: { ...options } });

describe.each(['vp', 've'] as const)('on a %s process', (kind) => {
  const process = noiseProcess({ kind });

  it('scoreWeight has a closed form', async () => {
    const scheduler = await make({ steps: 50 });
    for (const step of scheduler.levels(process)) {
      const { level, next, scoreWeight } = step;
      const { beta } = reverseCoefficients(level, next);
      const expected = kind === 'vp' ? beta / Math.sqrt(1 - beta) : level.sigma ** 2 - next.sigma ** 2;
      expect(Math.abs(scoreWeight / expected - 1)).toBeLessThan(1e-9);
    }
  });
});

describe('variance', () => {
  const process = noiseProcess();
  const std = async (variance: string, fraction?: number) => {
    const scheduler = await make({ steps: 20, variance });
    const xt = tf.zeros<tf.Rank.R4>([1, 1, 1, 1]);
    return scheduler.levels(process).map((step) => {
      const tensors: StepTensors = traced(step);
      return scheduler
        .transition(
          xt,
          {
            x0hat: xt,
            epsilon: xt,
            ...(fraction !== undefined && { varianceFraction: tf.fill([1, 1, 1, 1], fraction) }),
          },
          tensors,
        )
        .std.dataSync()[0]!;
    });
  };

  it('is between its bounds: the posterior variance and beta', async () => {
    const [small, large] = [await std('fixed-small'), await std('fixed-large')];
    const pairs = respacedLevels(process, 20);
    pairs.forEach(({ level, next, index }, i) => {
      const { beta, variance } = reverseCoefficients(level, next);
      expect(small[i]).toBeCloseTo(Math.sqrt(variance), 6);
      expect(large[i]).toBeCloseTo(index === 0 ? 0 : Math.sqrt(beta), 6);
    });
    const learned = [await std('learned-range', 0), await std('learned-range', 1)];
    small.forEach((value, i) => expect(learned[0]![i]).toBeCloseTo(value, 6));
    large.forEach((value, i) => expect(learned[1]![i]).toBeCloseTo(value, 6));
  });

  it('learned-range says what it needs', async () => {
    expect((await make({ variance: 'learned-range' })).usesVariance).toBe(true);
    expect((await make()).usesVariance).toBe(false);
    await expect(std('learned-range')).rejects.toThrow(ConfigError);
    await expect(std('learned-range')).rejects.toThrow(
      "[scheduler/ddpm] variance 'learned-range' needs a model that predicts its variance. Use 'fixed-small' or 'fixed-large'.",
    );
  });

  it('one step is a schedule too', async () => {
    for (const variance of ['fixed-small', 'fixed-large', 'learned-range']) {
      const [step, ...rest] = (await make({ steps: 1, variance })).levels(process);
      expect(rest).toEqual([]);
      expect(Object.values(step!.coefficients).every(Number.isFinite)).toBe(true);
      expect(step!.coefficients['std']).toBe(0);
    }
  });
});

describe('options', () => {
  it.each([
    [{ steps: 0 }, /steps/],
    [{ variance: 'learned' }, /variance/],
    [{ step: 10 }, /step/],
  ])('%j is refused', async (options, message) => {
    await expect(make(options)).rejects.toThrow(message);
  });

  it('more steps than levels are refused', async () => {
    const scheduler = await make({ steps: 2000 });
    expect(() => scheduler.levels(noiseProcess())).toThrow(
      '[schedule] cannot take 2000 steps out of a section of 1000 levels. Give an integer from 1 to 1000.',
    );
  });
});
