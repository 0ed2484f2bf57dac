import { noiseProcess, reverseCoefficients, tf, traced } from '@tweedie/core';
import { testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const container = testContainer();
const make = (options: object = {}) => container.plugin('scheduler', { id: 'ddim', options: { ...options } });

describe.each(['vp', 've'] as const)('on a %s process', (kind) => {
  const process = noiseProcess({ kind });

  it('eta 1 is the ancestral step, eta 0 has no noise', async () => {
    const [noisy, still] = [await make({ steps: 20, eta: 1 }), await make({ steps: 20, eta: 0 })];
    const xt = tf.tensor4d([0.3, -2], [1, 1, 2, 1]);
    const x0hat = tf.tensor4d([0.1, 0.7], [1, 1, 2, 1]);
    noisy.levels(process).forEach((step, i) => {
      const { x0Weight, xtWeight, variance } = reverseCoefficients(step.level, step.next);
      const { mean, std } = noisy.transition(xt, { x0hat, epsilon: xt }, traced(step));
      const ancestral = x0hat.mul(x0Weight).add(xt.mul(xtWeight));
      expect(Math.max(...mean.sub(ancestral).abs().dataSync())).toBeLessThan(2e-6 * Math.max(1, step.next.noise));
      expect(Math.abs(std.dataSync()[0]! - Math.sqrt(variance))).toBeLessThan(1e-6 * Math.max(1, step.next.noise));
      expect(still.transition(xt, { x0hat, epsilon: xt }, traced(still.levels(process)[i]!)).std.dataSync()[0]).toBe(0);
    });
  });

  it('a perfect x0hat without noise is followed to the end: xNext has its x0 and its noise', async () => {
    const scheduler = await make({ steps: 20 });
    for (const step of scheduler.levels(process)) {
      const x0 = tf.tensor4d([0.1, -0.7], [1, 1, 2, 1]);
      const noise = tf.tensor4d([1.5, -0.2], [1, 1, 2, 1]);
      const xt = x0.mul<tf.Tensor4D>(step.level.signal).add<tf.Tensor4D>(noise.mul(step.level.noise));
      const { mean } = scheduler.transition(xt, { x0hat: x0, epsilon: noise }, traced(step));
      const expected = x0.mul(step.next.signal).add(noise.mul(step.next.noise));
      // epsilon is recomputed from x0hat: at low noise that costs digits, in proportion to what is left of it.
      expect(Math.max(...mean.sub(expected).abs().dataSync())).toBeLessThan(2e-6 * Math.max(1, step.next.noise));
    }
  });

  it('scoreWeight at eta 1 is that of the ancestral step', async () => {
    const ancestral = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 20 } });
    const expected = ancestral.levels(process);
    (await make({ steps: 20, eta: 1 })).levels(process).forEach(({ scoreWeight }, i) => {
      expect(Math.abs(scoreWeight / expected[i]!.scoreWeight - 1)).toBeLessThan(1e-9);
    });
  });
});

describe('options', () => {
  it.each([
    [{ eta: 1.5 }, /eta/],
    [{ eta: -1 }, /eta/],
    [{ variance: 'fixed-small' }, /variance/],
  ])('%j is refused', async (options, message) => {
    await expect(make(options)).rejects.toThrow(message);
  });
});
