/**
 * Wide 3 x 3 convolutions with a quarter of the multiplications (winograd-filter.ts): tiles of 6 x 6 numbers, four
 * apart, become 36 numbers each; for each of the 36 places one matrix product mixes the channels; and 36 numbers become
 * 4 x 4 outputs.
 *
 * A convolution's input gradient is a convolution with the filter turned by 180 degrees and its channels swapped: the
 * same products with transposed matrices, where every tile is turned on its way in and on its way out. Both share one
 * transformed filter.
 */
import { constantBytes, isFixed, originOf } from './fixed.ts';
import { bytesOf, type Graph, reachable, type Value } from '../graph/graph.ts';
import { concat, matmul, reshape, reverse, sliceAxis, table, transpose } from '../graph/ops.ts';
import { ofInputs, ofOutputs, PLACES, TAPS, TILE, WINOGRAD_FILTER } from './winograd-filter.ts';

const ALL = PLACES ** 2;
/** Below this many tiles the larger filters cost more than the products save. */
const ENOUGH_TILES = 64;
/** Above this many, 128 x 128 pixels, the strips and their union take memory for little time. */
const MOST_TILES = 1024;
/**
 * Channels in times channels out, over their sum, from which the method pays: products save time with the former,
 * passes over memory cost time with the latter, and both meet at 64.
 */
const ENOUGH_CHANNELS = 80;
/**
 * Bytes that a graph's constants and the filters in this form may take together; a filter is four times as large in it.
 */
const CONSTANTS = 820e6;
/** The most numbers that a strip of tiles may have in all places together; larger images are taken strip by strip. */
const STRIP = 2 ** 22;

const isList = (list: unknown, of: number): boolean => Array.isArray(list) && list.every((n) => n === of);
const tilesOf = ({ shape: [, , height = 1, width = 1] }: Value): readonly [down: number, across: number] => [
  height / TILE,
  width / TILE,
];

function pays(value: Value): boolean {
  const { source, shape } = value;
  if (source.kind !== 'operation' || source.op !== 'Conv' || shape.length !== 4) return false;
  const [, filter] = source.inputs;
  const { kernel_shape: kernel, strides, dilations, group } = source.attributes;
  if (
    filter === undefined ||
    !isFixed(filter) ||
    group !== 1 ||
    !isList(kernel, TAPS) ||
    !isList(strides, 1) ||
    !isList(dilations, 1)
  )
    return false;
  const [[outputs = 1, inputs = 1], [down, across]] = [filter.shape, tilesOf(value)];
  return (
    Number.isInteger(down) &&
    Number.isInteger(across) &&
    down * across >= ENOUGH_TILES &&
    down * across <= MOST_TILES &&
    (inputs * outputs) / (inputs + outputs) >= ENOUGH_CHANNELS
  );
}

/**
 * The convolutions to compute like this: those of the largest images, where a filter does most, as long as there is
 * room for filters.
 */
export function winogradIn(outputs: readonly Value[]): ReadonlySet<Value> {
  const area = (value: Value): number => tilesOf(value)[0] * tilesOf(value)[1];
  const chosen = new Set<string>();
  let room = CONSTANTS - constantBytes(outputs);
  const fits = ({ source }: Value): boolean => {
    const filter = source.kind === 'operation' ? source.inputs[1] : undefined;
    if (filter === undefined) return false;
    const { origin } = originOf(filter);
    const bytes = (bytesOf(filter) * ALL) / TAPS ** 2;
    if (!chosen.has(origin) && bytes <= room) {
      chosen.add(origin);
      room -= bytes;
    }
    return chosen.has(origin);
  };
  return new Set(
    reachable(outputs)
      .filter(pays)
      .sort((a, b) => area(b) - area(a))
      .filter(fits),
  );
}

/** Transformed filters by the text for their origin (`originOf`). */
export type Transformed = Map<string, Value>;

/**
 * The Winograd form [36, channels out, channels in] of a filter as it lies in its constant, and whether `filter` is
 * that one turned.
 */
function transformed(
  g: Graph,
  filter: Value,
  known: Transformed,
): { readonly filters: Value; readonly turned: boolean } {
  const { origin, turned } = originOf(filter);
  const straight = turned ? transpose(g, reverse(g, filter, [2, 3]), [1, 0, 2, 3]) : filter;
  const filters =
    known.get(origin) ??
    g.operation(WINOGRAD_FILTER, [straight], { shape: [ALL, ...straight.shape.slice(0, 2)], dtype: 'float32' });
  known.set(origin, filters);
  return { filters, turned };
}

/** The convolution `value` of `x`, [batch, channels, height, width], with `filter`. */
export function winograd(
  g: Graph,
  value: Value,
  x: Value,
  filter: Value,
  pads: readonly number[],
  known: Transformed,
): Value {
  const [batch = 1, inputs = 1, height = 1] = x.shape;
  const [down, across] = tilesOf(value);
  const [top = 0, left = 0, , right = 0] = pads;
  const { filters, turned } = transformed(g, filter, known);
  const fit = STRIP / (batch * inputs * ALL * across);
  const each = Array.from({ length: down }, (_, i) => down - i).find((rows) => down % rows === 0 && rows <= fit) ?? 1;
  const strips = Array.from({ length: down / each }, (_, i) => {
    const [from, to] = [i * each * TILE - top, (i + 1) * each * TILE - top + TAPS - 1];
    const strip = sliceAxis(g, x, 2, Math.max(0, from), Math.min(height, to));
    return convolved(
      g,
      strip,
      filters,
      turned,
      [Math.max(0, -from), left, Math.max(0, to - height), right],
      [each, across],
    );
  });
  return concat(g, strips, 2);
}

/** Reverses each row, which turns the tile that the row stands for by 180 degrees. */
const backwards = (rows: readonly (readonly number[])[]): number[][] => rows.map((row) => [...row].reverse());

function convolved(
  g: Graph,
  x: Value,
  filters: Value,
  turned: boolean,
  pads: readonly number[],
  [down, across]: readonly [number, number],
): Value {
  const [batch = 1, inputs = 1, ...space] = x.shape;
  const outputs = filters.shape[turned ? 2 : 1] ?? 1;
  const [toPlaces, toOutputs] = turned ? [backwards(ofInputs), backwards(ofOutputs)] : [ofInputs, ofOutputs];
  const tiles = down * across;
  const tile = { kernel_shape: [PLACES, PLACES], strides: [TILE, TILE], dilations: [1, 1], pads, group: 1 };
  const places = table(g, toPlaces.flat(), 'float32', [ALL, 1, PLACES, PLACES]);
  const seen = g.operation(
    'Conv',
    [reshape(g, x, [batch * inputs, 1, ...space]), places],
    { shape: [batch * inputs, ALL, down, across], dtype: 'float32' },
    tile,
  );
  // ONNX Runtime merges the transpose of a single image into the product.
  const byPlace =
    batch === 1
      ? transpose(g, reshape(g, seen, [inputs, ALL, tiles]), [1, 0, 2])
      : transpose(g, reshape(g, seen, [batch, inputs, ALL, tiles]), [0, 2, 1, 3]);
  const products = { shape: [...byPlace.shape.slice(0, -2), outputs, tiles], dtype: 'float32' } as const;
  // ONNX has no product with a transposed matrix, and a transposed constant would be a second one.
  const mixed = reshape(
    g,
    turned ? g.operation('FusedMatMul', [filters, byPlace], products, { transA: 1 }) : matmul(g, filters, byPlace),
    [batch, ALL, outputs * tiles],
  );
  const made = matmul(g, transpose(g, table(g, toOutputs.flat(), 'float32', [ALL, TILE ** 2]), [1, 0]), mixed);
  const blocks = reshape(g, made, [batch, TILE ** 2 * outputs, down, across]);
  return g.operation(
    'DepthToSpace',
    [blocks],
    { shape: [batch, outputs, down * TILE, across * TILE], dtype: 'float32' },
    { blocksize: TILE, mode: 'DCR' },
  );
}
