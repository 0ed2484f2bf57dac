/**
 * Computes values twice instead of keeping them. Cheap elementwise results of the forward pass that the reverse pass
 * needs are computed again there, if their operands are still in memory anyway: of a norm and its activation only the
 * norm's input is kept.
 */
import { type Graph, reachable, sizeOf, type Value } from '../graph/graph.ts';
import { type Depths, depthsOf, placesOf } from './schedule.ts';

/** Values with fewer numbers than this are not worth a second computation. */
const LARGE = 2 ** 12;
/** All values together are not worth it where keeping them takes fewer numbers than this (256 MB). */
const WORTHWHILE = 2 ** 26;
/**
 * A use that is this much deeper than its value counts as far away: for a value of the forward pass it is in the
 * reverse pass.
 */
const FAR = 24;
/**
 * Uses that ONNX Runtime comes to within this many operations share a second value. Two gradients of one network are
 * computed one after the other, and each makes its own: kept from the first for the second they would all be there at
 * once.
 */
const NEAR = 512;

const cheap = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Neg',
  'Abs',
  'Sqrt',
  'Relu',
  'Swish',
  'Exp',
  'Tanh',
  'ExactSigmoid',
  'Clip',
  'Where',
  'Cast',
  'Max',
  'Min',
  'Reshape',
  'Transpose',
  'Expand',
]);

const inputsOf = ({ source }: Value): readonly Value[] => (source.kind === 'operation' ? source.inputs : []);
const isCheap = ({ source }: Value): boolean => source.kind === 'operation' && cheap.has(source.op);
const isLarge = ({ shape }: Value): boolean => sizeOf(shape) >= LARGE;

/** The depths of the operations that use a value, ascending. */
function usesOf(values: readonly Value[], depths: Depths): ReadonlyMap<Value, readonly number[]> {
  const uses = new Map<Value, number[]>();
  for (const value of values)
    for (const input of inputsOf(value)) uses.set(input, [...(uses.get(input) ?? []), depths.get(value) ?? 0]);
  for (const list of uses.values()) list.sort((a, b) => a - b);
  return uses;
}

type Plan = {
  readonly depths: Depths;
  /** The values that are computed again, each with the depth from which on its uses take the second one. */
  readonly againFrom: ReadonlyMap<Value, number>;
  /** Whether a value is in memory beyond some depth without being computed again. */
  isKept(value: Value, beyond: number): boolean;
};

function planned(values: readonly Value[], outputs: readonly Value[]): Plan {
  const depths = depthsOf(values);
  const uses = usesOf(values, depths);
  const lastUse = new Map(values.map((value) => [value, uses.get(value)?.at(-1) ?? 0]));
  for (const output of outputs) lastUse.set(output, Infinity);

  const isKept = (value: Value, beyond: number): boolean =>
    value.source.kind !== 'operation' || !isLarge(value) || (lastUse.get(value) ?? 0) > beyond;
  const canBeMade = (value: Value, beyond: number, known = new Map<Value, boolean>()): boolean => {
    const answer =
      known.get(value) ??
      (isCheap(value) && inputsOf(value).every((input) => isKept(input, beyond) || canBeMade(input, beyond, known)));
    known.set(value, answer);
    return answer;
  };

  const againFrom = new Map<Value, number>();
  for (const value of values) {
    if (!isLarge(value) || !isCheap(value)) continue;
    const far = (depths.get(value) ?? 0) + FAR;
    const [near = Infinity, ...later] = uses.get(value) ?? [];
    const first = later.find((use) => use > far);
    if (near <= far && first !== undefined && canBeMade(value, first)) againFrom.set(value, first);
  }
  return { depths, againFrom, isKept };
}

/**
 * The same outputs, with cheap values computed again where they are used far from where they were made, if that saves
 * enough numbers.
 */
export function rematerialized(g: Graph, outputs: readonly Value[], worthwhile = WORTHWHILE, near = NEAR): Value[] {
  const values = reachable(outputs);
  const { depths, againFrom, isKept } = planned(values, outputs);
  if ([...againFrom.keys()].reduce((sum, { shape }) => sum + sizeOf(shape), 0) < worthwhile) return [...outputs];
  const once = new Map<Value, Value>();
  const twice = new Map<Value, { readonly place: number; readonly copy: Value }[]>();
  const places = placesOf(outputs);
  const now = (value: Value): Value => once.get(value) ?? value;

  /** The second value for a use at `place`, in which values that are deeper than `beyond` are not made again. */
  const again = (value: Value, beyond: number, place: number): Value => {
    const { source, shape, dtype, at } = value;
    if (source.kind !== 'operation' || (isKept(value, beyond) && !againFrom.has(value))) return now(value);
    const made = twice.get(value) ?? [];
    const known = made.find((one) => Math.abs(one.place - place) < near);
    if (known !== undefined) return known.copy;
    const inputs = source.inputs.map((input) => again(input, beyond, place));
    g.at = at;
    const copy = g.copy(source.op, inputs, { shape, dtype }, source.attributes);
    twice.set(value, [...made, { place, copy }]);
    return copy;
  };

  for (const value of values) {
    const { source, shape, dtype, at } = value;
    if (source.kind !== 'operation') continue;
    const inputs = source.inputs.map((input) => {
      const from = againFrom.get(input) ?? Infinity;
      return (depths.get(value) ?? 0) >= from ? again(input, from, places.get(value) ?? 0) : now(input);
    });
    g.at = at;
    once.set(value, g.operation(source.op, inputs, { shape, dtype }, source.attributes));
  }
  return outputs.map(now);
}
