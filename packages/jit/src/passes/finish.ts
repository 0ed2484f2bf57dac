/**
 * Runs the passes over a traced graph before it is written: marks go, some results are computed twice, activations and
 * convolutions take their fastest form.
 */
import { AGAIN, MARK } from '@tweedie/core';
import { createGraph } from '../graph/create-graph.ts';
import { reachable, type Value } from '../graph/graph.ts';
import { filtersIn, type Rewriting } from './blocked.ts';
import { rematerialized } from './recompute.ts';
import { type Activations, written } from '../graph/swish.ts';
import { type Transformed, winograd, winogradIn } from './winograd.ts';

/** The same outputs with some operations replaced, simplified again. */
function rewrite(outputs: readonly Value[], replace: Rewriting, graph = createGraph()): Value[] {
  const rewritten = new Map<Value, Value>();
  const now = (value: Value): Value => rewritten.get(value) ?? value;
  for (const value of reachable(outputs)) {
    const { source, shape, dtype, at } = value;
    if (source.kind !== 'operation') continue;
    graph.at = at;
    const inputs = source.inputs.map(now);
    rewritten.set(
      value,
      replace(graph, value, { ...source, inputs }) ??
        graph.operation(source.op, inputs, { shape, dtype }, source.attributes),
    );
  }
  return outputs.map(now);
}

const withoutMarks: Rewriting = (_, __, { op, inputs: [x] }) => (op === MARK ? x : undefined);

export interface Target {
  readonly activations?: Activations;
  /** Channels of a block in ONNX Runtime's fastest convolutions on this machine; 1, the default, where it has none. */
  readonly blockWidth?: number;
}

/** The outputs of a graph as they are written for a target. */
export function finished(
  outputs: readonly Value[],
  { activations = 'fast', blockWidth = 1 }: Target = {},
): readonly Value[] {
  const repeated = rematerialized(createGraph(), rewrite(outputs, withoutMarks));
  const wide = activations === 'fast' ? winogradIn(repeated) : new Set<Value>();
  const known: Transformed = new Map();
  const withFilter = filtersIn(blockWidth);
  const inFastestForm: Rewriting = (g, value, operation) => {
    const { op, inputs, attributes } = operation;
    const [x, filter] = inputs;
    // Nothing is merged any more.
    if (op === AGAIN) return x;
    if (x !== undefined && filter !== undefined && wide.has(value))
      return winograd(g, value, x, filter, attributes['pads'] as readonly number[], known);
    return withFilter(g, value, operation) ?? written(g, op, inputs, activations);
  };
  return rewrite(repeated, inFastestForm, createGraph(false));
}
