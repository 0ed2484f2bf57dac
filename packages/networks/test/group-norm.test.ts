import { type Image, type Tensor, tf } from '@tweedie/core';
import { relativeDifference } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { groupNorm } from '../src/group-norm.ts';

/** As in the textbook, differentiated by the tape. */
function plainNorm(x: Image, weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor): Image {
  const [batch, height, width, channels] = x.shape;
  const grouped = x.reshape([batch, height * width, 32, channels / 32]);
  const { mean, variance } = tf.moments(grouped, [1, 3], true);
  const normed = grouped.sub(mean).div(variance.add(1e-5).sqrt()).reshape([batch, height, width, channels]);
  const perImage = (value: Tensor): Tensor => value.reshape([-1, 1, 1, channels]);
  return normed.mul(weight).add(bias).mul(perImage(scale).add(1)).add(perImage(shift));
}

describe('group norm', () => {
  it.each([
    [1, 1],
    [3, 3],
    [3, 1],
  ])('has the value and all gradients of its definition: batch %i, modulation of %i', (batch, rows) => {
    const random = (shape: number[], seed: number): Tensor => tf.randomNormal(shape, 0.3, 1, 'float32', seed);
    const args = [
      random([batch, 4, 6, 64], 1),
      random([64], 2),
      random([64], 3),
      random([rows, 64], 4),
      random([rows, 64], 5),
    ];
    const cotangent = random([batch, 4, 6, 64], 6);
    const results = [
      (x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor) =>
        groupNorm(x as Image, { weight, bias }, { scale, shift }),
      (x: Tensor, weight: Tensor, bias: Tensor, scale: Tensor, shift: Tensor) =>
        plainNorm(x as Image, weight, bias, scale, shift),
    ].map((norm) => [
      norm(...(args as [Tensor, Tensor, Tensor, Tensor, Tensor])),
      ...tf.grads((...xs: Tensor[]) =>
        norm(...(xs as [Tensor, Tensor, Tensor, Tensor, Tensor]))
          .mul(cotangent)
          .sum(),
      )(args),
    ]);
    results[0]!.forEach((actual, i) => {
      expect(actual.shape).toEqual(results[1]![i]!.shape);
      expect(relativeDifference(actual.dataSync(), results[1]![i]!.dataSync()), `result ${i}`).toBeLessThan(1e-5);
    });
  });

  it('of a group that is constant is its bias, not a number that is none', () => {
    const x: Image = tf.fill([1, 4, 4, 32], 1000);
    const y = groupNorm(x, { weight: tf.ones([32]), bias: tf.fill([32], 0.5) });
    y.dataSync().forEach((value) => expect(Math.abs(value - 0.5)).toBeLessThan(0.1));
  });
});
