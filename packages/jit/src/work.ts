/** How much work a graph has for several threads. */
import { reachable, sizeOf, type Value } from './graph.ts';

/** Waking a second thread takes about as long as this many multiply-adds: with less in each operation, one thread is faster. */
export const SHARED_FROM = 2 ** 19;

/** Graphs that write fewer numbers than this (4 GB) have their memory planned. */
export const PLANNED_BELOW = 2 ** 30;

/** An exponential, a broadcast or a pass over memory, in multiply-adds of a matrix product. */
const ELEMENTWISE = 10;

/** Multiply-adds of one operation, roughly. */
function work({ source, shape }: Value): number {
  if (source.kind !== 'operation') return 0;
  const [x, y] = source.inputs;
  if (source.op === 'Einsum') return Infinity;
  if (source.op === 'MatMul') return sizeOf(shape) * (x?.shape.at(-1) ?? 1);
  if (source.op === 'Conv' && y !== undefined) return sizeOf(shape) * sizeOf(y.shape.slice(1));
  if (source.op === 'ConvTranspose' && x !== undefined && y !== undefined) return sizeOf(x.shape) * sizeOf(y.shape.slice(1));
  return ELEMENTWISE * Math.max(sizeOf(shape), sizeOf(x?.shape ?? []));
}

/** Numbers that all operations together write. */
export const numbersWritten = (outputs: readonly Value[]): number =>
  reachable(outputs).reduce((sum, { source, shape }) => sum + (source.kind === 'operation' ? sizeOf(shape) : 0), 0);

export const largestWork = (outputs: readonly Value[]): number => reachable(outputs).reduce((largest, value) => Math.max(largest, work(value)), 0);
