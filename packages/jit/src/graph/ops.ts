/** The vocabulary of lowerings: ONNX operations with the shape of their result worked out. */
import { type Attributes, type Dtype, type Graph, type Shape, sizeOf, type Value } from './graph.ts';

export const ints = (g: Graph, values: readonly number[]): Value =>
  g.constant(
    BigInt64Array.from(values, (n) => BigInt(n)),
    { shape: [values.length], dtype: 'int64' },
  );

/** The constant `value` of type `dtype`, repeated over `shape` (by default a scalar). */
export function fill(g: Graph, value: number, dtype: Dtype, shape: Shape = []): Value {
  if (dtype === 'float64') return cast(g, fill(g, value, 'float32', shape), dtype);
  const data =
    dtype === 'float32'
      ? Float32Array.of(value)
      : dtype === 'int32'
        ? Int32Array.of(value)
        : dtype === 'bool'
          ? Uint8Array.of(value === 0 ? 0 : 1)
          : BigInt64Array.of(BigInt(value));
  return expand(g, g.constant(data, { shape: [], dtype }), shape);
}

export function broadcast(...shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1).filter((n) => n !== 1);
    const [size = 1] = sizes;
    if (sizes.some((n) => n !== size))
      throw new Error(
        `jit: shapes ${shapes.map((shape) => `[${shape.join(', ')}]`).join(' and ')} do not fit each other.`,
      );
    return size;
  });
}

export const unary = (g: Graph, op: string, x: Value, dtype = x.dtype, attributes: Attributes = {}): Value =>
  g.operation(op, [x], { shape: x.shape, dtype }, attributes);
export const binary = (g: Graph, op: string, a: Value, b: Value, dtype = a.dtype): Value =>
  g.operation(op, [a, b], { shape: broadcast(a.shape, b.shape), dtype });
export const compare = (g: Graph, op: string, a: Value, b: Value): Value => binary(g, op, a, b, 'bool');

export const add = (g: Graph, a: Value, b: Value): Value => binary(g, 'Add', a, b);
export const sub = (g: Graph, a: Value, b: Value): Value => binary(g, 'Sub', a, b);
export const mul = (g: Graph, a: Value, b: Value): Value => binary(g, 'Mul', a, b);
export const div = (g: Graph, a: Value, b: Value): Value => binary(g, 'Div', a, b);

export const cast = (g: Graph, x: Value, dtype: Dtype): Value => unary(g, 'Cast', x, dtype);
export const reshape = (g: Graph, x: Value, shape: Shape): Value =>
  g.operation('Reshape', [x, ints(g, shape)], { shape, dtype: x.dtype });
export const expand = (g: Graph, x: Value, shape: Shape): Value =>
  g.operation('Expand', [x, ints(g, shape)], { shape, dtype: x.dtype });

export const transpose = (g: Graph, x: Value, perm: readonly number[]): Value =>
  g.operation('Transpose', [x], { shape: perm.map((axis) => x.shape[axis] ?? 1), dtype: x.dtype }, { perm });

export function where(g: Graph, condition: Value, a: Value, b: Value): Value {
  const type = { shape: broadcast(condition.shape, a.shape, b.shape), dtype: a.dtype };
  if (a.dtype !== 'bool') return g.operation('Where', [condition, a, b], type);
  return cast(g, where(g, condition, cast(g, a, 'int32'), cast(g, b, 'int32')), 'bool');
}

/**
 * Every `steps`-th element along each axis, from `begin` to before `end`. A negative step runs backwards; `end` -1 then
 * means past the first element.
 */
export function slice(
  g: Graph,
  x: Value,
  begin: readonly number[],
  end: readonly number[],
  steps = begin.map(() => 1),
): Value {
  const shape = begin.map((from, axis) => Math.max(0, Math.ceil(((end[axis] ?? 0) - from) / (steps[axis] ?? 1))));
  const axes = x.shape.map((_, axis) => axis);
  const ends = end.map((to, axis) => (to < 0 ? -(x.shape[axis] ?? 0) - 1 : to));
  return g.operation('Slice', [x, ints(g, begin), ints(g, ends), ints(g, axes), ints(g, steps)], {
    shape,
    dtype: x.dtype,
  });
}

/** The part `from` to before `to` of one axis. */
export const sliceAxis = (g: Graph, x: Value, axis: number, from: number, to: number): Value =>
  slice(
    g,
    x,
    x.shape.map((_, i) => (i === axis ? from : 0)),
    x.shape.map((n, i) => (i === axis ? to : n)),
  );

export const reverse = (g: Graph, x: Value, axes: readonly number[]): Value =>
  slice(
    g,
    x,
    x.shape.map((n, i) => (axes.includes(i) ? n - 1 : 0)),
    x.shape.map((n, i) => (axes.includes(i) ? -1 : n)),
    x.shape.map((_, i) => (axes.includes(i) ? -1 : 1)),
  );

export function concat(g: Graph, parts: readonly Value[], axis: number): Value {
  const [first, ...rest] = parts;
  if (first === undefined) throw new Error('concat of no tensors');
  const length = parts.reduce((sum, part) => sum + (part.shape[axis] ?? 0), 0);
  if (rest.length === 0) return first;
  return g.operation(
    'Concat',
    parts,
    { shape: first.shape.map((n, i) => (i === axis ? length : n)), dtype: first.dtype },
    { axis },
  );
}

export function pad(g: Graph, x: Value, paddings: readonly (readonly [number, number])[], value = 0): Value {
  const shape = x.shape.map((n, i) => n + (paddings[i]?.[0] ?? 0) + (paddings[i]?.[1] ?? 0));
  const pads = ints(g, [...paddings.map((p) => p[0]), ...paddings.map((p) => p[1])]);
  return g.operation('Pad', [x, pads, fill(g, value, x.dtype)], { shape, dtype: x.dtype });
}

/** A reduction over `axes`; the reduced axes stay with length 1 where `keepDims`. */
export function reduce(g: Graph, op: string, x: Value, axes: readonly number[], keepDims = false): Value {
  const kept = x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
  const reduced = g.operation(op, [x, ints(g, axes)], { shape: kept, dtype: x.dtype }, { keepdims: 1 });
  return keepDims
    ? reduced
    : reshape(
        g,
        reduced,
        x.shape.filter((_, axis) => !axes.includes(axis)),
      );
}

export function matmul(g: Graph, a: Value, b: Value): Value {
  if (a.shape.at(-1) !== b.shape.at(-2))
    throw new Error(`jit: product of matrices of shapes [${a.shape.join(', ')}] and [${b.shape.join(', ')}].`);
  const shape = [...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), a.shape.at(-2) ?? 1, b.shape.at(-1) ?? 1];
  return g.operation('MatMul', [a, b], { shape, dtype: a.dtype });
}

/** A constant that holds numbers computed in JavaScript. */
export function table(g: Graph, values: readonly number[], dtype: Dtype, shape: Shape = [values.length]): Value {
  if (values.length !== sizeOf(shape)) throw new Error(`${values.length} values for shape [${shape.join(', ')}]`);
  return g.constant(
    dtype === 'int32'
      ? Int32Array.from(values)
      : dtype === 'bool'
        ? Uint8Array.from(values)
        : Float32Array.from(values),
    { shape, dtype },
  );
}
