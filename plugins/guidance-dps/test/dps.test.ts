import { bindGuidance, eagerEngine, type Image, type Operator, tf } from '@tweedie/core';
import { mixturePrior, namedImages, stepOnce, testContainer } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';

const imageShape = [4, 5, 3] as const;
const container = testContainer();
const scheduler = await container.plugin('scheduler', { id: 'ddpm', options: { steps: 100 } });
const operator = await container.plugin('operator', { id: 'identity' }, { imageShape });
const model = await mixturePrior({ imageShape, components: 5, variances: 0.1 });
const image = namedImages(imageShape, 2);

async function step(
  id: string,
  options: object,
  index = 40,
  sigmaY = 0.1,
  y = image('y', 0.5),
  map: Operator = operator,
) {
  const guidance = await container.plugin('guidance', { id, options: { ...options } });
  const bound = await bindGuidance(guidance, { engine: eagerEngine(), model, operator: map, scheduler });
  return stepOnce(bound, { index, problem: { y, sigmaY, drawn: {} }, xt: () => image('state'), noise: image });
}
const distance = (a: Image, b: Image) => Math.max(...a.sub(b).abs().dataSync());

describe('guidance/dps', () => {
  it.each(['norm', 'paper', 'squared', 'likelihood', 'poisson'])(
    'form %s with scale 0 is no guidance',
    async (form) => {
      expect(distance((await step('dps', { form, scale: 0 })).xNext, (await step('none', {})).xNext)).toBeLessThan(
        1e-6,
      );
    },
  );

  it('the forms differ by known factors, each sample by its own', async () => {
    const free = (await step('none', {})).xNext;
    const { xNext, scalars, at } = await step('dps', { scale: 0.3 });
    const move = free.sub(xNext);
    const norms = scalars!['residualNorm']!.reshape([2, 1, 1, 1]);
    expect(norms.dataSync()[0]).not.toBeCloseTo(norms.dataSync()[1]!, 3);
    expect(distance(free.sub((await step('dps', { form: 'paper', scale: 0.3 })).xNext), move.mul(2))).toBeLessThan(
      2e-6,
    );
    expect(
      distance(free.sub((await step('dps', { form: 'squared', scale: 0.3 })).xNext), move.mul(norms.mul(2))),
    ).toBeLessThan(1e-5);
    const likelihood = (await step('dps', { form: 'likelihood', scale: 0.3 }, 40, 0.1)).xNext;
    expect(distance(free.sub(likelihood), move.mul(norms.mul(at.scoreWeight / 0.1 ** 2)))).toBeLessThan(1e-4);
    // Some of y is within a grey level of 0.
    const y = image('y', 0.5);
    expect(y.abs().min().dataSync()[0]).toBeLessThan(2 / 255);
    const inverse = y
      .abs()
      .clipByValue(2 / 255, Infinity)
      .reciprocal()
      .mean([1, 2, 3], true);
    expect(
      distance(free.sub((await step('dps', { form: 'poisson', scale: 0.3 })).xNext), move.mul(inverse)),
    ).toBeLessThan(1e-5);
  });

  it('moves by scale times the norm of the gradient, down the misfit', async () => {
    const { xNext, scalars } = await step('dps', { scale: 0.3 });
    const moved = tf
      .sub((await step('none', {})).xNext, xNext)
      .square()
      .sum([1, 2, 3])
      .sqrt()
      .dataSync();
    const lengths = scalars!['gradientNorm']!.dataSync();
    moved.forEach((value, i) => expect(value / lengths[i]! / 0.3).toBeCloseTo(1, 4));
  });

  it('a residual of exactly zero gives no step and no NaN', async () => {
    const free = await step('none', {});
    const zero = { ...operator, forward: (x: Image) => x.mul(0) };
    const { xNext } = await step('dps', {}, 40, 0.1, tf.zeros([2, ...imageShape]), zero);
    expect(distance(xNext, free.xNext)).toBeLessThan(1e-6);
  });

  it("form 'likelihood' is no guidance where sigmaY is without bound", async () => {
    for (const index of [99, 40, 0]) {
      expect(
        distance((await step('dps', { form: 'likelihood' }, index, 1e6)).xNext, (await step('none', {}, index)).xNext),
      ).toBeLessThan(1e-6);
    }
  });

  it("form 'likelihood' refuses sigmaY 0 when planned, the others take it", async () => {
    const refusal = async (form: string, sigmaY: number) =>
      (await container.plugin('guidance', { id: 'dps', options: { form } })).refuses?.(
        { model, operator, scheduler },
        sigmaY,
      );
    expect(await refusal('likelihood', 0)).toBe(
      "form 'likelihood' divides by sigmaY^2, and sigmaY is 0; use form 'norm'",
    );
    expect([await refusal('likelihood', 0.1), await refusal('norm', 0), await refusal('poisson', 0)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
