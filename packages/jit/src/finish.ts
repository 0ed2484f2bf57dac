/** What becomes of a traced graph before it is written: marks go, some results are computed twice, and activations take their fastest form. */
import { MARK } from '@tweedie/core';
import { createGraph, type Graph, reachable, type Value } from './graph.ts';
import { rematerialized } from './recompute.ts';
import { type Activations, written } from './swish.ts';

type Rewriting = (g: Graph, op: string, inputs: readonly Value[]) => Value | undefined;

/** The same outputs with some operations replaced, simplified again. */
function rewrite(outputs: readonly Value[], replace: Rewriting, graph = createGraph()): Value[] {
  const rewritten = new Map<Value, Value>();
  const now = (value: Value): Value => rewritten.get(value) ?? value;
  for (const value of reachable(outputs)) {
    const { source, shape, dtype, at } = value;
    if (source.kind !== 'operation') continue;
    graph.at = at;
    const inputs = source.inputs.map(now);
    rewritten.set(value, replace(graph, source.op, inputs) ?? graph.operation(source.op, inputs, { shape, dtype }, source.attributes));
  }
  return outputs.map(now);
}

const withoutMarks: Rewriting = (_, op, [x]) => (op === MARK ? x : undefined);

export function finished(outputs: readonly Value[], activations: Activations): Value[] {
  const repeated = rematerialized(createGraph(), rewrite(outputs, withoutMarks));
  return rewrite(repeated, (g, op, inputs) => written(g, op, inputs, activations), createGraph(false));
}
