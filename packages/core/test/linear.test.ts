import {
  adjointOf,
  eagerEngine,
  type Image,
  keyedRandom,
  meteredOperator,
  type Operator,
  solveOf,
  tf,
  type Tensor,
  unitImages,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';

const imageShape = [4, 4, 1] as const;
const kernel: Tensor = tf.tensor2d(keyedRandom('A').normal('kernel', 16 * 6), [16, 6]);
/** y = gain A x with a matrix A of rank 6 and a gain of each problem: only `forward` is given. */
const operator: Operator<{ readonly gain: Tensor }> = {
  linear: true,
  measurementShape: [6],
  draw: () => ({ gain: tf.scalar(1) }),
  forward: (x, { gain }) =>
    x
      .reshape([-1, 16])
      .matMul(kernel)
      .mul(gain.reshape([-1, 1])),
};
const drawn = { gain: tf.tensor1d([0.5, 2]) };
const x: Image = tf.tensor4d(keyedRandom('x').normal('x', 32), [2, ...imageShape]);
const v: Tensor = tf.tensor2d(keyedRandom('v').normal('v', 12), [2, 6]);
const largest = (difference: Tensor): number => tf.max(tf.abs(difference)).dataSync()[0]!;

describe('adjointOf', () => {
  it('is A^T by autodiff, row by row', () => {
    const expected = v
      .mul(drawn.gain.reshape([-1, 1]))
      .matMul(kernel, false, true)
      .reshape([2, ...imageShape]);
    expect(largest(adjointOf(operator, imageShape)(v, drawn).sub(expected))).toBeLessThan(1e-5);
    const [left, right] = [
      operator.forward(x, drawn).mul(v).sum(),
      adjointOf(operator, imageShape)(v, drawn).mul(x).sum(),
    ];
    expect(Math.abs(left.dataSync()[0]! / right.dataSync()[0]! - 1)).toBeLessThan(1e-5);
  });

  it("is the operator's own where it has one, and refused where A is not linear", () => {
    const adjoint = () => x;
    expect(adjointOf({ ...operator, adjoint }, imageShape)).toBe(adjoint);
    expect(() => adjointOf({ ...operator, linear: false }, imageShape)).toThrow('not linear');
  });
});

describe('solveOf', () => {
  it.each([0.05, 1])('solves (A A^T + ridge I) z = y by conjugate gradients, ridge %f', (ridge) => {
    const z = solveOf(operator, imageShape)(v, tf.scalar(ridge), drawn);
    const back = operator.forward(adjointOf(operator, imageShape)(z, drawn), drawn).add(z.mul(ridge));
    expect(largest(back.sub(v))).toBeLessThan(1e-4);
    expect(
      largest(solveOf(operator, imageShape, { iterations: 1 })(v, tf.scalar(ridge), drawn).sub(z)),
    ).toBeGreaterThan(1e-3);
  });

  it('gives zero for zero, and samples do not meet', () => {
    const one = solveOf(operator, imageShape)(v.mul([[1], [0]]), tf.scalar(0.1), drawn);
    const both = solveOf(operator, imageShape)(v, tf.scalar(0.1), drawn);
    expect(largest(one.slice([1, 0], [1, -1]))).toBe(0);
    expect(largest(one.sub(both).slice([0, 0], [1, -1]))).toBe(0);
  });

  it("is the operator's own where it has one", () => {
    const solve = () => v;
    expect(solveOf({ ...operator, solve }, imageShape)).toBe(solve);
  });

  it('counts two operator calls an iteration, and the forward that autodiff runs when eager', async () => {
    const compiled = eagerEngine().compile((y: Tensor, gain: Tensor) =>
      solveOf(meteredOperator(operator), imageShape, { iterations: 3 })(y, tf.scalar(0.1), { gain }),
    );
    (await compiled(v, drawn.gain)).dispose();
    expect(compiled.cost.operatorCalls).toBe(3 * 3 * 2);
  });
});

it.each([
  [1, 1, 1],
  [2, 2, 1],
] as const)('unitImages of %i x %i x %i are rows of the unit matrix', (...shape) => {
  const entries = shape[0] * shape[1];
  expect(unitImages(0, entries, shape).shape).toEqual([entries, ...shape]);
  expect([...unitImages(0, entries, shape).dataSync()]).toEqual([...tf.eye(entries).dataSync()]);
  expect([...unitImages(entries - 1, 1, shape).dataSync()]).toEqual([...new Array<number>(entries - 1).fill(0), 1]);
});
