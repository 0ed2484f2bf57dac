/** Grey values with the weights of the fixture, in three channels and, as in DDRM, in one. */
import { largestGap, testOperatorContext } from '@tweedie/testing';
import { fixtureReport, type OperatorFixture, operatorFixtures } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { colorize, type ColorizeOptions } from '../src/index.ts';

const TOLERANCE = 2e-6;
const DDRM_WEIGHTS = [0.3333, 0.3334, 0.3333];
const report = fixtureReport('operators', 'colorize');
const make = (
  {
    x: {
      shape: [, height, width, channels],
    },
  }: OperatorFixture,
  options: ColorizeOptions,
) => colorize(options, testOperatorContext([height, width, channels]));

for (const fixture of operatorFixtures('gray', report)) {
  const { id, x, v } = fixture;
  const weights = fixture.parameters['weights'] as readonly number[];
  report.case(id, async () => {
    const operator = await make(fixture, { channels: 3, weights });
    expect(largestGap(operator.forward(x, {}), fixture.image('y_plane').tile([1, 1, 1, 3]))).toBeLessThan(TOLERANCE);
    const ofCotangent = { adjoint_v: operator.adjoint!, pseudo_inverse_v: operator.pseudoInverse! };
    for (const [name, map] of Object.entries(ofCotangent)) {
      if (v === undefined || !fixture.has(name)) report.notListed(`${id} ${name}`);
      else expect(largestGap(map(v, {}), fixture.image(name)), name).toBeLessThan(TOLERANCE);
    }
  });
  if (fixture.has('y_one_channel')) {
    report.case(`${id} one channel`, async () => {
      const operator = await make(fixture, { channels: 1, weights: DDRM_WEIGHTS });
      expect(largestGap(operator.forward(x, {}), fixture.image('y_one_channel'))).toBeLessThan(TOLERANCE);
    });
  }
}
