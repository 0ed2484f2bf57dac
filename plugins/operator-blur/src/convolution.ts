/** Blur by any kernel, drawn for each problem. */
import { type Image, type ImageShape, type Operator, type SpectralForm, type Tensor, tf } from '@tweedie/core';
import type { Border } from './borders.ts';
import {
  type Complex,
  conjugate,
  fourierAxis,
  fromFrequencies,
  scaled,
  squareOf,
  times,
  toFrequencies,
} from './fourier.ts';

export type Drawn = { readonly kernel: Tensor };
type Side = 'image' | 'output';

/** The least singular value, relative to the largest, that float32 can tell from zero. */
const SINGULAR_FLOOR = 1e-7;

const planes = (x: Tensor): Tensor => tf.transpose(x, [0, 3, 1, 2]);
const pixels = (z: Tensor): Image => z.transpose([0, 2, 3, 1]);
/** The inverses 1 / value where a value is above `floor` times the largest of its problem, 0 elsewhere. */
function inverseAbove(values: Tensor, floor: number): Tensor {
  const kept = values.greater(values.max([1, 2, 3], true).mul(floor));
  return tf.where(kept, tf.div(1, tf.where(kept, values, tf.onesLike(values))), tf.zerosLike(values));
}

/**
 * y = F^-1 (conj(K) . F x) per channel and problem: correlation with `kernel` [B, height, width], of sum and size as it
 * comes. The period holds the border, and A^T is the same product backwards. With a circular border also, K the
 * spectrum of the kernel,
 *   A^+ y = F^-1 (K / |K|^2 . F y), |K| up to `cutoff` times its largest counted as zero
 *   (A A^T + ridge I)^-1 y = F^-1 (F y / (|K|^2 + ridge)), ridge > 0
 *   spectral form: q = |K|, V^T x = Re F x - Im F x (Hartley), U = V turned by the phase of K
 */
export function convolution(
  imageShape: ImageShape,
  [kernelHeight, kernelWidth]: readonly [number, number],
  border: Border,
  cutoff: number,
): Omit<Operator<Drawn>, 'draw'> {
  const [height, width, channels] = imageShape;
  const [rows, columns] = [
    fourierAxis(height, kernelHeight, border, false),
    fourierAxis(width, kernelWidth, border, true),
  ];
  const spectrum = ({ kernel }: Drawn): Complex => toFrequencies(kernel.expandDims(1), rows.kernel(), columns.kernel());
  const filtered = (z: Tensor, from: Side, to: Side, filter: (z: Complex) => Complex): Image =>
    pixels(fromFrequencies(filter(toFrequencies(planes(z), rows[from](), columns[from]())), rows[to](), columns[to]()));

  const blur: Omit<Operator<Drawn>, 'draw'> = {
    linear: true,
    measurementShape: imageShape,
    forward: (x, drawn) => filtered(x, 'image', 'output', (z) => times(z, conjugate(spectrum(drawn)))),
    adjoint: (v, drawn) => filtered(v, 'output', 'image', (z) => times(z, spectrum(drawn))),
  };
  if (border !== 'circular') return blur;

  return {
    ...blur,
    pseudoInverse(y, drawn) {
      const k = spectrum(drawn);
      return filtered(y, 'image', 'output', (z) =>
        times(z, scaled(k, inverseAbove(squareOf(k), Math.max(cutoff, SINGULAR_FLOOR) ** 2))),
      );
    },
    solve: (y, ridge, drawn) =>
      filtered(y, 'image', 'output', (z) => scaled(z, tf.div(1, squareOf(spectrum(drawn)).add(ridge)))),
    svd({ kernel }): SpectralForm {
      const every = fourierAxis(width, kernelWidth, border, false);
      const frequencies = (x: Tensor): Complex => toFrequencies(planes(x), rows.image(), every.image());
      const hartley = ({ re, im }: Complex): Tensor => re.sub(im).div(Math.sqrt(rows.period * every.period));
      const flat = (z: Tensor): Tensor => z.reshape([-1, channels * height * width]);
      const k = toFrequencies(kernel.expandDims(1), rows.kernel(), every.kernel());
      const q = squareOf(k).sqrt();
      const inverse = inverseAbove(q, SINGULAR_FLOOR);
      return {
        basis: 'fixed',
        singularValues: flat(q.mul(inverse.sign()).tile([1, channels, 1, 1])),
        toSpectral: (x) => flat(hartley(frequencies(x))),
        fromSpectral: (c) =>
          pixels(hartley(toFrequencies(c.reshape([-1, channels, height, width]), rows.image(), every.image()))),
        measurementToSpectral: (y) => flat(hartley(times(frequencies(y), scaled(k, inverse)))),
      };
    },
  };
}
