import { ConfigError, type Image, type MetricFactory, metricScale, refuseOtherShapes } from '@tweedie/core';
import { averagePool, blur, type Plane, windowSize } from './planes.ts';

export interface SsimOptions {
  /** What is full scale; default: the range of the images, or else the spread of the clean images of the run. */
  readonly range?: readonly [low: number, high: number];
}

/** The constants (0.01 L)^2 and (0.03 L)^2, L = 1: full scale is mapped to 0 to 1 first. */
const c1 = 0.01 ** 2;
const c2 = 0.03 ** 2;

/**
 * Structural similarity, per image, of u(x) = (clip(x) - low) / (high - low):
 *
 *   SSIM = mean of (2 mu_a mu_b + c1)(2 s_ab + c2) / ((mu_a^2 + mu_b^2 + c1)(s_aa + s_bb + c2))
 *   s_ab = E[a b] - mu_a mu_b
 *
 * where mu and E are averages in an 11 x 11 Gaussian window of standard deviation 1.5 that stays inside the picture;
 * the mean is over positions, then over channels. Pictures of 384 pixels or more on the short side are first averaged
 * over f x f blocks, f = round(short side / 256), ties to even. Images that have a range, [-1, 1] say, are clipped to
 * it, others are not; full scale, low to high, is `metricScale`'s. Two batches [B, H, W, C] of one shape; computed in
 * float64, for in float32 the variances cancel. Throws ConfigError when the shapes differ or a side is shorter than 11.
 * Source: Wang et al. 2004, doi:10.1109/TIP.2003.819861, with the settings of the piq package.
 */
export const ssim: MetricFactory<SsimOptions> = ({ range }, context) => {
  const { unit, scale } = metricScale('metric/ssim', range, context);
  return {
    better: 'higher',
    scale,
    compare: async (x: Image, reference: Image) => {
      refuseOtherShapes('metric/ssim', x, reference);
      const [batch, height, width, channels] = x.shape;
      if (Math.min(height, width) < windowSize) {
        throw new ConfigError(
          'metric/ssim',
          `images of ${height} by ${width} are smaller than its window of ${windowSize} by ${windowSize}.`,
          'Leave out this metric.',
        );
      }
      const factor = Math.max(1, roundHalfEven(Math.min(height, width) / 256));
      const [a, b] = await Promise.all([x.data(), reference.data()]);
      const planeOf = (data: ArrayLike<number>, sample: number, channel: number): Plane => {
        const start = sample * height * width * channels + channel;
        const values = Float64Array.from({ length: height * width }, (_, k) => unit(data[start + k * channels] ?? NaN));
        return averagePool({ values, height, width }, factor);
      };
      return Array.from({ length: batch }, (_, sample) => {
        let sum = 0;
        for (let channel = 0; channel < channels; channel++)
          sum += similarity(planeOf(a, sample, channel), planeOf(b, sample, channel));
        return sum / channels;
      });
    },
  };
};

function similarity(a: Plane, b: Plane): number {
  const product = (p: Plane, q: Plane): Plane => ({
    ...p,
    values: p.values.map((value, k) => value * (q.values[k] ?? NaN)),
  });
  const [meanA, meanB, meanAA, meanBB, meanAB] = [a, b, product(a, a), product(b, b), product(a, b)].map(
    (plane) => blur(plane).values,
  );
  if (!meanA || !meanB || !meanAA || !meanBB || !meanAB) return NaN;
  let sum = 0;
  for (let k = 0; k < meanA.length; k++) {
    const [ma = NaN, mb = NaN, aa = NaN, bb = NaN, ab = NaN] = [meanA[k], meanB[k], meanAA[k], meanBB[k], meanAB[k]];
    const luminance = (2 * ma * mb + c1) / (ma * ma + mb * mb + c1);
    const structure = (2 * (ab - ma * mb) + c2) / (aa - ma * ma + bb - mb * mb + c2);
    sum += luminance * structure;
  }
  return sum / meanA.length;
}

function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
