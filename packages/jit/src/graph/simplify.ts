/**
 * Operations that need not be computed. TensorFlow.js's gradients multiply by tensors of ones, broadcast early and
 * reshape often; here such operations vanish as they are traced. Every rule keeps the value to the bit (except the sign
 * of a zero).
 */
import { elementwiseLayout, planarLayout } from './layout.ts';
import { swish, swishGradient } from './swish.ts';
import {
  type Attributes,
  type Graph,
  sameShape,
  type Shape,
  sizeOf,
  type Type,
  uniformValue,
  type Value,
} from './graph.ts';
import { binary, broadcast, concat, expand, reshape, transpose, unary } from './ops.ts';

type Rule = (g: Graph, inputs: readonly Value[], type: Type, attributes: Attributes) => Value | undefined;

const unaries = [
  'Abs',
  'Acos',
  'Acosh',
  'Asin',
  'Asinh',
  'Atan',
  'Atanh',
  'Cast',
  'Ceil',
  'Clip',
  'Cos',
  'Cosh',
  'Erf',
  'ExactSigmoid',
  'Exp',
  'Floor',
  'IsInf',
  'IsNaN',
  'Log',
  'Neg',
  'Not',
  'Reciprocal',
  'Relu',
  'Round',
  'Sigmoid',
  'Sign',
  'Sin',
  'Sinh',
  'Softplus',
  'Sqrt',
  'Swish',
  'Tan',
  'Tanh',
];
const binaries = [
  'Add',
  'And',
  'Div',
  'Equal',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'Max',
  'Min',
  'Mod',
  'Mul',
  'Or',
  'Pow',
  'Sub',
  'SwishGradient',
  'Xor',
];
const elementwise = new Set([...unaries, ...binaries, 'Where']);
const commutative = new Set(['Add', 'Mul']);

/** The smaller value of which `x` is a repetition, or `x`: elementwise work is done on it, before the repetition. */
function narrow(g: Graph, x: Value): Value {
  const { source } = x;
  if (source.kind === 'constant' && source.uniform && x.shape.length > 0)
    return g.constant(source.data, { shape: [], dtype: x.dtype });
  const [inner] = source.kind === 'operation' ? source.inputs : [];
  if (source.kind !== 'operation' || inner === undefined) return x;
  const led = x.shape.length - inner.shape.length;
  const onlyLeadingOnes = led > 0 && x.shape.every((n, axis) => n === (axis < led ? 1 : inner.shape[axis - led]));
  return source.op === 'Expand' || (source.op === 'Reshape' && onlyLeadingOnes) ? inner : x;
}

/** Computes at the smallest shape that the operands need, then repeats. */
const narrowed = (
  g: Graph,
  op: string,
  inputs: readonly Value[],
  type: Type,
  attributes: Attributes,
): Value | undefined => {
  const small = inputs.map((x) => narrow(g, x));
  if (small.every((x, i) => x === inputs[i])) return undefined;
  const shape = broadcast(...small.map((x) => x.shape));
  return expand(g, g.operation(op, small, { shape, dtype: type.dtype }, attributes), type.shape);
};

/** Below this many numbers a reshape costs more than it saves. */
const WORTH_A_RESHAPE = 2 ** 12;
/** Below this many numbers an operand with one channel is not repeated for the channels of the others. */
const WORTH_REPEATING = 2 ** 10;

/**
 * Computes without the axes that have length 1 in all operands: ONNX Runtime broadcasts in runs that end at such an
 * axis, so that a number times [1000, 1, 1, 8] takes four times as long as times [1000, 8]. Leading axes do no harm and
 * stay, as convolutions need them.
 */
const squeezed = (
  g: Graph,
  op: string,
  inputs: readonly Value[],
  { shape, dtype }: Type,
  attributes: Attributes,
): Value | undefined => {
  if (sizeOf(shape) < WORTH_A_RESHAPE) return undefined;
  const first = shape.findIndex((n) => n !== 1);
  const isKept = (axis: number): boolean => axis <= first || shape[axis] !== 1;
  if (first < 0 || shape.every((_, axis) => isKept(axis))) return undefined;
  const squeeze = (own: Shape): number[] => own.filter((_, axis) => isKept(axis + shape.length - own.length));
  const small = inputs.map((x) => reshape(g, x, squeeze(x.shape)));
  return reshape(g, g.operation(op, small, { shape: squeeze(shape), dtype }, attributes), shape);
};

/**
 * Repeats operands with one channel where others have two to four: ONNX Runtime broadcasts along the last axis in runs
 * as short as that, and an image times its mask takes a third of the time with a repeated mask, which all its uses
 * share.
 */
const repeated = (
  g: Graph,
  op: string,
  inputs: readonly Value[],
  { shape, dtype }: Type,
  attributes: Attributes,
): Value | undefined => {
  const channels = shape.at(-1) ?? 1;
  if (channels === 1 || channels > 4) return undefined;
  const wide = inputs.map((x) =>
    x.shape.at(-1) === 1 && sizeOf(x.shape) >= WORTH_REPEATING
      ? concat(
          g,
          Array.from({ length: channels }, () => x),
          x.shape.length - 1,
        )
      : x,
  );
  return wide.every((x, i) => x === inputs[i]) ? undefined : g.operation(op, wide, { shape, dtype }, attributes);
};

/** The first operand of `x` where `x` is made by the operation `op`. */
const operand = (x: Value | undefined, op: string): Value | undefined =>
  x?.source.kind === 'operation' && x.source.op === op ? x.source.inputs[0] : undefined;

const isPowerOfTwo = (x: number): boolean =>
  x > 0 && Number.isInteger(Math.log2(x)) && 2 ** Math.log2(x) === x && Number.isFinite(Math.fround(1 / x));

const rules: { readonly [op: string]: Rule } = {
  Identity: (_, [x]) => x,

  Cast: (_, [x], { dtype }) => (x?.dtype === dtype ? x : undefined),

  Reshape(g, [x], { shape, dtype }) {
    if (x === undefined) return undefined;
    if (sameShape(x.shape, shape)) return x;
    if (x.source.kind === 'constant') return g.constant(x.source.data, { shape, dtype });
    const spread = operand(x, 'Expand');
    if (spread !== undefined && sizeOf(spread.shape) === 1) return expand(g, reshape(g, spread, []), shape);
    const inner = operand(x, 'Reshape');
    return inner === undefined ? undefined : reshape(g, inner, shape);
  },

  Expand(g, [x], { shape, dtype }) {
    if (x === undefined) return undefined;
    if (sizeOf(x.shape) === sizeOf(shape)) return reshape(g, x, shape);
    if (x.source.kind === 'constant' && x.source.uniform) return g.constant(x.source.data, { shape, dtype });
    const inner = operand(x, 'Expand');
    return inner === undefined ? undefined : expand(g, inner, shape);
  },

  Transpose(g, [x], { shape, dtype }, { perm }) {
    if (x === undefined || !Array.isArray(perm)) return undefined;
    const moved = perm.filter((axis: number) => x.shape[axis] !== 1);
    if (x.source.kind === 'constant' && x.source.uniform) return g.constant(x.source.data, { shape, dtype });
    // Only axes of length 1 change place: the elements stay where they are.
    if (moved.every((axis: number, i) => i === 0 || axis > (moved[i - 1] ?? 0))) return reshape(g, x, shape);
    const inner = operand(x, 'Transpose');
    if (inner === undefined || x.source.kind !== 'operation') return undefined;
    const first = x.source.attributes.perm;
    return Array.isArray(first)
      ? transpose(
          g,
          inner,
          perm.map((axis: number) => first[axis]),
        )
      : undefined;
  },

  Add(g, [a, b], { shape }) {
    if (a === undefined || b === undefined) return undefined;
    if (uniformValue(a) === 0) return expand(g, b, shape);
    if (uniformValue(b) === 0) return expand(g, a, shape);
    const [negatedA, negatedB] = [operand(a, 'Neg'), operand(b, 'Neg')];
    if (negatedB !== undefined) return binary(g, 'Sub', a, negatedB);
    return negatedA === undefined ? undefined : binary(g, 'Sub', b, negatedA);
  },

  Sub(g, [a, b], { shape }) {
    if (a === undefined || b === undefined) return undefined;
    if (uniformValue(b) === 0) return expand(g, a, shape);
    if (uniformValue(a) === 0) return expand(g, unary(g, 'Neg', b), shape);
    const negated = operand(b, 'Neg');
    return negated === undefined ? undefined : binary(g, 'Add', a, negated);
  },

  Mul(g, [a, b], { shape }) {
    if (a === undefined || b === undefined) return undefined;
    if (uniformValue(a) === 1) return expand(g, b, shape);
    if (uniformValue(b) === 1) return expand(g, a, shape);
    if (uniformValue(a) === -1) return expand(g, unary(g, 'Neg', b), shape);
    return uniformValue(b) === -1 ? expand(g, unary(g, 'Neg', a), shape) : undefined;
  },

  Div(g, [a, b], { shape, dtype }) {
    if (a === undefined || b === undefined) return undefined;
    const divisor = uniformValue(b);
    if (divisor === 1) return expand(g, a, shape);
    if (dtype !== 'float32' || divisor === undefined || !isPowerOfTwo(divisor)) return undefined;
    return binary(g, 'Mul', a, g.constant(Float32Array.of(1 / divisor), { shape: b.shape, dtype }));
  },

  Pow(g, [a, b], { shape, dtype }) {
    if (a === undefined || b === undefined) return undefined;
    const exponent = uniformValue(b);
    if (exponent === 1) return expand(g, a, shape);
    if (exponent === 2) return expand(g, binary(g, 'Mul', a, a), shape);
    return exponent === 0.5 && dtype === 'float32' ? expand(g, unary(g, 'Sqrt', a), shape) : undefined;
  },

  Neg: (_, [x]) => operand(x, 'Neg'),

  Where: (g, [, a, b], { shape }) => (a !== undefined && a === b ? expand(g, a, shape) : undefined),

  Slice: (_, [x, , , , steps], { shape }) =>
    x !== undefined && steps !== undefined && uniformValue(steps) === 1 && sameShape(x.shape, shape) ? x : undefined,

  // A padding may be negative: one that takes as much from one end as it puts to the other changes no shape.
  Pad: (_, [x, pads]) => (pads !== undefined && uniformValue(pads) === 0 ? x : undefined),
};

const overSingletons: Rule = (g, [x], { shape }) =>
  x !== undefined && sameShape(x.shape, shape) ? reshape(g, x, shape) : undefined;
const reductions: { readonly [op: string]: Rule } = {
  ReduceSum: overSingletons,
  ReduceMax: overSingletons,
  ReduceMin: overSingletons,
  ReduceProd: overSingletons,
};

/** A simpler value equal to the operation, or undefined where it has to be computed. */
export function simplify(
  g: Graph,
  op: string,
  inputs: readonly Value[],
  type: Type,
  attributes: Attributes,
): Value | undefined {
  const simpler = (rules[op] ?? reductions[op])?.(g, inputs, type, attributes);
  if (simpler !== undefined) return simpler;
  const [a, b] = inputs;
  if (commutative.has(op) && a !== undefined && b !== undefined && a.id > b.id)
    return g.operation(op, [b, a], type, attributes);
  if (!elementwise.has(op)) return planarLayout(g, op, inputs, type, attributes);
  return (
    narrowed(g, op, inputs, type, attributes) ??
    elementwiseLayout(g, op, inputs, type, attributes) ??
    squeezed(g, op, inputs, type, attributes) ??
    repeated(g, op, inputs, type, attributes) ??
    swish(g, op, inputs) ??
    swishGradient(g, op, inputs)
  );
}
