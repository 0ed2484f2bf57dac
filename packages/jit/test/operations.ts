import { reachable, type Value } from '../src/graph/graph.ts';
import { trace } from '../src/tracing/trace.ts';

/** The values of a traced and finished function, in order. */
export const tracedValues = (fn: (...args: never[]) => unknown, ...args: unknown[]): readonly Value[] => reachable(trace(fn as never, args as never).outputs);

const namesOf = (values: readonly Value[]): string[] => values.flatMap(({ source }) => (source.kind === 'operation' ? [source.op] : []));

/** The operations of a traced function, in order. */
export const operations = (fn: (...args: never[]) => unknown, ...args: unknown[]): string[] => namesOf(tracedValues(fn, ...args));

export const count = (ops: readonly string[], op: string): number => ops.filter((name) => name === op).length;
