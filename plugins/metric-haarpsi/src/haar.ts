/** Planes of numbers, and what HaarPSI does with them. */

/** One channel of a picture, row-major. */
export type Plane = { readonly values: Float64Array; readonly height: number; readonly width: number };

const at = ({ values, height, width }: Plane, row: number, column: number): number =>
  row < 0 || column < 0 || row >= height || column >= width ? 0 : (values[row * width + column] ?? NaN);

/** A plane of the same size whose entries `fn` gives. */
const mapped = ({ height, width }: Plane, fn: (row: number, column: number) => number): Plane => ({
  values: Float64Array.from({ length: height * width }, (_, k) => fn(Math.floor(k / width), k % width)),
  height,
  width,
});

const blockMean = (plane: Plane, row: number, column: number): number =>
  (at(plane, row, column) + at(plane, row, column + 1) + at(plane, row + 1, column) + at(plane, row + 1, column + 1)) /
  4;

/** Means of 2 x 2 blocks. Where a side is odd, both are one longer first, with zeros; half a block is left out. */
export function halved({ height, width, ...plane }: Plane): Plane {
  const more = Math.max(height % 2, width % 2);
  const [rows, columns] = [Math.floor((height + more) / 2), Math.floor((width + more) / 2)];
  const whole = { ...plane, height, width };
  return mapped({ values: new Float64Array(), height: rows, width: columns }, (row, column) =>
    blockMean(whole, 2 * row, 2 * column),
  );
}

/** | mean of 2 x 2 entries | from each one on, zeros beyond the border. */
export const smoothed = (plane: Plane): Plane =>
  mapped(plane, (row, column) => Math.abs(blockMean(plane, row, column)));

/**
 * | Haar coefficients | of an orientation at every place: the sum of the upper (left) half of a square of side `size`
 * less that of the lower (right) one, over `size`; zeros beyond the border, size / 2 - 1 before and size / 2 behind.
 */
export function haar(plane: Plane, size: number, orientation: 'rows' | 'columns'): Plane {
  const before = size / 2 - 1;
  const { height, width } = plane;
  // Sums over everything above and to the left make each square four look-ups.
  const sums = new Float64Array((height + 1) * (width + 1));
  for (let row = 0; row < height; row++) {
    let sum = 0;
    for (let column = 0; column < width; column++) {
      sum += at(plane, row, column);
      sums[(row + 1) * (width + 1) + column + 1] = (sums[row * (width + 1) + column + 1] ?? 0) + sum;
    }
  }
  const upTo = (row: number, column: number): number =>
    sums[Math.min(Math.max(row, 0), height) * (width + 1) + Math.min(Math.max(column, 0), width)] ?? 0;
  const box = (row: number, column: number, rows: number, columns: number): number =>
    upTo(row + rows, column + columns) - upTo(row, column + columns) - upTo(row + rows, column) + upTo(row, column);
  const half = size / 2;
  return mapped(plane, (row, column) => {
    const [top, left] = [row - before, column - before];
    const difference =
      orientation === 'rows'
        ? box(top, left, half, size) - box(top + half, left, half, size)
        : box(top, left, size, half) - box(top, left + half, size, half);
    return Math.abs(difference) / size;
  });
}
