/**
 * Fourier series of planes as products with matrices of cosines and sines: TensorFlow.js's fft has no gradient and does
 * not compile. A plane of 256 x 256 takes 0.1 G multiply-adds.
 */
import { type Tensor, tf } from '@tweedie/core';
import { type Border, folded } from './borders.ts';

export type Complex = { readonly re: Tensor; readonly im: Tensor };
/** The matrix exp(i angle), [frequencies, entries]. */
type Waves = { readonly cos: Tensor; readonly sin: Tensor };
export type Axis = {
  /** Waves of the image, continued beyond its border. */
  readonly image: () => Waves;
  /** Waves of the taps of the kernel, the middle one at 0. */
  readonly kernel: () => Waves;
  /** Waves of the entries of the image alone, weighted for the way back. */
  readonly output: () => Waves;
  readonly period: number;
};

/** The sums of z exp(-i angle) for every plane, [..., H, W] -> [..., frequencies of rows, of columns]. */
export function toFrequencies(z: Tensor, rows: Waves, columns: Waves): Complex {
  const re = tf.matMul(z, columns.cos, false, true);
  const im = tf.matMul(z, columns.sin, false, true);
  return { re: rows.cos.matMul(re).sub(rows.sin.matMul(im)), im: rows.cos.matMul(im).add(rows.sin.matMul(re)).neg() };
}

/** The real part of the sums of z exp(i angle) over the frequencies: the transpose of `toFrequencies`. */
export function fromFrequencies({ re, im }: Complex, rows: Waves, columns: Waves): Tensor {
  const real = tf.matMul(rows.cos, re, true).sub(tf.matMul(rows.sin, im, true));
  const imaginary = tf.matMul(rows.cos, im, true).add(tf.matMul(rows.sin, re, true));
  return real.matMul(columns.cos).sub(imaginary.matMul(columns.sin));
}

export const times = (a: Complex, b: Complex): Complex => ({
  re: a.re.mul(b.re).sub(a.im.mul(b.im)),
  im: a.re.mul(b.im).add(a.im.mul(b.re)),
});
export const conjugate = ({ re, im }: Complex): Complex => ({ re, im: im.neg() });
export const scaled = ({ re, im }: Complex, factor: Tensor): Complex => ({ re: re.mul(factor), im: im.mul(factor) });
export const squareOf = ({ re, im }: Complex): Tensor => re.square().add(im.square());

/**
 * One axis of `length` entries and a kernel of `taps`. The period holds the image and what the kernel sees beyond its
 * border, so that nothing wraps around into the image unless the border is circular. `half`: one of each pair of
 * conjugate frequencies, which is enough for real planes on one of the two axes; `output` counts it twice.
 */
export function fourierAxis(length: number, taps: number, border: Border, half: boolean): Axis {
  const margin = border === 'circular' ? 0 : (taps - 1) / 2;
  const period = length + 2 * margin;
  const frequencies = half ? Math.floor(period / 2) + 1 : period;
  const weight = (frequency: number): number => (half && frequency > 0 && 2 * frequency !== period ? 2 : 1) / period;

  /** A matrix of waves in which every term adds the wave of a place to an entry. */
  const waves = (
    entries: number,
    terms: readonly (readonly [entry: number, place: number])[],
    weightOf: (frequency: number) => number,
  ) => {
    const shape = [frequencies, entries] as [number, number];
    const [cos, sin] = [new Float64Array(frequencies * entries), new Float64Array(frequencies * entries)];
    for (let frequency = 0; frequency < frequencies; frequency++) {
      for (const [entry, place] of terms) {
        const [at, angle] = [frequency * entries + entry, (2 * Math.PI * ((frequency * place) % period)) / period];
        cos[at] = (cos[at] ?? 0) + weightOf(frequency) * Math.cos(angle);
        sin[at] = (sin[at] ?? 0) + weightOf(frequency) * Math.sin(angle);
      }
    }
    const [cosines, sines] = [Float32Array.from(cos), Float32Array.from(sin)];
    // Tensors are made at each use: one made while a function is traced belongs to that trace.
    return (): Waves => ({ cos: tf.tensor2d(cosines, shape), sin: tf.tensor2d(sines, shape) });
  };
  const continued = Array.from(
    { length: period },
    (_, place) => [folded(place - margin, length, border), place] as const,
  );
  const seen = continued.filter((term): term is readonly [number, number] => term[0] !== undefined);
  const one = () => 1;
  return {
    period,
    image: waves(length, seen, one),
    kernel: waves(
      taps,
      Array.from({ length: taps }, (_, tap) => [tap, tap - (taps - 1) / 2] as const),
      one,
    ),
    output: waves(
      length,
      Array.from({ length }, (_, entry) => [entry, entry + margin] as const),
      weight,
    ),
  };
}
