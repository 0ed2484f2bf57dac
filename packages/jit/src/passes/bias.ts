/** A constant for each channel that is added to a convolution becomes its bias, which takes no pass over memory. */
import { type Graph, reachable, sizeOf, type Value } from '../graph/graph.ts';
import { reshape } from '../graph/ops.ts';
import { isFixed } from './fixed.ts';

type Pair = { readonly conv: Value; readonly bias: Value };

function pairOf({ source }: Value): Pair | undefined {
  if (source.kind !== 'operation' || source.op !== 'Add') return undefined;
  const [a, b] = source.inputs;
  if (a === undefined || b === undefined) return undefined;
  const [conv, bias] = isFixed(a) ? [b, a] : [a, b];
  const channels = conv.shape[1] ?? 1;
  return conv.source.kind === 'operation' &&
    conv.source.op === 'Conv' &&
    isFixed(bias) &&
    sizeOf(bias.shape) === channels &&
    bias.shape.at(1 - conv.shape.length) === channels
    ? { conv, bias }
    : undefined;
}

/** The sums of a convolution that nothing else uses and a constant for each of its channels. */
export function biasesIn(outputs: readonly Value[]): ReadonlyMap<Value, Pair> {
  const values = reachable(outputs);
  const uses = new Map<Value, number>();
  for (const value of [
    ...outputs,
    ...values.flatMap(({ source }) => (source.kind === 'operation' ? source.inputs : [])),
  ])
    uses.set(value, (uses.get(value) ?? 0) + 1);
  return new Map(
    values.flatMap((value) => {
      const pair = pairOf(value);
      return pair !== undefined && uses.get(pair.conv) === 1 ? [[value, pair]] : [];
    }),
  );
}

/** The convolution with its bias; undefined where it took another form on its way. */
export function withBias(g: Graph, { source, shape, dtype, at }: Value, bias: Value): Value | undefined {
  if (source.kind !== 'operation' || source.op !== 'Conv') return undefined;
  g.at = at;
  return g.operation(
    'Conv',
    [...source.inputs, reshape(g, bias, [shape[1] ?? 1])],
    { shape, dtype },
    source.attributes,
  );
}
