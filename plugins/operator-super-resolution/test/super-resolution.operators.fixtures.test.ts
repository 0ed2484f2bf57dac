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

for (const fixture of operatorFixtures('bicubic', report)) {
  const { id, x } = fixture;
  const has = (...names: readonly string[]) => names.every((name) => fixture.has(name));
  const factor = Number(
    fixture.parameters['factor'] ?? (has('y') ? x.shape[1] / fixture.image('y').shape[1] : undefined),
  );
  if (has('y'))
    report.case(`${id} forward`, async () => {
      const operator = await make(fixture, { factor });
      expect(largestGap(operator.forward(x, {}), fixture.image('y'))).toBeLessThan(TOLERANCE);
    });
  else report.notListed(`${id} y`);
  if (has('v', 'adjoint_v'))
    report.case(`${id} adjoint`, async () => {
      const operator = await make(fixture, { factor });
      expect(largestGap(operator.adjoint!(fixture.image('v'), {}), fixture.image('adjoint_v'))).toBeLessThan(TOLERANCE);
    });
  else report.notListed(`${id} v, adjoint_v`);
  if (has('y', 'pseudo_inverse_y'))
    report.case(`${id} pseudo-inverse`, async () => {
      const operator = await make(fixture, { factor });
      const x0 = operator.pseudoInverse!(fixture.image('y'), {});
      expect(largestGap(x0, fixture.image('pseudo_inverse_y'))).toBeLessThan(TOLERANCE);
    });
  else report.notListed(`${id} pseudo_inverse_y`);
  if (has('matrix_rows') || has('matrix_columns'))
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
  if (has('v', 'nearest_transpose_v')) {
    report.case(`${id} nearest`, async () => {
      const { reference, factor: weight } = (await make(fixture, { factor })).denoisingReference!(
        fixture.image('v'),
        {},
      );
      expect(largestGap(reference, fixture.image('nearest_transpose_v'))).toBe(0);
      expect(weight).toBe(factor);
    });
  }
  if (has('block_average_y')) {
    report.case(`${id} block average`, async () => {
      const operator = await make(fixture, { factor, kernel: 'block' });
      expect(largestGap(operator.forward(x, {}), fixture.image('block_average_y'))).toBeLessThan(TOLERANCE);
    });
  }
}
