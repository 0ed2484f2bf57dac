/**
 * The order of a graph's operations.
 *
 * ONNX Runtime runs an operation's inputs in depth first order, the one that stands last in the file first. Operations
 * are therefore written by their depth, the longest way from an input: of two operands the deep one, a gradient that
 * came through the whole network, is then computed before the shallow one, what that gradient meets of the forward
 * pass. Else every layer's share would be made at once, and kept.
 */
import { reachable, type Value } from '../graph/graph.ts';

export type Depths = ReadonlyMap<Value, number>;

/** The length of the longest way to each value from one that is not computed. */
export function depthsOf(values: readonly Value[]): Depths {
  const depths = new Map<Value, number>();
  for (const value of values) {
    const inputs = value.source.kind === 'operation' ? value.source.inputs : [];
    depths.set(
      value,
      inputs.reduce((deepest, input) => Math.max(deepest, (depths.get(input) ?? 0) + 1), 0),
    );
  }
  return depths;
}

/** The values that `outputs` are computed from, in the order to be written; what a leaf is made of is left out. */
export function scheduled(outputs: readonly Value[], isLeaf?: (value: Value) => boolean): readonly Value[] {
  const values = reachable(outputs, isLeaf);
  const depths = depthsOf(values);
  return [...values].sort((a, b) => (depths.get(a) ?? 0) - (depths.get(b) ?? 0) || a.id - b.id);
}

/** The place of each value in the order in which ONNX Runtime computes them from a file written as above. */
export function placesOf(outputs: readonly Value[]): ReadonlyMap<Value, number> {
  const inFile = new Map(scheduled(outputs).map((value, index) => [value, index]));
  const ascending = (values: readonly Value[]): Value[] =>
    [...values].sort((a, b) => (inFile.get(a) ?? 0) - (inFile.get(b) ?? 0));
  const places = new Map<Value, number>();
  const opened = new Set<Value>();
  const pending = ascending(outputs);
  for (let value = pending.at(-1); value !== undefined; value = pending.at(-1)) {
    if (opened.has(value)) {
      pending.pop();
      if (!places.has(value)) places.set(value, places.size);
    } else {
      opened.add(value);
      const inputs = value.source.kind === 'operation' ? value.source.inputs : [];
      pending.push(...ascending(inputs.filter((input) => !opened.has(input))));
    }
  }
  return places;
}
