/** Runs a function once on placeholders and gives the graph that it wrote. */
import {
  addMark,
  type Cost,
  leavesOf,
  mapTree,
  MARK,
  type MarkKind,
  messageOf,
  noCost,
  onBackend,
  type Tensor,
  tf,
  type TensorTree,
  withDeepStacks,
  withoutHiddenInputs,
} from '@tweedie/core';
import { tracingBackend } from './backend.ts';
import { createGraph } from '../graph/create-graph.ts';
import { type Dtype, type Graph, reachable, type Value } from '../graph/graph.ts';
import { reshape, sliceAxis } from '../graph/ops.ts';
import { withSources } from './source.ts';
import { refusedAt } from './source-line.ts';

/** The name of the input that holds all numbers among the arguments, as one vector. */
export const SCALARS = 'scalars';
export const inputName = (index: number): string => `in${index}`;

export type Trace = {
  readonly inputs: readonly Value[];
  /** As they were traced; `finished` makes of them what is written. */
  readonly outputs: readonly Value[];
  /** The result with the position among the outputs in place of each tensor or number. */
  readonly result: TensorTree;
  /** The cost of one call, counted from the marks that the outputs depend on. */
  readonly cost: Cost;
};

/** The cost of the marks that are computed; equal marks were traced as one. */
function count(outputs: readonly Value[]): Cost {
  return reachable(outputs).reduce((cost, { source, shape }) => {
    if (source.kind !== 'operation' || source.op !== MARK) return cost;
    return addMark(cost, source.attributes['kind'] as MarkKind, shape[0] ?? 1);
  }, noCost);
}

export function refuseWhileTracing(): void {
  if (tracingBackend().graph === undefined) return;
  throw new Error(
    'jit: a compiled function was called inside another one. Call the plain function there; it becomes part of the outer graph.',
  );
}

export interface TraceOptions {
  /** Record where each value comes from. It doubles the time of a trace. */
  readonly sources?: boolean;
  /** The name of an input that is a tensor, by its place among the leaves of the arguments. */
  readonly names?: (index: number) => string;
}

type Backend = ReturnType<typeof tracingBackend>;

/** Runs `body` on the tracing backend, which writes to `graph` for that time, whatever happens. */
function whileTracing<T>(graph: Graph, sources: boolean, body: (backend: Backend) => T): T {
  const backend = tracingBackend();
  backend.graph = graph;
  try {
    return onBackend('jit', () => {
      if (!sources) return withDeepStacks(() => body(backend));
      return withSources((sourceOf) => {
        backend.sourceOf = sourceOf;
        return body(backend);
      });
    });
  } catch (error) {
    const line = error instanceof Error ? refusedAt(error) : undefined;
    throw line === undefined
      ? error
      : new Error(`jit: ${messageOf(error)} (refused by TensorFlow.js at ${line})`, { cause: error });
  } finally {
    backend.graph = undefined;
    backend.sourceOf = undefined;
  }
}

export function trace(
  fn: (...args: never) => TensorTree,
  args: readonly TensorTree[],
  { sources = false, names = inputName }: TraceOptions = {},
): Trace {
  const graph = createGraph();
  const leaves = leavesOf(args);
  const numbers = leaves.filter((leaf) => typeof leaf === 'number').length;
  return whileTracing(graph, sources, (backend) => {
    const outputs: Value[] = [];
    const inputs: Value[] = [];
    let result: TensorTree = [];
    tf.tidy(() => {
      const scalars = numbers > 0 ? graph.input(SCALARS, { shape: [numbers], dtype: 'float32' }) : undefined;
      if (scalars !== undefined) inputs.push(scalars);
      let position = 0;
      const placeholder = (leaf: Tensor | number, index: number): Value => {
        if (typeof leaf === 'number' && scalars !== undefined) {
          const at = position++;
          return reshape(graph, sliceAxis(graph, scalars, 0, at, at + 1), []);
        }
        const { shape, dtype } = leaf as Tensor;
        const input = graph.input(names(index), { shape, dtype: dtype as Dtype });
        inputs.push(input);
        return input;
      };
      let index = 0;
      const placeholders = mapTree(args, (leaf) =>
        tf.engine().makeTensorFromTensorInfo(backend.handle(placeholder(leaf, index++)), backend),
      );
      const returned = withoutHiddenInputs(() => fn(...(placeholders as never)));
      if (returned instanceof Promise)
        throw new Error('jit: a compiled function must be synchronous, this one returned a promise.');
      result = mapTree(
        returned,
        (leaf) => outputs.push(backend.value(typeof leaf === 'number' ? tf.scalar(leaf) : leaf)) - 1,
      );
    });
    return { inputs, outputs, result, cost: count(outputs) };
  });
}
