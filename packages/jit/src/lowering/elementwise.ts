import { AGAIN, MARK, tf } from '@tweedie/core';
import type { Dtype, Graph, Value } from '../graph/graph.ts';
import { add, binary, broadcast, cast, compare, div, fill, mul, sub, unary, where } from '../graph/ops.ts';
import type { Lowering, Lowerings } from './lowering.ts';

const float = (g: Graph, x: Value): Value => cast(g, x, 'float32');
/** The operand as a number: ONNX arithmetic knows no booleans. */
const number = (g: Graph, x: Value): Value => (x.dtype === 'bool' ? cast(g, x, 'int32') : x);
const like = (g: Graph, x: Value, value: number): Value => fill(g, value, x.dtype);

/** An operation on real numbers, whatever the type of its operand. */
const real =
  (op: string): Lowering =>
  (g, { x }) =>
    unary(g, op, float(g, x));
/** An operation that keeps the type of its operand. */
const same =
  (op: string): Lowering =>
  (g, { x }) =>
    cast(g, unary(g, op, number(g, x)), x.dtype);
const arithmetic =
  (op: string): Lowering =>
  (g, { a, b }) =>
    cast(g, binary(g, op, number(g, a), number(g, b)), a.dtype);

/**
 * A function whose float32 form in ONNX Runtime has one kernel for the bulk of an array and another for its ends: a
 * last bit that depends on the place of an entry. Computed in float64 and rounded, both give the same.
 */
const steady = (g: Graph, op: string, x: Value): Value => cast(g, unary(g, op, cast(g, x, 'float64')), 'float32');

function square(g: Graph, x: Value): Value {
  const n = number(g, x);
  return cast(g, mul(g, n, n), x.dtype);
}

/** 1 / (1 + e^-x), exact: ONNX Runtime's Sigmoid is off by 6e-8 absolute, so it loses all digits for x < -16. */
const sigmoid = (g: Graph, x: Value): Value => unary(g, 'ExactSigmoid', x);

/** log(1 + x) by Kahan's correction of the rounding in 1 + x, where x is small enough for it to matter. */
function log1p(g: Graph, x: Value): Value {
  const one = fill(g, 1, 'float32');
  const u = add(g, one, x);
  const error = sub(g, u, one);
  const log = steady(g, 'Log', u);
  const isZero = compare(g, 'Equal', error, fill(g, 0, 'float32'));
  const corrected = where(g, isZero, x, mul(g, log, div(g, x, where(g, isZero, one, error))));
  return where(g, compare(g, 'Less', unary(g, 'Abs', x), fill(g, 0.5, 'float32')), corrected, log);
}

/** e^x - 1 = tanh(x / 2) (e^x + 1), without cancellation. */
const expm1 = (g: Graph, x: Value): Value =>
  mul(g, unary(g, 'Tanh', mul(g, x, fill(g, 0.5, 'float32'))), add(g, unary(g, 'Exp', x), fill(g, 1, 'float32')));

/** max(x, 0) + log(1 + e^-|x|) */
const softplus = (g: Graph, x: Value): Value =>
  add(
    g,
    binary(g, 'Max', x, fill(g, 0, 'float32')),
    steady(g, 'Log', add(g, fill(g, 1, 'float32'), unary(g, 'Exp', unary(g, 'Neg', unary(g, 'Abs', x))))),
  );

/** Exponential linear unit; the exponential sees only what is not positive, so it cannot overflow. */
const elu = (g: Graph, x: Value): Value =>
  where(g, compare(g, 'Greater', x, fill(g, 0, 'float32')), x, expm1(g, binary(g, 'Min', x, fill(g, 0, 'float32'))));

/** The constants of selu, with which layers keep mean 0 and variance 1. */
function selu(g: Graph, x: Value): Value {
  const { SELU_SCALE: scale, SELU_SCALEALPHA: slope } = tf.backend_util;
  const negative = mul(g, expm1(g, binary(g, 'Min', x, fill(g, 0, 'float32'))), fill(g, slope, 'float32'));
  return where(g, compare(g, 'Less', x, fill(g, 0, 'float32')), negative, mul(g, x, fill(g, scale, 'float32')));
}

/**
 * The angle of the point (x, y). The float32 Atan of ONNX Runtime is unsteady and has no form of more digits; one step
 * of Newton's method in float64 from either of its answers gives the same angle.
 */
function angle(g: Graph, y: Value, x: Value): Value {
  const [a, b] = [cast(g, y, 'float64'), cast(g, x, 'float64')];
  const zero = fill(g, 0, 'float64');
  const origin = compare(g, 'And', compare(g, 'Equal', a, zero), compare(g, 'Equal', b, zero));
  // On the vertical axis the quotient is infinite, where the step could not compute.
  const slope = where(g, origin, zero, clip(g, div(g, a, b), -1e30, 1e30));
  const rough = cast(g, unary(g, 'Atan', cast(g, slope, 'float32')), 'float64');
  const [sine, cosine] = [unary(g, 'Sin', rough), unary(g, 'Cos', rough)];
  const step = div(g, sub(g, mul(g, slope, cosine), sine), add(g, cosine, mul(g, slope, sine)));
  const right = cast(g, add(g, rough, step), 'float32');
  const half = where(g, compare(g, 'Less', a, zero), fill(g, -Math.PI, 'float32'), fill(g, Math.PI, 'float32'));
  return where(g, compare(g, 'Less', b, zero), add(g, right, half), right);
}

/** The other leg of a right triangle with hypotenuse 1. */
function leg(g: Graph, x: Value): Value {
  const [one, wide] = [fill(g, 1, 'float64'), cast(g, x, 'float64')];
  return unary(g, 'Sqrt', mul(g, sub(g, one, wide), add(g, one, wide)));
}

const leaky = (g: Graph, x: Value, slope: Value): Value =>
  where(g, compare(g, 'Less', x, like(g, x, 0)), mul(g, x, slope), x);

const clip = (g: Graph, x: Value, low: number, high: number): Value =>
  g.operation('Clip', [x, fill(g, low, x.dtype), fill(g, high, x.dtype)], { shape: x.shape, dtype: x.dtype });

/** The remainder with the sign of the divisor, as in TensorFlow.js; ONNX's Mod does that for whole numbers only. */
function mod(g: Graph, a: Value, b: Value): Value {
  if (a.dtype !== 'float32') return binary(g, 'Mod', a, b);
  const type = { shape: broadcast(a.shape, b.shape), dtype: a.dtype };
  const remainder = g.operation('Mod', [a, b], type, { fmod: 1 });
  const zero = fill(g, 0, 'float32');
  const agree = compare(g, 'Equal', compare(g, 'Less', a, zero), compare(g, 'Less', b, zero));
  return where(g, agree, remainder, g.operation('Mod', [add(g, remainder, b), b], type, { fmod: 1 }));
}

export const elementwise: Lowerings = {
  Abs: same('Abs'),
  Neg: same('Neg'),
  Sign: same('Sign'),
  Square: (g, { x }) => square(g, x),
  ...Object.fromEntries(
    [
      'Acosh',
      'Asinh',
      'Atanh',
      'Ceil',
      'Cosh',
      'Erf',
      'Exp',
      'Floor',
      'Reciprocal',
      'Round',
      'Sinh',
      'Sqrt',
      'Tan',
      'Tanh',
    ].map((op) => [op, real(op)]),
  ),
  ...Object.fromEntries(['Cos', 'Log', 'Sin'].map((op): [string, Lowering] => [op, (g, { x }) => steady(g, op, x)])),
  Atan: (g, { x }) => angle(g, float(g, x), fill(g, 1, 'float32')),
  Asin: (g, { x }) => angle(g, float(g, x), leg(g, float(g, x))),
  Acos: (g, { x }) => angle(g, leg(g, float(g, x)), float(g, x)),
  Softplus: (g, { x }) => softplus(g, float(g, x)),
  Rsqrt: (g, { x }) => unary(g, 'Reciprocal', unary(g, 'Sqrt', float(g, x))),
  Sigmoid: (g, { x }) => sigmoid(g, float(g, x)),
  Log1p: (g, { x }) => log1p(g, float(g, x)),
  Expm1: (g, { x }) => expm1(g, float(g, x)),

  Relu: same('Relu'),
  Relu6: (g, { x }) => clip(g, x, 0, 6),
  LeakyRelu: (g, { x }, { alpha = 0.2 }) => leaky(g, x, like(g, x, alpha)),
  Prelu: (g, { x, alpha }) => leaky(g, x, alpha),
  Elu: (g, { x }) => elu(g, x),
  Selu: (g, { x }) => selu(g, float(g, x)),
  EluGrad: (g, { dy, y }) =>
    mul(g, dy, where(g, compare(g, 'GreaterOrEqual', y, like(g, y, 0)), like(g, y, 1), add(g, y, like(g, y, 1)))),
  Step: (g, { x }, { alpha = 0 }) =>
    where(g, compare(g, 'Greater', x, like(g, x, 0)), like(g, x, 1), like(g, x, alpha)),
  ClipByValue: (g, { x }, { clipValueMin = 0, clipValueMax = 0 }) => clip(g, x, clipValueMin, clipValueMax),

  Add: arithmetic('Add'),
  Sub: arithmetic('Sub'),
  Multiply: arithmetic('Mul'),
  Maximum: arithmetic('Max'),
  Minimum: arithmetic('Min'),
  Pow: arithmetic('Pow'),
  RealDiv: (g, { a, b }) => div(g, float(g, a), float(g, b)),
  // The division is done in float64: a rounded quotient may reach the next whole number.
  FloorDiv: (g, { a, b }) => cast(g, unary(g, 'Floor', div(g, cast(g, a, 'float64'), cast(g, b, 'float64'))), 'int32'),
  Atan2: (g, { a, b }) => angle(g, float(g, a), float(g, b)),
  BitwiseAnd: (g, { a, b }) => binary(g, 'BitwiseAnd', a, b),
  Mod: (g, { a, b }) => mod(g, a, b),
  SquaredDifference: (g, { a, b }) => square(g, sub(g, number(g, a), number(g, b))),
  AddN: (g, _, __, all) => all.reduce((sum, x) => add(g, sum, x)),

  Identity: (_, { x }) => x,
  Cast: (g, { x }, { dtype }) => cast(g, x, dtype as Dtype),
  OnesLike: (g, { x }) => fill(g, 1, x.dtype, x.shape),
  ZerosLike: (g, { x }) => fill(g, 0, x.dtype, x.shape),
  Fill: (g, _, { shape = [], value = 0, dtype = 'float32' }) => fill(g, value, dtype as Dtype, shape),

  /** Another value of the same numbers, which no graph merges with another. */
  [AGAIN]: (g, { x }) => g.operation(AGAIN, [x], x),
  /** The mark of the cost ledger: an identity that is looked for when the graph is finished. */
  [MARK]: (g, { x }, { kind = '' }) => g.operation(MARK, [x], x, { kind }),
};

/** The activation that a fused kernel names, applied to its result. */
export function activate(
  g: Graph,
  x: Value,
  activation: string | undefined,
  slope: number,
  prelu: Value | undefined,
): Value {
  switch (activation) {
    case undefined:
    case 'linear':
      return x;
    case 'relu':
      return unary(g, 'Relu', x);
    case 'relu6':
      return clip(g, x, 0, 6);
    case 'elu':
      return elu(g, x);
    case 'sigmoid':
      return sigmoid(g, x);
    case 'leakyrelu':
      return leaky(g, x, fill(g, slope, 'float32'));
    case 'prelu':
      return leaky(g, x, prelu ?? fill(g, 0, 'float32'));
    default:
      throw new Error(`jit: unknown fused activation ${activation}.`);
  }
}
