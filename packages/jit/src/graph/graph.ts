/**
 * The graph that a trace writes: values with a shape and a type, each an input, a constant, or one ONNX operation on
 * earlier values. Values are immutable and numbered in the order they were made, so ascending ids are a topological
 * order.
 */

/** TensorFlow.js's types, and the two that only ONNX knows: positions, and intermediate results of more digits. */
export type Dtype = 'float32' | 'int32' | 'bool' | 'int64' | 'float64';
export type Data = Float32Array | Int32Array | Uint8Array | BigInt64Array;
export type Shape = readonly number[];
/**
 * The attributes of an ONNX operation: whole numbers and lists of them stand as they are, real numbers as { float }.
 */
export type Attributes = { readonly [name: string]: number | string | readonly number[] | { readonly float: number } };

/** The kernel of TensorFlow.js that made a value, and the line of the user's code that called for it. */
export type Source = { readonly kernel: string; readonly line: () => string };

export type Value = {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** The source of the value, where sources are recorded. */
  readonly at?: Source | undefined;
  readonly source:
    | { readonly kind: 'input'; readonly name: string }
    /** `data` holds one element where all elements are equal. */
    | { readonly kind: 'constant'; readonly data: Data; readonly uniform: boolean }
    | Operation;
};
export type Operation = {
  readonly kind: 'operation';
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
};
export type Type = { readonly shape: Shape; readonly dtype: Dtype };

export interface Graph {
  /** The source that the operations made next are given. */
  at: Source | undefined;
  input(name: string, type: Type): Value;
  constant(data: Data, type: Type): Value;
  /** The operation, or what it simplifies to. */
  operation(op: string, inputs: readonly Value[], type: Type, attributes?: Attributes): Value;
  /** The operation once more, though it may have been made before. */
  copy(op: string, inputs: readonly Value[], type: Type, attributes?: Attributes): Value;
}

/**
 * Numbers in the array that their type says: the cpu backend of TensorFlow.js casts int32 and bool to float32 without
 * touching the array.
 */
export const inArrayOf = (
  data: Exclude<Data, BigInt64Array>,
  dtype: 'float32' | 'int32' | 'bool',
): Exclude<Data, BigInt64Array> => {
  const wanted = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype];
  return data instanceof wanted ? data : wanted.from(data);
};

export const sizeOf = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);
export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((n, axis) => n === b[axis]);

const bytesOfType: { readonly [D in Dtype]: number } = { float32: 4, int32: 4, int64: 8, float64: 8, bool: 1 };
export const bytesOf = ({ shape, dtype }: Value): number => sizeOf(shape) * bytesOfType[dtype];

/**
 * All values that `outputs` are computed from, themselves included, in an order of computation. The rest of the graph
 * is dead. What a leaf is made of is left out.
 */
export function reachable(
  outputs: readonly Value[],
  isLeaf: (value: Value) => boolean = () => false,
): readonly Value[] {
  const seen = new Set<Value>();
  const pending = [...outputs];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (value.source.kind === 'operation' && !isLeaf(value)) pending.push(...value.source.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** All elements of a constant. */
export function elements({ source, shape }: Value): Data {
  if (source.kind !== 'constant') throw new Error('jit: not a constant.');
  const { data, uniform } = source;
  if (!uniform) return data;
  const length = sizeOf(shape);
  if (data instanceof Float32Array) return new Float32Array(length).fill(data[0] ?? 0);
  if (data instanceof Int32Array) return new Int32Array(length).fill(data[0] ?? 0);
  if (data instanceof Uint8Array) return new Uint8Array(length).fill(data[0] ?? 0);
  return new BigInt64Array(length).fill(data[0] ?? 0n);
}

/** The number that every element of a constant equals, or undefined. */
export function uniformValue({ source }: Value): number | undefined {
  return source.kind === 'constant' && source.uniform ? Number(source.data[0]) : undefined;
}

/** True where a value is the same at every call: a constant, or made of constants alone. */
export const isConstant = ({ source }: Value): boolean =>
  source.kind === 'constant' || (source.kind === 'operation' && source.inputs.every(isConstant));
