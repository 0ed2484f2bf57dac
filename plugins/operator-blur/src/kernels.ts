/** Blur kernels; all have sum 1. */
import type { KeyedRandom } from '@tweedie/core';

/** Row-major [height, width]. */
export type Kernel = { readonly height: number; readonly width: number; readonly weights: Float64Array };

function normalised(weights: Float64Array): Float64Array {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

const bell = (offset: number, std: number): number => Math.exp(-0.5 * (offset / std) ** 2);

export const uniformTaps = (size: number): Float64Array => new Float64Array(size).fill(1 / size);

/** A Gaussian at whole offsets from -(size - 1) / 2. */
export const gaussianTaps = (size: number, std: number): Float64Array =>
  normalised(new Float64Array(size).map((_, tap) => bell(tap - (size - 1) / 2, std)));

/**
 * The Gaussian of the DPS program: cut at 4 std; where `size` is smaller, what would lie outside is mirrored back, the
 * last tap repeated (a filtered delta of that size).
 */
export function releasedGaussianTaps(size: number, std: number): Float64Array {
  const radius = Math.floor(4 * std + 0.5);
  const taps = new Float64Array(size);
  for (let offset = -radius; offset <= radius; offset++) {
    const place = ((((size - 1) / 2 + offset) % (2 * size)) + 2 * size) % (2 * size);
    const tap = Math.min(place, 2 * size - 1 - place);
    taps[tap] = (taps[tap] ?? 0) + bell(offset, std);
  }
  return normalised(taps);
}

/** A Gaussian of std `along` a direction, clockwise from horizontal as one looks at the picture, and `across` it. */
export function turnedGaussian(size: number, along: number, across: number, degrees: number): Kernel {
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  const weights = new Float64Array(size * size).map((_, place) => {
    const [right, down] = [(place % size) - (size - 1) / 2, Math.floor(place / size) - (size - 1) / 2];
    return bell(cos * right + sin * down, along) * bell(cos * down - sin * right, across);
  });
  return { height: size, width: size, weights: normalised(weights) };
}

/** Points of a path for each tap of its kernel's side: dense enough that neighbours share a pixel. */
const POINTS_PER_TAP = 16;

/**
 * The path of a shaken camera: a random direction, which turns by 2 pi `intensity` (standard deviation) over the whole
 * path, as a random walk of normal steps; the path has length 0.75 (size - 1) and constant speed. It is centred, and
 * every point is shared among its four pixels by bilinear weights. The DPS program draws other paths, whose pixels
 * depend on a rasteriser.
 */
export function motionKernel(size: number, intensity: number, random: KeyedRandom): Kernel {
  const count = POINTS_PER_TAP * size;
  const step = (0.75 * (size - 1)) / (count - 1);
  const turns = random.normal('motion turns', count);
  const [start = 0] = random.uniform('motion direction', 1);
  const path = { right: new Float64Array(count), down: new Float64Array(count) };
  let direction = 2 * Math.PI * start;
  for (let k = 1; k < count; k++) {
    path.right[k] = (path.right[k - 1] ?? 0) + step * Math.cos(direction);
    path.down[k] = (path.down[k - 1] ?? 0) + step * Math.sin(direction);
    direction += (2 * Math.PI * intensity * (turns[k] ?? 0)) / Math.sqrt(count);
  }
  const centred = (values: Float64Array) => {
    const middle = (Math.min(...values) + Math.max(...values)) / 2;
    return values.map((value) => value - middle + (size - 1) / 2);
  };
  const [right, down] = [centred(path.right), centred(path.down)];
  const weights = new Float64Array(size * size);
  for (let k = 0; k < count; k++) {
    const [x, y] = [right[k] ?? 0, down[k] ?? 0];
    const [column, row] = [Math.floor(x), Math.floor(y)];
    for (const [i, j] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ] as const) {
      const share = (1 - Math.abs(y - row - i)) * (1 - Math.abs(x - column - j));
      // A pixel with a share of zero may lie outside of the kernel.
      if (share > 0) weights[(row + i) * size + column + j] = (weights[(row + i) * size + column + j] ?? 0) + share;
    }
  }
  return { height: size, width: size, weights: normalised(weights) };
}

/** The kernel for an image whose height or width is 1: summed over that axis, since nothing moves along it. */
export function summedOverSingleAxes(
  { height, width, weights }: Kernel,
  [imageHeight, imageWidth]: readonly [number, number, number],
): Kernel {
  const [rows, columns] = [imageHeight === 1 ? 1 : height, imageWidth === 1 ? 1 : width];
  const summed = new Float64Array(rows * columns);
  weights.forEach((weight, place) => {
    const at = (rows === 1 ? 0 : Math.floor(place / width)) * columns + (columns === 1 ? 0 : place % width);
    summed[at] = (summed[at] ?? 0) + weight;
  });
  return { height: rows, width: columns, weights: summed };
}
