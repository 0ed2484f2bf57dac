import { type Image, noiseProcess, tf, traced } from '@tweedie/core';
import { testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const container = testContainer();
const make = (options: object = {}) => container.plugin('scheduler', { id: 've', options: { ...options } });
const image = (...values: readonly number[]): Image => tf.tensor4d([...values], [1, 1, values.length, 1]);
const [vp, ve] = [noiseProcess(), noiseProcess({ kind: 've' })];

it('through all levels of a geometric process it is ancestral sampling', async () => {
  const own = (await make()).levels(ve);
  const ancestral = (await container.plugin('scheduler', { id: 'ddpm' })).levels(ve);
  expect(own.length).toBe(1000);
  own.forEach(({ level, scoreWeight, coefficients }, i) => {
    expect(level.sigma / ancestral[i]!.level.sigma).toBeCloseTo(1, 10);
    expect(scoreWeight / ancestral[i]!.scoreWeight).toBeCloseTo(1, 9);
    expect(coefficients['std']).toBeCloseTo(ancestral[i]!.coefficients['std']!, 9);
  });
});

describe.each(['ancestral', 'euler-maruyama'])('noise %s', (noise) => {
  it('is a step of the reverse equation, the same on a VP process in its own units', async () => {
    const scheduler = await make({ steps: 12, sigmaMin: 0.02, sigmaMax: 50, noise });
    const [z, x0hat] = [image(0.3, -2), image(0.1, 0.7)];
    for (const process of [vp, ve]) {
      for (const step of scheduler.levels(process)) {
        const { level, next } = step;
        const { mean, std } = scheduler.transition(z.mul(level.signal), { x0hat, epsilon: z }, traced(step));
        const removed = level.sigma ** 2 - next.sigma ** 2;
        // z + removed * score, score = (x0hat - z) / sigma^2
        const expected = z.add(x0hat.sub(z).mul(removed / level.sigma ** 2));
        expect(Math.max(...mean.div(next.signal).sub(expected).abs().dataSync())).toBeLessThan(2e-6);
        const variance =
          step.index === 0 ? 0 : noise === 'ancestral' ? (removed * next.sigma ** 2) / level.sigma ** 2 : removed;
        expect(Math.abs(std.dataSync()[0]! / next.signal - Math.sqrt(variance))).toBeLessThan(
          1e-6 * Math.max(1, next.sigma),
        );
      }
    }
  });
});

it('levels are geometric, between the ends of the table or those given', async () => {
  for (const process of [vp, ve]) {
    const steps = (await make({ steps: 9 })).levels(process);
    expect(steps[0]!.level.sigma).toBeCloseTo(process.table.at(-1)!.sigma, 9);
    expect(steps.at(-1)!.level.sigma).toBeCloseTo(process.table[0]!.sigma, 9);
    const ratios = steps.slice(0, -1).map(({ level, next }) => level.sigma / next.sigma);
    for (const ratio of ratios) expect(ratio).toBeCloseTo(ratios[0]!, 9);
  }
  expect((await make({ steps: 3, sigmaMin: 1, sigmaMax: 100 })).levels(vp).map(({ next }) => next.sigma)).toEqual([
    expect.closeTo(10, 9),
    expect.closeTo(1, 9),
    0,
  ]);
});

it('refuses a range that is none', async () => {
  const scheduler = await make({ sigmaMin: 200 });
  expect(() => scheduler.levels(ve)).toThrow(
    '[schedule] sigmaMin 200 and sigmaMax 157 are not 0 < sigmaMin < sigmaMax. Choose sigmaMin below sigmaMax.',
  );
  await expect(make({ noise: 'none' })).rejects.toThrow(/noise/);
});
