/**
 * The numbers of Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin & Gray 2016, arXiv:1509.09308, section 4). In one
 * dimension, four outputs y of a filter g over six numbers d are
 *   y = A^T ((G g) * (B^T d)),
 * one product for each of six points at which polynomials are evaluated, multiplied and interpolated (Toom-Cook).
 *
 * The points are 0, +-3/4, +-3/2 and infinity, all exact in float32. The largest error is then 2e-6 of the largest
 * output; with the usual 0, +-1, +-2 it is 1e-5, of the convolution itself 5e-7 (256 channels of normal numbers).
 */
const POINTS = [0, 0.75, -0.75, 1.5, -1.5];
/** How many outputs a tile has along one axis, how many numbers a filter, and how many inputs the tile. */
export const TILE = 4;
export const TAPS = 3;
export const PLACES = TILE + TAPS - 1;

const others = (point: number): number[] => POINTS.filter((p) => p !== point);
/** The coefficients of the product of x - p over `points`, constant first. */
const coefficients = (points: readonly number[]): number[] =>
  points.reduce<number[]>((known, p) => [...known, 0].map((_, i) => (known[i - 1] ?? 0) - p * (known[i] ?? 0)), [1]);
const powers = (point: number, count: number): number[] => Array.from({ length: count }, (_, i) => point ** i);
/** The powers of the point at infinity, where only the highest counts. */
const highest = (count: number): number[] => Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0));

/** For each pair of points the products of their rows: a list of 36 rows. */
const inTwoDimensions = (rows: readonly (readonly number[])[]): number[][] =>
  rows.flatMap((down) => rows.map((across) => down.flatMap((a) => across.map((b) => a * b))));

/** B^T, G and A in two dimensions. */
export const ofInputs = inTwoDimensions([...POINTS.map((p) => [...coefficients(others(p)), 0]), coefficients(POINTS)]);
const ofFilters = inTwoDimensions([
  ...POINTS.map((p) => powers(p, TAPS).map((power) => power / others(p).reduce((product, q) => product * (p - q), 1))),
  highest(TAPS),
]);
export const ofOutputs = inTwoDimensions([...POINTS.map((p) => powers(p, TILE)), highest(TILE)]);

/** The operation on a constant filter [channels out, channels in, 3, 3] that gives [36, channels out, channels in]. */
export const WINOGRAD_FILTER = 'WinogradFilter';

/** G g G^T of one filter after the other, written to 36 planes of one number for each filter. */
export function winogradFilters(filters: Float32Array, to: Float32Array): Float32Array {
  const [size, count] = [TAPS ** 2, filters.length / TAPS ** 2];
  ofFilters.forEach(([a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0], plane) => {
    // The sum is written out because it is most of the compile time that the method costs.
    for (let n = 0, k = 0; n < count; n++, k += size) {
      to[plane * count + n] =
        a * (filters[k] as number) +
        b * (filters[k + 1] as number) +
        c * (filters[k + 2] as number) +
        d * (filters[k + 3] as number) +
        e * (filters[k + 4] as number) +
        f * (filters[k + 5] as number) +
        g * (filters[k + 6] as number) +
        h * (filters[k + 7] as number) +
        i * (filters[k + 8] as number);
    }
  });
  return to;
}
