/**
 * Convolutions with filters that are no constants, in the layout of ONNX Runtime's fastest kernels: channels in blocks
 * that fill a register, the numbers of a block side by side. Where filters are constants ONNX Runtime does so itself.
 */
import { FILTER, inBlocks, inPlanes } from '../graph/filter.ts';
import type { Graph, Operation, Value } from '../graph/graph.ts';

/**
 * Gives the value that replaces one of the old graph, or undefined to keep its operation, whose inputs are of the new
 * graph.
 */
export type Rewriting = (g: Graph, value: Value, operation: Operation) => Value | undefined;

/**
 * Writes each `Filter`, and each convolution with one in blocks of `width` channels where they are whole blocks;
 * undefined for other operations. A width of 1 leaves convolutions as they are.
 */
export function filtersIn(width: number): Rewriting {
  const filters = new Map<Value, Operation>();
  const blocks = new Map<Value, Value>();
  return (g, { shape }, operation) => {
    const { op, inputs, attributes } = operation;
    if (op === FILTER) {
      const planes = inPlanes(g, shape, operation);
      filters.set(planes, operation);
      return planes;
    }
    const [x, planes] = inputs;
    if (op !== 'Conv' || attributes['group'] !== 1 || width === 1) return undefined;
    const filter = planes && filters.get(planes);
    if (x === undefined || planes === undefined || filter === undefined) return undefined;
    if (planes.shape.slice(0, 2).some((channels) => channels % width !== 0)) return undefined;
    const ordered = blocks.get(planes) ?? inBlocks(g, planes.shape, filter, width);
    blocks.set(planes, ordered);
    const type = { shape, dtype: 'float32' } as const;
    const made = g.operation('BlockedConv', [g.operation('ReorderInput', [x], x), ordered], type, attributes);
    return g.operation('ReorderOutput', [made], type, { channels: shape[1] ?? 1 });
  };
}
