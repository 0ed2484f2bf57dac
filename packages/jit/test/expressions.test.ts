/** Random expressions, so that the simplifications meet each other in ways nobody thought of. */
import { type Tensor, tf } from '@tweedie/core';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { expectAgreement } from './agreement.ts';

type Step = (values: readonly Tensor[], pick: number, other: number) => Tensor;
const at = (values: readonly Tensor[], index: number): Tensor => values[index % values.length]!;
const steps: Step[] = [
  (v, i, j) => at(v, i).add(at(v, j)),
  (v, i, j) => at(v, i).sub(at(v, j)),
  (v, i, j) => at(v, i).mul(at(v, j)).mul(0.3),
  (v, i, j) => at(v, i).div(at(v, j).square().add(1)),
  (v, i) => at(v, i).mul(1).add(0).neg(),
  (v, i) => at(v, i).mul(tf.ones([3, 4])),
  (v, i) => at(v, i).add(tf.zeros([3, 1])),
  (v, i) => at(v, i).mul(-1).div(4),
  (v, i) => at(v, i).tanh(),
  (v, i) => at(v, i).pow(2),
  (v, i) => tf.sigmoid(at(v, i)),
  (v, i) => at(v, i).sum(-1, true),
  (v, i) => at(v, i).mean(0, true),
  (v, i) =>
    at(v, i)
      .add(tf.zeros([3, 4]))
      .transpose()
      .reshape([3, 4]),
  (v, i) =>
    at(v, i)
      .add(tf.zeros([3, 4]))
      .expandDims(1)
      .tile([1, 2, 1])
      .mean(1),
  (v, i) =>
    at(v, i)
      .add(tf.zeros([3, 4]))
      .reshape([12])
      .reshape([2, 6])
      .reshape([3, 4]),
  (v, i) => tf.softmax(at(v, i)),
  (v, i) => tf.concat([at(v, i), at(v, i)], 0).slice([0, 0], [at(v, i).shape[0], -1]),
];

describe('random expressions', () => {
  it('agree with the cpu backend, gradients included', async () => {
    const program = fc.array(fc.tuple(fc.nat(steps.length - 1), fc.nat(20), fc.nat(20)), {
      minLength: 1,
      maxLength: 8,
    });
    const numbers = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 12, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        program,
        numbers,
        fc.constantFrom([3, 4], [3, 1], [1, 4], [1, 1]),
        async (chosen, values, shape) => {
          const run = (x: Tensor): Tensor => {
            const made: Tensor[] = [x, tf.scalar(0.5).reshape([1, 1]).mul(x)];
            for (const [step, i, j] of chosen) made.push(steps[step]!(made, i, j));
            return made.reduce((sum, value) => sum.add(value));
          };
          const x = tf.tensor(Float32Array.from(values).slice(0, shape[0] * shape[1]), [...shape]);
          // Terms of such sums may cancel, so digits are lost on either side.
          await expectAgreement(
            (v: Tensor) => ({ value: run(v), gradient: tf.grad((z) => run(z).square().sum())(v) }),
            [x],
            1e-4,
          );
          x.dispose();
        },
      ),
      { seed: 11, numRuns: 60 },
    );
  });
});
