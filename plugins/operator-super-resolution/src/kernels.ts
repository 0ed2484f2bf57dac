/** How one axis becomes shorter, as a matrix. */
import { type AxisMatrix, axisMatrix, ConfigError } from '@tweedie/core';

const where = 'operator/super-resolution';

/** Keys' cubic with a = -1/2. Keys 1981, Equation 4. */
function cubic(distance: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return 1.5 * x ** 3 - 2.5 * x ** 2 + 1;
  return x < 2 ? -0.5 * x ** 3 + 2.5 * x ** 2 - 4 * x + 2 : 0;
}

/**
 * The entry of an axis at `index`, mirrored at both ends, the last entry repeated: ... 1 0 | 0 1 ... n-1 | n-1 n-2
 * ...
 */
function mirrored(index: number, length: number): number {
  const folded = ((index % (2 * length)) + 2 * length) % (2 * length);
  return Math.min(folded, 2 * length - 1 - folded);
}

/** How much length / factor may be above a whole number by rounding. */
const ROUNDING = 1e-9;

/**
 * ceil(length / factor) outputs, centred on the axis; the cubic is stretched by the factor (antialiasing) and its
 * weights have sum 1. For a factor of 4 output i reads entries 4i - 6 to 4i + 9. Any factor of 1 or more and any
 * length.
 */
export function bicubic(length: number, factor: number): AxisMatrix {
  const outputs = Math.ceil(length / factor - ROUNDING);
  const shift = (outputs - length / factor) / 2;
  return axisMatrix(outputs, length, (output) => {
    const centre = (output + 0.5 - shift) * factor - 0.5;
    const first = Math.ceil(centre - 2 * factor);
    const weights = Array.from({ length: Math.floor(centre + 2 * factor) - first + 1 }, (_, tap) =>
      cubic((first + tap - centre) / factor),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight, tap) => [mirrored(first + tap, length), weight / sum] as const);
  });
}

/** The mean of every `factor` neighbours. */
export function block(length: number, factor: number): AxisMatrix {
  if (!Number.isInteger(factor) || length % factor !== 0) {
    throw new ConfigError(
      where,
      `blocks of factor ${factor} do not fill an image side of ${length}.`,
      'Choose a whole number that divides height and width, or kernel bicubic.',
    );
  }
  return axisMatrix(length / factor, length, (output) =>
    Array.from({ length: factor }, (_, tap) => [output * factor + tap, 1 / factor] as const),
  );
}

/** An axis of length 1. */
export const unchanged: AxisMatrix = axisMatrix(1, 1, () => [[0, 1]]);
