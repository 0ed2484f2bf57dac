/**
 * Filters that change from call to call, as in training. ONNX Runtime brings constant filters into the order that its
 * fastest convolutions take when it makes a session; these are brought into order at every call. Which order that is
 * stays open until the graph is finished (passes/blocked.ts): a trace writes the operation `Filter`.
 *
 * Transposes of ONNX Runtime are fast where one axis moves past a block of others: 20 to 60 microseconds for 128 to 128
 * channels, 310 to 440 where axes change places in one transpose. The second of two steps is therefore an Einsum, into
 * which ONNX Runtime does not look: two transposes it would merge, also around a reshape.
 */
import { type Graph, type Operation, sizeOf, type Value } from './graph.ts';
import { reshape, reverse, transpose } from './ops.ts';

export const FILTER = 'Filter';

/**
 * A filter of TensorFlow.js, [height, width, in, out], as a convolution takes it, [out, in, height, width]. Turned by
 * 180 degrees with its channel axes swapped, [in, out, height, width], it is that of the input gradient.
 */
export function filterOf(g: Graph, filter: Value, turned: boolean): Value {
  const [height = 1, width = 1, inputs = 1, outputs = 1] = filter.shape;
  const shape = [...(turned ? [inputs, outputs] : [outputs, inputs]), height, width];
  return g.operation(FILTER, [filter], { shape, dtype: filter.dtype }, { turned: turned ? 1 : 0 });
}

/** [taps, in, out], the taps in the order of `Filter`. */
function ofTaps(g: Graph, { inputs: [filter], attributes }: Operation): Value {
  if (filter === undefined) throw new Error('jit: Filter needs a filter.');
  const taps = reshape(g, filter, [sizeOf(filter.shape.slice(0, 2)), ...filter.shape.slice(2)]);
  return attributes['turned'] === 1 ? reverse(g, taps, [0]) : taps;
}

/** A `Filter` as its shape says. */
export function inPlanes(g: Graph, shape: readonly number[], filter: Operation): Value {
  const taps = ofTaps(g, filter);
  const rows = filter.attributes['turned'] === 1 ? taps : transpose(g, taps, [0, 2, 1]);
  const matrix = reshape(g, rows, [rows.shape[0] ?? 1, sizeOf(rows.shape.slice(1))]);
  const type = { shape: [...matrix.shape].reverse(), dtype: matrix.dtype };
  return reshape(g, g.operation('Einsum', [matrix], type, { equation: 'tc->ct' }), shape);
}

/**
 * A `Filter` [a, b, height, width] in blocks of `width` channels: the numbers are those of an array [a / width, b /
 * width, height, width, width of b, width of a].
 */
export function inBlocks(g: Graph, shape: readonly number[], filter: Operation, width: number): Value {
  const taps = ofTaps(g, filter);
  const [count = 1, inputs = 1, outputs = 1] = taps.shape;
  const blocks = reshape(g, taps, [count, inputs / width, width, outputs / width, width]);
  if (filter.attributes['turned'] !== 1) return reshape(g, transpose(g, blocks, [3, 1, 0, 2, 4]), shape);
  const turned = transpose(g, blocks, [1, 3, 0, 2, 4]);
  return reshape(g, g.operation('Einsum', [turned], turned, { equation: 'abcde->abced' }), shape);
}
