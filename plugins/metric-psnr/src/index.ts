import { type Image, type MetricFactory, metricScale, refuseOtherShapes } from '@tweedie/core';

export interface PsnrOptions {
  /** What is full scale; default: the range of the images, or else the spread of the clean images of the run. */
  readonly range?: readonly [low: number, high: number];
}

/** What is added to the mean squared error, so that the score of equal images is finite: 80 dB. */
const floor = 1e-8;

/**
 * Peak signal-to-noise ratio in dB, per image, over all of its entries:
 *
 *   PSNR = -10 log10( mean( (u(x) - u(reference))^2 ) + 1e-8 ),   u(x) = (clip(x) - low) / (high - low)
 *
 * Two batches [B, H, W, C] of one shape. Images that have a range, [-1, 1] say, are clipped to it, others are not;
 * nothing is rounded to 8 bits. Full scale, low to high, is `metricScale`'s; computed in float64. Throws ConfigError
 * when the shapes differ. Source: the evaluation program of DAPS (arXiv:2407.01521), whose 1e-8 caps the score at
 * 80 dB.
 */
export const psnr: MetricFactory<PsnrOptions> = ({ range }, context) => {
  const { unit, scale } = metricScale('metric/psnr', range, context);
  return {
    better: 'higher',
    unit: 'dB',
    scale,
    compare: async (x: Image, reference: Image) => {
      refuseOtherShapes('metric/psnr', x, reference);
      const [a, b] = await Promise.all([x.data(), reference.data()]);
      const [batch] = x.shape;
      const size = a.length / batch;
      return Array.from({ length: batch }, (_, sample) => {
        let sum = 0;
        for (let k = sample * size; k < (sample + 1) * size; k++) sum += (unit(a[k] ?? NaN) - unit(b[k] ?? NaN)) ** 2;
        return -10 * Math.log10(sum / size + floor);
      });
    },
  };
};
