/**
 * The bicubic resizer of the DPS program and the block mean: measurement, adjoint, pseudo-inverse and the matrices
 * themselves.
 */
import { tf } from '@tweedie/core';
import { largestGap, testOperatorContext } from '@tweedie/testing';
import { fixtureReport, type OperatorFixture, operatorFixtures } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { superResolution, type SuperResolutionOptions } from '../src/index.ts';
import { bicubic } from '../src/kernels.ts';

const TOLERANCE = 2e-6;
const report = fixtureReport('operators', 'super-resolution');
const make = (
  {
    x: {
      shape: [, height, width, channels],
    },
  }: OperatorFixture,
  options: Partial<SuperResolutionOptions>,
) =>
  superResolution(
    { factor: 4, kernel: 'bicubic', reference: 'nearest', ...options },
    testOperatorContext([height, width, channels]),
  );

for (const fixture of operatorFixtures('bicubic')) {
  const factor = Number(fixture.parameters['factor']);
  const { id, x } = fixture;
  report.case(id, async () => {
    const operator = await make(fixture, { factor });
    const [y, v] = [fixture.image('y'), fixture.image('v')];
    expect(largestGap(operator.forward(x, {}), y)).toBeLessThan(TOLERANCE);
    expect(largestGap(operator.adjoint!(v, {}), fixture.image('adjoint_v'))).toBeLessThan(TOLERANCE);
    expect(largestGap(operator.pseudoInverse!(y, {}), fixture.image('pseudo_inverse_y'))).toBeLessThan(TOLERANCE);
  });
  report.case(`${id} matrices`, () => {
    for (const [name, length] of [
      ['matrix_rows', x.shape[1]],
      ['matrix_columns', x.shape[2]],
    ] as const) {
      if (!fixture.has(name)) continue;
      const { outputs, inputs, values } = bicubic(length, factor);
      expect(largestGap(tf.tensor2d(Float32Array.from(values), [outputs, inputs]), fixture.plain(name))).toBeLessThan(
        1e-7,
      );
    }
  });
  if (fixture.has('nearest_transpose_v')) {
    report.case(`${id} nearest`, async () => {
      const { reference, factor: weight } = (await make(fixture, { factor })).denoisingReference!(
        fixture.image('v'),
        {},
      );
      expect(largestGap(reference, fixture.image('nearest_transpose_v'))).toBe(0);
      expect(weight).toBe(factor);
    });
  }
  if (fixture.has('block_average_y')) {
    report.case(`${id} block average`, async () => {
      const operator = await make(fixture, { factor, kernel: 'block' });
      expect(largestGap(operator.forward(x, {}), fixture.image('block_average_y'))).toBeLessThan(TOLERANCE);
    });
  }
}
