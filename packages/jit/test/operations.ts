import type { TensorTree } from '@tweedie/core';
import { reachable, type Value } from '../src/graph/graph.ts';
import { finished } from '../src/passes/finish.ts';
import { trace } from '../src/tracing/trace.ts';

type Traceable = (...args: never[]) => TensorTree;

/** The values of a traced and finished function, in order. */
export const tracedValues = (fn: Traceable, ...args: TensorTree[]): readonly Value[] =>
  reachable(finished(trace(fn, args).outputs));

/** The operations among values, in order. */
export const namesOf = (values: readonly Value[]): string[] =>
  values.flatMap(({ source }) => (source.kind === 'operation' ? [source.op] : []));

/** The operations of a traced function, in order. */
export const operations = (fn: Traceable, ...args: TensorTree[]): string[] => namesOf(tracedValues(fn, ...args));

export const count = (ops: readonly string[], op: string): number => ops.filter((name) => name === op).length;
