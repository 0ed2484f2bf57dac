/**
 * The blurs of the DPS program (reflected border) and the separable one of DDRM (zero border): kernels, measurements
 * and adjoints.
 */
import {
  axisMatrix,
  type Image,
  keyedRandom,
  type Operator,
  separable,
  type Tensor,
  type TensorTree,
} from '@tweedie/core';
import { largestGap, testOperatorContext } from '@tweedie/testing';
import { fixtureReport, type OperatorFixture, operatorFixtures } from '@tweedie/testing/fixtures';
import { expect } from 'vitest';
import { blur, type BlurOptions } from '../src/index.ts';
import { gaussianTaps, releasedGaussianTaps } from '../src/kernels.ts';

const report = fixtureReport('operators', 'blur');
const make = async (
  {
    x: {
      shape: [, height, width, channels],
    },
  }: OperatorFixture,
  options: Partial<BlurOptions> & Pick<BlurOptions, 'kernel'>,
): Promise<Operator> =>
  blur({ border: 'reflect', cutoff: 0.03, ...options }, testOperatorContext([height, width, channels]));
const numbers = (fixture: OperatorFixture, name: string): number => Number(fixture.parameters[name]);
/** Larger kernels, larger sums. */
const toleranceOf = (size: number): number => (size > 9 ? 5e-6 : 2e-6);

/** y, and A^T of a cotangent where there is one: that of the picture, or of the file. */
function compare(fixture: OperatorFixture, operator: Operator, drawn: TensorTree, tolerance: number): void {
  expect(largestGap(operator.forward(fixture.x, drawn), fixture.image('y'))).toBeLessThan(tolerance);
  const v = fixture.has('v') ? fixture.image('v') : fixture.v;
  if (v === undefined || !fixture.has('adjoint_v')) report.notListed(`${fixture.id} v, adjoint_v`);
  else expect(largestGap(operator.adjoint!(v, drawn), fixture.image('adjoint_v'))).toBeLessThan(tolerance);
}

for (const fixture of operatorFixtures('gaussian', report)) {
  const [size, std] = [numbers(fixture, 'kernel_size'), numbers(fixture, 'std')];
  report.case(fixture.id, async () => {
    compare(fixture, await make(fixture, { kernel: 'gaussian', size, std }), {}, toleranceOf(size));
    const taps = releasedGaussianTaps(size, std);
    if (!fixture.has('kernel')) return report.notListed(`${fixture.id} kernel`);
    const stored = fixture.plain('kernel').dataSync();
    taps.forEach((row, i) => taps.forEach((column, j) => expect(row * column).toBeCloseTo(stored[i * size + j]!, 8)));
  });
}

for (const fixture of operatorFixtures('motion', report)) {
  const size = numbers(fixture, 'kernel_size');
  report.case(fixture.id, async () => {
    compare(
      fixture,
      await make(fixture, { kernel: 'motion', size }),
      { kernel: fixture.plain('kernel').expandDims(0) },
      toleranceOf(size),
    );
  });
}

for (const fixture of operatorFixtures('anisotropic-conv', report)) {
  const [size, std, stdAcross, degrees] = (['kernel_size', 'std_along', 'std_across', 'degrees'] as const).map((name) =>
    numbers(fixture, name),
  ) as [number, number, number, number];
  report.case(fixture.id, async () => {
    const operator = await make(fixture, { kernel: 'anisotropic', size, std, stdAcross, degrees });
    const { kernel } = operator.draw(keyedRandom('any')) as { readonly kernel: Tensor };
    if (fixture.has('kernel')) expect(largestGap(kernel, fixture.plain('kernel'))).toBeLessThan(1e-7);
    else report.notListed(`${fixture.id} kernel`);
    compare(fixture, operator, { kernel: kernel.expandDims(0) }, toleranceOf(size));
  });
}

for (const fixture of operatorFixtures('anisotropic', report)) {
  const [size, std, stdAcross] = [
    numbers(fixture, 'taps'),
    numbers(fixture, 'std_horizontal'),
    numbers(fixture, 'std_vertical'),
  ];
  const [, height, width, channels] = fixture.x.shape;
  report.case(fixture.id, async () => {
    compare(
      fixture,
      await make(fixture, { kernel: 'anisotropic', border: 'zero', size, std, stdAcross }),
      {},
      toleranceOf(size),
    );
    for (const [name, taps] of [
      ['kernel_horizontal', gaussianTaps(size, std)],
      ['kernel_vertical', gaussianTaps(size, stdAcross)],
    ] as const) {
      const stored = fixture.has(name) ? fixture.plain(name).dataSync() : [];
      if (stored.length === 0) report.notListed(`${fixture.id} ${name}`);
      stored.forEach((weight, tap) => expect(taps[tap]).toBeCloseTo(weight, 7));
    }
  });
  const truncated = `y_${size - 1}taps_truncated`;
  if (!fixture.has(truncated)) continue;
  // Not an option of the plugin: DDRM's matrices lack the last tap, and its cut-off is absolute.
  report.case(`${fixture.id} ${truncated}`, () => {
    const axis = (length: number, taps: Float64Array) =>
      axisMatrix(length, length, (output) =>
        [...taps].slice(0, -1).flatMap((weight, tap) => {
          const input = output + tap - (size - 1) / 2;
          return input >= 0 && input < length ? [[input, weight] as const] : [];
        }),
      );
    const same = (length: number) => axisMatrix(length, length, (output) => [[output, 1]]);
    const [rows, columns] = [axis(height, gaussianTaps(size, stdAcross)), axis(width, gaussianTaps(size, std))];
    const y = (
      [
        [rows, same(width)],
        [same(height), columns],
      ] as const
    ).reduce<Image>((x, [vertical, horizontal]) => {
      const largest = separable(vertical, horizontal, channels).svd({}).singularValues.max().dataSync()[0]!;
      const { forward, pseudoInverse } = separable(vertical, horizontal, channels, { cutoff: 0.03 / largest });
      return forward(pseudoInverse(forward(x, {}), {}), {}) as Image;
    }, fixture.x);
    expect(largestGap(y, fixture.image(truncated))).toBeLessThan(1e-5);
  });
}
