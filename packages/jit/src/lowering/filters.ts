/** Filters as convolutions take them, and their gradients. */
import { filterOf } from '../graph/filter.ts';
import { type Graph, isConstant, sizeOf, type Value } from '../graph/graph.ts';
import { planar } from '../graph/layout.ts';
import { concat, fill, mul, pad, reduce, reshape, reverse, transpose } from '../graph/ops.ts';
import { placesOf, taps, type Windows } from './windows.ts';

/** A filter of TensorFlow.js, [height, width, in, out], as [out, in, height, width]. */
export const filterPlanes = (g: Graph, filter: Value): Value =>
  isConstant(filter) ? transpose(g, filter, [3, 2, 0, 1]) : filterOf(g, filter, false);

/** A filter turned by 180 degrees with its channel axes swapped, [in, out, height, width], as gradients take it. */
export const turnedPlanes = (g: Graph, filter: Value): Value =>
  isConstant(filter) ? transpose(g, reverse(g, filter, [0, 1]), [2, 3, 0, 1]) : filterOf(g, filter, true);

/** `x` with `ahead` zeros ahead of it along an axis, or so many numbers less, cut or filled up to `length`. */
function moved(g: Graph, x: Value, axis: number, ahead: number, length: number): Value {
  const [own = 1, ...inner] = x.shape.slice(axis);
  const shape = x.shape.map((n, i) => (i === axis ? length : n));
  const behind = length - ahead - own;
  // Nothing of x is left.
  if (ahead >= length || behind >= length) return fill(g, 0, x.dtype, shape);
  const run = sizeOf(inner);
  if (length === own && own * run < SHORT) return movedTogether(g, x, axis, ahead * run);
  const rows = reshape(g, x, [sizeOf(x.shape.slice(0, axis)), own * run]);
  const padding = [
    [0, 0],
    [ahead * run, behind * run],
  ] as const;
  return reshape(g, pad(g, rows, padding), shape);
}

/**
 * Rows of fewer numbers than this are moved as one, and what comes from another row is then set to zero: one by one 96
 * planes of 16 images of 16 x 16 take 180 microseconds, together 70.
 */
const SHORT = 32;
/** The fewest numbers that a mask is made for and repeated over the rest. */
const MASKED = 256;

/** Rows along the axes from `axis` on, their numbers moved back by `ahead` with zeros in front. */
function movedTogether(g: Graph, x: Value, axis: number, ahead: number): Value {
  if (ahead === 0) return x;
  const shifted = pad(g, reshape(g, x, [1, sizeOf(x.shape)]), [
    [0, 0],
    [ahead, -ahead],
  ]);
  const row = sizeOf(x.shape.slice(axis));
  const outer = x.shape.findLastIndex((_, from) => from <= axis && sizeOf(x.shape.slice(from)) >= MASKED);
  const masked = sizeOf(x.shape.slice(Math.max(0, outer)));
  const isOwn = (i: number): boolean => (i % row) - ahead >= 0 && (i % row) - ahead < row;
  const mask = Float32Array.from({ length: masked }, (_, i) => (isOwn(i) ? 1 : 0));
  const kept = mul(
    g,
    reshape(g, shifted, [sizeOf(x.shape) / masked, masked]),
    g.constant(mask, { shape: [1, masked], dtype: 'float32' }),
  );
  return reshape(g, kept, x.shape);
}

/**
 * The gradient of a convolution with respect to its filter [...kernel, in, out]: for each tap the product of the planes
 * that it saw with those of dy, summed over places and batch.
 *
 * With stride 1 a tap moves the planes of x along some axes and those of dy along the others, the opposite way, so that
 * 3 x 3 taps take 2 + 2 moved copies in place of 9. Along the last axis, where only single numbers lie together, those
 * with fewer channels are moved.
 */
export function filterGradient(g: Graph, x: Value, dy: Value, filterShape: readonly number[], by: Windows): Value {
  const { kernel, before, count } = by;
  const [inputs, outputs] = [x.shape.at(-1) ?? 1, dy.shape.at(-1) ?? 1];
  const [batch = 1, ...space] = x.shape.slice(0, -1);
  if (by.strides.some((stride) => stride > 1)) {
    const back = planar(g, dy);
    return products(
      g,
      taps(g, x, by).map((seen) => [planar(g, seen), back]),
      filterShape,
    );
  }
  const isOfX = (axis: number): boolean => (axis === kernel.length - 1) === inputs <= outputs;
  const places = space.map((n, axis) => (isOfX(axis) ? (count[axis] ?? 1) : n));
  // Either the products of all images are summed, or images stand side by side and are one: what moves fewer numbers.
  const joined = sizeOf(kernel) * inputs * outputs > sizeOf(places) * (inputs + outputs);
  const planes = (image: Value): Value => {
    const own = planar(g, image);
    return joined ? transpose(g, own, [1, 0, ...own.shape.slice(2).map((_, axis) => axis + 2)]) : own;
  };
  const one = (image: Value): Value =>
    joined ? reshape(g, image, [1, image.shape[0] ?? 1, batch * sizeOf(places)]) : image;
  const [planesOfX, planesOfDy] = [planes(x), planes(dy)];
  const ofTaps = placesOf(by).map((place) => {
    const ahead = place.map((at, axis) => at - (before[axis] ?? 0));
    const along = (image: Value, sign: number, isMoved: (axis: number) => boolean): Value =>
      ahead.reduce(
        (now, by, axis) => (isMoved(axis) ? moved(g, now, axis + 2, sign * by, places[axis] ?? 1) : now),
        image,
      );
    return [one(along(planesOfX, -1, isOfX)), one(along(planesOfDy, 1, (axis) => !isOfX(axis)))] as const;
  });
  return products(g, ofTaps, filterShape);
}

/** For each tap the product of planes [batch, in, ...space] and [batch, out, ...space], over images and places. */
function products(
  g: Graph,
  ofTaps: readonly (readonly [seen: Value, back: Value])[],
  filterShape: readonly number[],
): Value {
  const [inputs = 1, outputs = 1] = filterShape.slice(-2);
  const matrices = ({ shape }: Value): number[] => [...shape.slice(0, 2), sizeOf(shape.slice(2))];
  const sums = ofTaps.map(([seen, back]) => {
    const pair = [seen, back].map((planes) => reshape(g, planes, matrices(planes)));
    const type = { shape: [seen.shape[0] ?? 1, inputs, outputs], dtype: 'float32' } as const;
    return reduce(g, 'ReduceSum', g.operation('FusedMatMul', pair, type, { transB: 1 }), [0], true);
  });
  return reshape(g, concat(g, sums, 0), filterShape);
}
