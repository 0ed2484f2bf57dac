/** Where tiles lie along one axis of a picture, and with which weights they are blended. */

export type Axis = {
  /** Pixels of the picture. */
  readonly length: number;
  /** Pixels of each tile. */
  readonly size: number;
  /** First pixel of each tile in the window, in whole multiples of what the network halves. */
  readonly starts: readonly number[];
  /** Pixels that the tiles cover: the picture and, where the grid shifts, a margin on both sides. */
  readonly window: number;
  /** How many places the grid may have, `multipleOf` pixels apart; 1 where it lies still. */
  readonly places: number;
};

export type Tiling = {
  /** The longest side of a tile, and what two neighbours share at least: multiples of `multipleOf`. */
  readonly tile: number;
  readonly overlap: number;
  readonly multipleOf: number;
  readonly shift: boolean;
};

/**
 * The fewest tiles that cover `length`, none longer than it need be. A grid that shifts repeats every tile - overlap.
 */
export const axisOf = (length: number, { tile, overlap, multipleOf, shift }: Tiling): Axis => {
  if (length <= tile) return { length, size: length, starts: [0], window: length, places: 1 };
  const stride = tile - overlap;
  if (shift) {
    const margin = stride - multipleOf;
    const count = Math.ceil((length + margin - tile) / stride) + 1;
    const starts = Array.from({ length: count }, (_, i) => i * stride);
    return { length, size: tile, starts, window: (count - 1) * stride + tile, places: stride / multipleOf };
  }
  const count = Math.ceil((length - overlap) / stride);
  const size = Math.ceil((length + (count - 1) * overlap) / count / multipleOf) * multipleOf;
  const step = (length - size) / (count - 1) / multipleOf;
  const starts = Array.from({ length: count }, (_, i) => Math.round(i * step) * multipleOf);
  return { length, size, starts, window: length, places: 1 };
};

/**
 * Weight of each pixel of each tile: a raised cosine over what it shares with a neighbour, 1 elsewhere, over the sum at
 * that pixel. They add up to 1 everywhere, and nearly vanish at an edge inside the picture, where a tile sees least.
 */
export const weightsOf = ({ size, starts, window }: Axis): readonly Float64Array[] => {
  const ramp = (into: number, shared: number): number =>
    into >= shared ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * (into + 0.5)) / shared);
  const raw = starts.map((start, i) => {
    const before = i === 0 ? 0 : (starts[i - 1] ?? 0) + size - start;
    const after = i === starts.length - 1 ? 0 : start + size - (starts[i + 1] ?? 0);
    return {
      start,
      weights: Float64Array.from({ length: size }, (_, k) => ramp(k, before) * ramp(size - 1 - k, after)),
    };
  });
  const sum = new Float64Array(window);
  for (const { start, weights } of raw)
    weights.forEach((weight, k) => {
      sum[start + k] = (sum[start + k] ?? 0) + weight;
    });
  return raw.map(({ start, weights }) => weights.map((weight, k) => weight / (sum[start + k] ?? 1)));
};

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * The step from one place of the grid to that of the next level, about `share` of all places and prime to their number,
 * so that all are visited.
 */
export const strideOf = (places: number, share: number): number => {
  let stride = Math.max(1, Math.round(share * places));
  while (gcd(stride, places) !== 1) stride++;
  return stride;
};
