/**
 * Fixed values are known before any call: constants, and views of them (transposed, reversed, sliced), which filters
 * become on their way into a planar convolution or its reverse. A view is an offset and strides into the constant's
 * numbers, copied out only when the model is written, one at a time, so that the weights of a large network do not pile
 * up.
 */
import { bytesOf, type Data, elements, reachable, sameShape, sizeOf, type Shape, type Value } from '../graph/graph.ts';
import { WINOGRAD_FILTER, winogradFilters } from './winograd-filter.ts';

type View = {
  readonly base: Value;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
};

const contiguous = (shape: Shape): number[] => shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
const listed = (x: Value | undefined): number[] | undefined =>
  x?.source.kind === 'constant' ? Array.from(elements(x), Number) : undefined;

const moves = new Set(['Transpose', 'Reshape', 'Slice']);

function viewOf(value: Value): View | undefined {
  const { source, shape } = value;
  if (source.kind === 'constant') return { base: value, shape, strides: contiguous(shape), offset: 0 };
  if (source.kind !== 'operation' || !moves.has(source.op)) return undefined;
  const [input, begin, , , steps] = source.inputs;
  const view = input && viewOf(input);
  if (view === undefined) return undefined;
  const { base, strides, offset } = view;
  if (source.op === 'Transpose') {
    const perm = source.attributes['perm'] as readonly number[];
    return { base, shape, strides: perm.map((axis) => strides[axis] ?? 1), offset };
  }
  if (source.op === 'Reshape') {
    const moved = view.shape.flatMap((n, axis) => (n === 1 ? [] : [strides[axis]]));
    const kept = contiguous(view.shape).filter((_, axis) => view.shape[axis] !== 1);
    return moved.every((stride, i) => stride === kept[i])
      ? { base, shape, strides: contiguous(shape), offset }
      : undefined;
  }
  const [from, by] = [listed(begin), listed(steps)];
  if (from === undefined || by === undefined) return undefined;
  return {
    base,
    shape,
    strides: strides.map((stride, axis) => stride * (by[axis] ?? 1)),
    offset: from.reduce((sum, first, axis) => sum + first * (strides[axis] ?? 1), offset),
  };
}

/**
 * The filter that a value is the Winograd form of, the only computation on constants that is done ahead; otherwise
 * undefined.
 */
const filterOf = ({ source }: Value): Value | undefined =>
  source.kind === 'operation' && source.op === WINOGRAD_FILTER ? source.inputs[0] : undefined;

/** True where the value is a constant, a view of one, or the Winograd form of such a filter. */
export const isFixed = (value: Value): boolean => viewOf(filterOf(value) ?? value) !== undefined;

/** Bytes of all fixed values that `outputs` need, as they will be written. */
export const constantBytes = (outputs: readonly Value[]): number =>
  reachable(outputs, isFixed).reduce((sum, value) => sum + (isFixed(value) ? bytesOf(value) : 0), 0);

/**
 * A text for the numbers that a filter [channels out, channels in, 3, 3] is made of. A convolution's input gradient
 * takes the same filter turned by 180 degrees with its channel axes swapped: that one has the same text, and `turned`
 * is true.
 */
export function originOf(filter: Value): { readonly origin: string; readonly turned: boolean } {
  const view = viewOf(filter);
  if (view === undefined) throw new Error('jit: not a constant.');
  const {
    base,
    shape: [outputs = 1, inputs = 1, ...kernel],
    strides: [output = 0, input = 0, ...taps],
    offset,
  } = view;
  if (taps.some((stride) => stride > 0))
    return { origin: String([base.id, offset, outputs, inputs, output, input, ...taps]), turned: false };
  const first = taps.reduce((sum, stride, axis) => sum + stride * ((kernel[axis] ?? 1) - 1), offset);
  return {
    origin: String([base.id, first, inputs, outputs, input, output, ...taps.map((stride) => -stride)]),
    turned: true,
  };
}

/** Arrays used again for every copy, because fresh memory costs more than the copying. */
const scratch = { view: new Float32Array(0), filters: new Float32Array(0) };
function scratchOf(name: keyof typeof scratch, size: number): Float32Array {
  if (scratch[name].length < size) scratch[name] = new Float32Array(size);
  return scratch[name].subarray(0, size);
}

/** All elements of a fixed value. With `fleeting` they may be overwritten by the next call. */
export function fixedElements(value: Value, fleeting = false): Data {
  const filter = filterOf(value);
  if (filter !== undefined) {
    const size = sizeOf(value.shape);
    return winogradFilters(
      fixedElements(filter, true) as Float32Array,
      fleeting ? scratchOf('filters', size) : new Float32Array(size),
    );
  }
  const view = viewOf(value);
  if (view === undefined) throw new Error('jit: not a constant.');
  const data = elements(view.base);
  const size = sizeOf(view.shape);
  if (sameShape(view.strides, contiguous(view.shape))) return data.subarray(view.offset, view.offset + size);
  if (!fleeting || !(data instanceof Float32Array))
    return copied(data as Float32Array, view, data.slice(0, size) as Float32Array);
  return copied(data, view, scratchOf('view', size));
}

/**
 * Copies a view element by element, along the axis whose numbers lie closest in the constant, so that it reads whole
 * cache lines.
 */
function copied(from: Float32Array, { shape, strides, offset }: View, to: Float32Array): Float32Array {
  const places = contiguous(shape);
  const axes = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  const inner = axes.reduce(
    (best, axis) => (Math.abs(strides[axis] ?? 0) < Math.abs(strides[best] ?? 0) ? axis : best),
    axes[0] ?? 0,
  );
  const [length = 1, stride = 0, place = 0] = [shape[inner], strides[inner], places[inner]];
  const visit = ([axis, ...rest]: readonly number[], source: number, target: number): void => {
    if (axis === undefined) {
      for (let i = 0; i < length; i++) to[target + i * place] = from[source + i * stride] as number;
      return;
    }
    for (let i = 0; i < (shape[axis] ?? 1); i++)
      visit(rest, source + i * (strides[axis] ?? 0), target + i * (places[axis] ?? 0));
  };
  visit(
    axes.filter((axis) => axis !== inner),
    offset,
    0,
  );
  return to;
}
