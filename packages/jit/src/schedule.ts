/**
 * The order of a graph's operations, and what is computed twice instead of kept.
 *
 * ONNX Runtime runs an operation's inputs in depth first order, the one that stands last in the file first. Operations are therefore written
 * by their depth, the longest way from an input: of two operands the deep one, a gradient that came through the whole network, is then
 * computed before the shallow one, what that gradient meets of the forward pass. Else every layer's share would be made at once, and kept.
 */
import { type Graph, reachable, sizeOf, type Value } from './graph.ts';

export type Depths = ReadonlyMap<Value, number>;

/** The longest way to each value from one that is not computed. */
export function depthsOf(values: readonly Value[]): Depths {
  const depths = new Map<Value, number>();
  for (const value of values) {
    const inputs = value.source.kind === 'operation' ? value.source.inputs : [];
    depths.set(value, inputs.reduce((deepest, input) => Math.max(deepest, (depths.get(input) ?? 0) + 1), 0));
  }
  return depths;
}

/** What `outputs` are computed from, in the order to be written; of `leaves` it does not matter what they are made of. */
export function scheduled(outputs: readonly Value[], isLeaf?: (value: Value) => boolean): readonly Value[] {
  const values = reachable(outputs, isLeaf);
  const depths = depthsOf(values);
  return [...values].sort((a, b) => (depths.get(a) ?? 0) - (depths.get(b) ?? 0) || a.id - b.id);
}

/** Smaller values are not worth a second computation. */
const LARGE = 2 ** 12;
/** Nor is anything where fewer numbers than this would be kept (256 MB). */
const WORTHWHILE = 2 ** 26;
/** Uses this much deeper than a value are in another part of the computation: in the reverse pass, seen from the forward pass. */
const FAR = 24;

const cheap = new Set(['Add', 'Sub', 'Mul', 'Div', 'Neg', 'Abs', 'Sqrt', 'Relu', 'Swish', 'Exp', 'Tanh', 'ExactSigmoid', 'Clip', 'Where', 'Cast', 'Max', 'Min', 'Reshape', 'Transpose', 'Expand']);

/**
 * Cheap elementwise results of the forward pass that the reverse pass needs are computed again there, where what they are made of is still
 * in memory anyway: of a norm and its activation only the norm's input is kept.
 */
export function rematerialized(g: Graph, outputs: readonly Value[]): Value[] {
  const values = reachable(outputs);
  const depths = depthsOf(values);
  const depth = (value: Value): number => depths.get(value) ?? 0;
  const lastUse = new Map<Value, number>(outputs.map((value) => [value, Infinity]));
  const uses = new Map<Value, number[]>();
  for (const value of values) {
    if (value.source.kind !== 'operation') continue;
    for (const input of value.source.inputs) {
      lastUse.set(input, Math.max(lastUse.get(input) ?? 0, depth(value)));
      uses.set(input, [...(uses.get(input) ?? []), depth(value)]);
    }
  }
  const isKept = (value: Value, until: number): boolean => value.source.kind !== 'operation' || sizeOf(value.shape) < LARGE || (lastUse.get(value) ?? 0) > until;
  const isCheap = ({ source }: Value): boolean => source.kind === 'operation' && cheap.has(source.op);
  const canRepeat = (value: Value, until: number): boolean =>
    value.source.kind === 'operation' && isCheap(value) && value.source.inputs.every((input) => isKept(input, until) || canRepeat(input, until));

  /** Values to be repeated, for uses at this depth or deeper. */
  const repeats = new Map<Value, number>();
  for (const value of values) {
    if (sizeOf(value.shape) < LARGE || !isCheap(value)) continue;
    const [near, ...far] = (uses.get(value) ?? []).sort((a, b) => a - b);
    const first = far.find((use) => use > depth(value) + FAR);
    if (near !== undefined && near <= depth(value) + FAR && first !== undefined && canRepeat(value, first)) repeats.set(value, first);
  }

  if ([...repeats.keys()].reduce((sum, { shape }) => sum + sizeOf(shape), 0) < WORTHWHILE) return [...outputs];

  const rewritten = new Map<Value, Value>();
  const repeated = new Map<Value, Value>();
  const again = (value: Value, until: number): Value => {
    const { source, shape, dtype } = value;
    if (source.kind !== 'operation' || isKept(value, until) && !repeats.has(value)) return rewritten.get(value) ?? value;
    const known = repeated.get(value);
    if (known !== undefined) return known;
    const inputs = source.inputs.map((input) => again(input, until));
    g.at = value.at;
    const copy = g.copy(source.op, inputs, { shape, dtype }, source.attributes);
    repeated.set(value, copy);
    return copy;
  };
  for (const value of values) {
    const { source, shape, dtype } = value;
    if (source.kind !== 'operation') continue;
    const inputs = source.inputs.map((input) => {
      const from = repeats.get(input);
      return from !== undefined && depth(value) >= from ? again(input, from) : (rewritten.get(input) ?? input);
    });
    g.at = value.at;
    rewritten.set(value, g.operation(source.op, inputs, { shape, dtype }, source.attributes));
  }
  return outputs.map((value) => rewritten.get(value) ?? value);
}
