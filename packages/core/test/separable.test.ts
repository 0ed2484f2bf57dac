import {
  adjointOf,
  axisMatrix,
  type Image,
  keyedRandom,
  type Measurement,
  type Operator,
  separable,
  type Separable,
  tf,
  type Tensor,
  sizeOf,
} from '@tweedie/core';
import { describe, expect, it } from 'vitest';

const random = keyedRandom('separable');
const normal = (purpose: string, shape: number[]): Image =>
  tf.tensor4d(random.normal(purpose, sizeOf(shape)), shape as [number, number, number, number]);
const matrix = (name: string, outputs: number, inputs: number) => {
  const numbers = random.normal(name, outputs * inputs);
  return axisMatrix(outputs, inputs, (output) =>
    Array.from({ length: inputs }, (_, input) => [input, numbers[output * inputs + input] ?? 0] as const),
  );
};
const [rows, columns] = [matrix('rows', 3, 5), matrix('columns', 4, 7)];
const operator = separable(rows, columns, 2);
const x = normal('x', [3, 5, 7, 2]);
const y: Measurement = normal('y', [3, 3, 4, 2]);
const gap = (a: Tensor, b: Tensor): number => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0] ?? NaN;
const asOperator = (parts: Separable): Operator => ({ linear: true, draw: () => ({}), ...parts });

describe('separable', () => {
  it('is R x C^T for every channel', () => {
    const [image, found] = [x.arraySync(), (operator.forward(x, {}) as Image).arraySync()];
    for (const [b, i, j, k] of [
      [0, 0, 0, 0],
      [2, 2, 3, 1],
      [1, 1, 2, 0],
    ] as const) {
      let expected = 0;
      for (let h = 0; h < 5; h++)
        for (let w = 0; w < 7; w++)
          expected += rows.values[i * 5 + h]! * columns.values[j * 7 + w]! * image[b]![h]![w]![k]!;
      expect(found[b]![i]![j]![k]!).toBeCloseTo(expected, 4);
    }
    expect(operator.measurementShape).toEqual([3, 4, 2]);
  });

  it('has the adjoint that autodiff finds', () => {
    const { adjoint, ...rest } = asOperator(operator);
    expect(gap(operator.adjoint(y, {}), adjointOf(rest, [5, 7, 2])(y, {}))).toBeLessThan(1e-5);
  });

  it('has a pseudo-inverse and solves (A A^T + ridge I) z = y', () => {
    expect(gap(operator.forward(operator.pseudoInverse(y, {}), {}), y)).toBeLessThan(1e-4);
    const inRowSpace = operator.pseudoInverse(operator.forward(x, {}), {});
    expect(gap(operator.pseudoInverse(operator.forward(inRowSpace, {}), {}), inRowSpace)).toBeLessThan(1e-4);
    expect(tf.sum(inRowSpace.mul(x.sub(inRowSpace))).dataSync()[0]).toBeCloseTo(0, 3);
    const z = operator.solve(y, tf.scalar(0.3), {});
    expect(gap(operator.forward(operator.adjoint(z, {}), {}).add(z.mul(0.3)), y)).toBeLessThan(1e-4);
  });

  it('has a spectral form', () => {
    const form = operator.svd({});
    expect(form.singularValues.shape).toEqual([1, 70]);
    expect(gap(form.fromSpectral(form.toSpectral(x)), x)).toBeLessThan(1e-5);
    const spectral = form.toSpectral(x).mul(form.singularValues);
    expect(gap(form.measurementToSpectral(operator.forward(x, {})), spectral)).toBeLessThan(1e-4);
    expect(
      gap(operator.adjoint(y, {}), form.fromSpectral(form.measurementToSpectral(y).mul(form.singularValues))),
    ).toBeLessThan(1e-4);
    expect((form.singularValues.dataSync() as Float32Array).filter((value) => value > 0)).toHaveLength(24);
  });

  it('counts small singular values as zero in the pseudo-inverse alone', () => {
    const diagonal = axisMatrix(3, 3, (i) => [[i, [1, 0.5, 0.01][i]!]]);
    const one = axisMatrix(1, 1, () => [[0, 1]]);
    const cut = separable(diagonal, one, 1, { cutoff: 0.03 });
    const ones: Image = tf.ones([1, 3, 1, 1]);
    const numbers = [...cut.pseudoInverse(ones, {}).dataSync()];
    [1, 2, 0].forEach((expected, i) => expect(numbers[i]).toBeCloseTo(expected, 6));
    expect(cut.forward(ones, {}).dataSync()[2]).toBeCloseTo(0.01, 8);
    expect(Math.min(...cut.svd({}).singularValues.dataSync())).toBeCloseTo(0.01, 8);
  });

  it('refuses to grow', () => {
    expect(() => separable(matrix('tall', 5, 3), columns, 1)).toThrow('a measurement cannot be larger than the image');
  });
});
