import { ConfigError, messageOf } from './errors.ts';
import { tf } from './tensorflow.ts';
import { mapTree } from './trees.ts';
import type { Image, Tensor, TensorTree } from './types.ts';

/** What to write instead of operations on complex tensors, which neither compile nor have gradients. */
export const COMPLEX_REMEDY =
  'Keep real and imaginary parts in two channels and write the transform as products with matrices of cosines and sines: "Fourier transforms" in docs/write-a-plugin.md.';
const complexKernels = ['Complex', 'ComplexAbs', 'FFT', 'IFFT', 'Imag', 'RFFT', 'IRFFT', 'Real'];

/**
 * Runs what takes a gradient. An operation without one is told as what it is: the stack leads to the method that asks
 * for the gradient, and not to the operator or the model that it goes through.
 */
const withGradients = <T>(body: () => T): T => {
  try {
    return body();
  } catch (cause) {
    const [, kernel] = /gradient function not found for (\w+)/.exec(messageOf(cause)) ?? [];
    if (kernel === undefined) throw cause;
    throw new ConfigError(
      'gradient',
      `TensorFlow.js has no gradient of its kernel ${kernel}, and one through the operator or the model is asked for, with every engine.`,
      complexKernels.includes(kernel)
        ? COMPLEX_REMEDY
        : 'Write it with operations that have one: docs/jit-kernels.md lists them.',
      { cause },
    );
  }
};

/**
 * Value and gradient of a function of one tensor, with whatever else it computed on the way. `fn` gives one number per
 * sample, [B]; since samples do not meet in it, the gradient of the sum is each sample's own gradient. Forward and
 * reverse pass run once each. Called again inside of `fn`, on values of this pass and for the same `x`, it gives the
 * gradient of another value for one more reverse pass alone.
 */
export function valueAndGrad<X extends Tensor, Aux extends TensorTree>(
  fn: (x: X) => readonly [value: Tensor, aux: Aux],
  x: X,
): { value: Tensor; gradient: X; aux: Aux } {
  let kept: TensorTree = {};
  const both = tf.valueAndGrad((point) => {
    const [result, aux] = fn(point as X);
    // The tape disposes what it did not return, so the extra results are kept as copies (of the handle, not of the
    // numbers).
    kept = mapTree(aux, (leaf) => (typeof leaf === 'number' ? leaf : tf.keep(leaf.clone())));
    return result;
  });
  const { value, grad } = withGradients(() => both(x));
  const aux = mapTree(kept, (leaf) => {
    if (typeof leaf === 'number') return leaf;
    const released = leaf.clone();
    leaf.dispose();
    return released;
  });
  return { value, gradient: grad as X, aux: aux as Aux };
}

/**
 * Vector-Jacobian product of a function of one tensor, at `x`: the gradient of <fn(x), cotangent> or, without a
 * cotangent, of the sum of fn(x). For a linear function it is the transpose times the cotangent, whatever `x`.
 */
export const vjp = <X extends Tensor>(fn: (x: X) => Tensor, x: X, cotangent?: Tensor): X =>
  withGradients(() => tf.grad((point) => fn(point as X))(x, cotangent) as X);

/**
 * What is added under the root, so that the gradient of a norm is finite (and zero) where the residual is zero; far
 * below what float32 shows.
 */
const NORM_FLOOR = 1e-30;

const sampleAxes = (x: Tensor): number[] => x.shape.map((_, axis) => axis).slice(1);

/** Sum over all axes but the first: [B]. */
export const sampleSum = (x: Tensor): Tensor => x.sum(sampleAxes(x));

/** 2-norm of each sample, [B]. Never one norm over the batch (docs/methods.md 4.7). */
export const sampleNorm = (x: Tensor): Tensor => sampleSum(x.square()).add(NORM_FLOOR).sqrt();

/** Inner product of each pair of samples, [B]. */
export const sampleDot = (a: Tensor, b: Tensor): Tensor => sampleSum(a.mul(b));

/** One number per sample, [B], shaped to broadcast against `like`: [B, 1, ..., 1]. */
export const perSample = (values: Tensor, like: Tensor): Tensor =>
  values.reshape([-1, ...like.shape.slice(1).map(() => 1)]);

/** Clamps to a model's pixel range, where it has one. The gradient is exactly zero at saturated entries. */
export const clampTo = (range: readonly [low: number, high: number] | undefined, x: Image): Image =>
  range === undefined ? x : tf.clipByValue(x, range[0], range[1]);

/** The same value, which no gradient passes through. */
export const stopGradient = <T extends Tensor>(x: T): T =>
  tf.customGrad((value) => ({ value: (value as Tensor).clone(), gradFunc: (dy: Tensor) => dy.zerosLike() }))(x) as T;
