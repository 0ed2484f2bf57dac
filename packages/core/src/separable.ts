import { multiply, singularValues, transpose } from './linalg.ts';
import { tf } from './tensorflow.ts';
import type { Image, Measurement, Operator, SpectralForm, Tensor, TensorTree } from './types.ts';

/** A linear map of the numbers along one axis; `values` is row-major [outputs, inputs]. */
export type AxisMatrix = { readonly outputs: number; readonly inputs: number; readonly values: Float64Array };

/** The least singular value, relative to the largest, that float32 can tell from zero. */
const SINGULAR_FLOOR = 1e-7;

/** The matrix that adds `weight` at (output, input) for every tap that `tapsOf` names. */
export function axisMatrix(
  outputs: number,
  inputs: number,
  tapsOf: (output: number) => Iterable<readonly [input: number, weight: number]>,
): AxisMatrix {
  const values = new Float64Array(outputs * inputs);
  for (let output = 0; output < outputs; output++) {
    for (const [input, weight] of tapsOf(output))
      values[output * inputs + input] = (values[output * inputs + input] ?? 0) + weight;
  }
  return { outputs, inputs, values };
}

const lazy = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

/**
 * What the operator needs of one axis. Tensors are made at each use: one made while a function is traced belongs to
 * that trace. Their numbers are made once: a graph with the same array is known to be the same, and takes over the
 * session of one that is not used any more.
 */
function axis({ outputs, inputs, values }: AxisMatrix, cutoff: number) {
  const tensor = (numbers: () => Float64Array, rows: number): (() => Tensor) => {
    const rounded = lazy(() => Float32Array.from(numbers()));
    return () => tf.tensor2d(rounded(), [rows, inputs]);
  };
  /** M = U diag(q) V^T with V [inputs, inputs] orthogonal and U [outputs, inputs]. */
  const decomposed = lazy(() => {
    // Rows of zeros make M square; what they add to U is cut off again.
    const square = new Float64Array(inputs * inputs);
    square.set(values);
    const { left, values: q, right } = singularValues(square, inputs);
    const largest = Math.max(...q);
    const inverses = q.map((value) => (value > Math.max(cutoff, SINGULAR_FLOOR) * largest ? 1 / value : 0));
    const u = left.subarray(0, outputs * inputs);
    const scaled = u.map((value, k) => value * (inverses[k % inputs] ?? 0));
    return {
      u,
      v: right,
      q: q.map((value) => (value > SINGULAR_FLOOR * largest ? value : 0)),
      inverse: multiply(scaled, transpose(right, inputs, inputs), outputs, inputs, inputs),
    };
  });
  return {
    inputs,
    matrix: tensor(() => values, outputs),
    u: tensor(() => decomposed().u, outputs),
    v: tensor(() => decomposed().v, inputs),
    q: (): Tensor => tf.tensor1d(Float32Array.from(decomposed().q)),
    /** The transpose of M^+. */
    inverse: tensor(() => decomposed().inverse, outputs),
  };
}

const planes = (x: Tensor): Tensor => tf.transpose(x, [0, 3, 1, 2]);
const pixels = (z: Tensor): Image => z.transpose([0, 2, 3, 1]);
/** The products L z R^T (`between`) and L^T z R (`back`) for every plane of z. */
const between = (left: Tensor, z: Tensor, right: Tensor): Tensor => tf.matMul(tf.matMul(left, z), right, false, true);
const back = (left: Tensor, z: Tensor, right: Tensor): Tensor => tf.matMul(tf.matMul(left, z, true), right);

export type Separable = Required<
  Pick<Operator<TensorTree>, 'measurementShape' | 'forward' | 'adjoint' | 'pseudoInverse' | 'solve' | 'svd'>
>;

/**
 * An operator that treats rows and columns one after the other: y = R x C^T for every channel, R [h, H], C [w, W], h <=
 * H, w <= W.
 *   A    [B, H, W, c] -> [B, h, w, c];   A^T v = R^T v C
 *   A^+  y = R^+ y (C^+)^T, singular values of R and C up to `cutoff` times the largest of their axis counted as zero
 *   (A A^T + ridge I)^-1 y = U_R (U_R^T y U_C / (q^2 + ridge)) U_C^T, ridge > 0
 * where R = U_R diag(q_R) V_R^T, C likewise and q = q_R q_C^T; these are the spectral form, too. The decompositions are
 * made in float64 when first needed (0.3 s for an axis of 256). The matrices become constants of a compiled graph.
 * Throws RangeError where an axis would grow.
 */
export function separable(
  rows: AxisMatrix,
  columns: AxisMatrix,
  channels: number,
  { cutoff = 0 }: { readonly cutoff?: number } = {},
): Separable {
  if (rows.outputs > rows.inputs || columns.outputs > columns.inputs)
    throw new RangeError('separable: a measurement cannot be larger than the image.');
  const r = axis(rows, cutoff);
  const c = rows === columns ? r : axis(columns, cutoff);
  const q = () => tf.outerProduct(r.q().as1D(), c.q().as1D());
  const flat = (z: Tensor): Tensor => z.reshape([-1, channels * r.inputs * c.inputs]);
  const svd = (): SpectralForm => ({
    basis: 'fixed',
    // Asked for the basis alone, as by a plan, it decomposes nothing.
    get singularValues() {
      return flat(q().expandDims(0).tile([channels, 1, 1]));
    },
    toSpectral: (x) => flat(back(r.v(), planes(x), c.v())),
    fromSpectral: (coefficients) =>
      pixels(between(r.v(), coefficients.reshape([-1, channels, r.inputs, c.inputs]), c.v())),
    measurementToSpectral: (y) => flat(back(r.u(), planes(y), c.u()).mul(q().sign())),
  });
  return {
    measurementShape: [rows.outputs, columns.outputs, channels],
    forward: (x) => pixels(between(r.matrix(), planes(x), c.matrix())),
    adjoint: (v) => pixels(back(r.matrix(), planes(v), c.matrix())),
    pseudoInverse: (y) => pixels(back(r.inverse(), planes(y), c.inverse())),
    solve: (y: Measurement, ridge) =>
      pixels(between(r.u(), back(r.u(), planes(y), c.u()).div(q().square().add(ridge)), c.u())),
    svd,
  };
}
