/**
 * x * sigmoid(x), the activation of diffusion networks, and its derivative are recognised as one operation each and
 * written in as few passes over memory as ONNX Runtime allows. Here its fast sigmoid is good enough: it is off by up to
 * 1e-7 absolute, which in the tail is all of sigmoid's digits, but of an activation x or its gradient no more than a
 * rounding of x.
 */
import { type Graph, uniformValue, type Value } from './graph.ts';
import { add, binary, fill, mul, unary } from './ops.ts';

const operands = (x: Value | undefined, op: string): readonly Value[] =>
  x?.source.kind === 'operation' && x.source.op === op ? x.source.inputs : [];

/** What is left of a product without one of its factors. */
const without = (product: Value | undefined, factor: Value | undefined): Value | undefined => {
  const [a, b] = operands(product, 'Mul');
  return a === factor ? b : b === factor ? a : undefined;
};

/** The activation of x where the product `op` of a and b is x * sigmoid(x); undefined for other operations. */
export function swish(g: Graph, op: string, [a, b]: readonly Value[]): Value | undefined {
  if (op !== 'Mul') return undefined;
  const x = operands(b, 'ExactSigmoid')[0] === a ? a : operands(a, 'ExactSigmoid')[0] === b ? b : undefined;
  return x === undefined ? undefined : unary(g, 'Swish', x);
}

/**
 * The slope of the activation, recognised as the gradient tape writes it: dy s + (dy x) (s (1 - s)), s = sigmoid(x).
 */
export function swishGradient(g: Graph, op: string, [a, b]: readonly Value[]): Value | undefined {
  if (op !== 'Add') return undefined;
  return match(g, a, b) ?? match(g, b, a);
}

function match(g: Graph, direct: Value | undefined, through: Value | undefined): Value | undefined {
  const s = operands(direct, 'Mul').find((factor) => operands(factor, 'ExactSigmoid').length > 0);
  const dy = without(direct, s);
  const [x] = operands(s, 'ExactSigmoid');
  if (s === undefined || dy === undefined || x === undefined) return undefined;
  for (const slope of operands(through, 'Mul')) {
    const [one, same] = operands(without(slope, s), 'Sub');
    if (one === undefined || uniformValue(one) !== 1 || same !== s) continue;
    if (without(without(through, slope), dy) !== x) continue;
    // The operation gets the source line of the activation, not of the sum in which it was found.
    g.at = direct?.at;
    return binary(g, 'SwishGradient', dy, x);
  }
  return undefined;
}

/** `fast` takes an operation that only ONNX Runtime has; `standard` keeps to ONNX. */
export type Activations = 'fast' | 'standard';

/** `Swish`, `SwishGradient` and `ExactSigmoid` in operations of ONNX; undefined for other operations. */
export function written(g: Graph, op: string, [a, b]: readonly Value[], activations: Activations): Value | undefined {
  if (a === undefined) return undefined;
  const swish = activations === 'fast' ? fastSwish : standardSwish;
  if (op === 'Swish') return swish(g, a);
  if (op === 'SwishGradient' && b !== undefined) return slopeTimes(g, a, b, swish(g, b, -1));
  return op === 'ExactSigmoid' ? exactSigmoid(g, a) : undefined;
}

/** x sigmoid(x), or x sigmoid(-x) where `sign` is -1, as the one operation for it that ONNX Runtime has. */
const fastSwish = (g: Graph, x: Value, sign = 1): Value =>
  unary(g, 'QuickGelu', x, x.dtype, { alpha: { float: sign } });

const standardSwish = (g: Graph, x: Value, sign = 1): Value =>
  mul(g, x, unary(g, 'Sigmoid', sign === 1 ? x : unary(g, 'Neg', x)));

/** dy s (1 + x (1 - s)), where `rest` is x (1 - s) = x sigmoid(-x). */
const slopeTimes = (g: Graph, dy: Value, x: Value, rest: Value): Value =>
  mul(g, dy, mul(g, unary(g, 'Sigmoid', x), add(g, rest, fill(g, 1, x.dtype))));

/** 1 / (1 + e^-x), to the last digit of the tail. */
const exactSigmoid = (g: Graph, x: Value): Value =>
  unary(g, 'Reciprocal', add(g, fill(g, 1, 'float32'), unary(g, 'Exp', unary(g, 'Neg', x))));
