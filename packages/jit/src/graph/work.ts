/** How much work a graph is, and whether it is enough for several threads. */
import { bytesOf, type Operation, reachable, type Shape, sizeOf, type Value } from './graph.ts';

/**
 * Waking a second thread takes about as long as this many multiply-adds: with less in each operation, one thread is
 * faster.
 */
export const SHARED_FROM = 2 ** 19;

/** Graphs that write less than this have their memory planned. */
export const PLANNED_BELOW = 2 ** 32;

/**
 * What an exponential, a broadcast or a pass over memory costs for each number, in multiply-adds of a matrix product.
 */
const ELEMENTWISE = 10;

/** Multiply-adds of a product of matrices or a convolution; undefined for other operations. */
function multiplyAdds({ op, inputs: [x, y], attributes }: Operation, shape: Shape): number | undefined {
  if (x === undefined || y === undefined) return undefined;
  if (op === 'MatMul' || op === 'FusedMatMul')
    return sizeOf(shape) * (y.shape.at(attributes['transB'] === 1 ? -1 : -2) ?? 1);
  if (op === 'Conv' || op === 'BlockedConv') return sizeOf(shape) * sizeOf(y.shape.slice(1));
  return op === 'ConvTranspose' ? sizeOf(x.shape) * sizeOf(y.shape.slice(1)) : undefined;
}

const larger = (shape: Shape, x: Value | undefined): number => Math.max(sizeOf(shape), sizeOf(x?.shape ?? []));

/** Multiply-adds of one operation, roughly. */
const work = ({ source, shape }: Value): number =>
  source.kind === 'operation' ? (multiplyAdds(source, shape) ?? ELEMENTWISE * larger(shape, source.inputs[0])) : 0;

export const largestWork = (outputs: readonly Value[]): number =>
  reachable(outputs).reduce((largest, value) => Math.max(largest, work(value)), 0);

/** Operations that only move numbers. */
const moving = new Set([
  'Concat',
  'Expand',
  'Gather',
  'GatherElements',
  'GatherND',
  'Identity',
  'Pad',
  'Reshape',
  'Resize',
  'Slice',
  'Split',
  'Transpose',
]);

/**
 * Floating point operations: two for each multiply-add, otherwise one for each number that is made or, in a reduction,
 * read.
 */
export function flops({ source, shape }: Value): number {
  if (source.kind !== 'operation' || moving.has(source.op)) return 0;
  const products = multiplyAdds(source, shape);
  return products === undefined ? larger(shape, source.inputs[0]) : 2 * products;
}

/** Bytes that an operation reads and writes; a reshape moves nothing. */
export const bytesMoved = (value: Value): number =>
  value.source.kind === 'operation' && value.source.op !== 'Reshape'
    ? [value, ...value.source.inputs].reduce((sum, it) => sum + bytesOf(it), 0)
    : 0;

/** Bytes that all operations together write. */
export const bytesWritten = (outputs: readonly Value[]): number =>
  reachable(outputs).reduce((sum, value) => sum + (value.source.kind === 'operation' ? bytesOf(value) : 0), 0);
