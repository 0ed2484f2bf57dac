import { ConfigError, type Image, type MetricFactory, metricScale, refuseOtherShapes, showShape } from '@tweedie/core';
import { haar, halved, type Plane, smoothed } from './haar.ts';

export interface HaarpsiOptions {
  /** What is full scale; default: the range of the images, or else the spread of the clean images of the run. */
  readonly range?: readonly [low: number, high: number];
}

const where = 'metric/haarpsi';
/** The constants of the paper, chosen there on databases of opinions, for entries from 0 to 255. */
const c = 30;
const alpha = 4.2;
/** Full scale that the constants are for. */
const largest = 255;
/** The widest square of the wavelets, on the halved picture. */
const smallest = 16;
/** Luminance and the two differences of colour, of red, green and blue. */
const yiq = [
  [0.299, 0.587, 0.114],
  [0.5959, -0.2746, -0.3213],
  [0.2115, -0.5227, 0.3112],
] as const;

/**
 * Perceptual similarity from Haar wavelets, per image, in [0, 1], 1 for equal images; no weights of a network:
 *
 *   HaarPSI = (l^-1( sum of l(s) w / sum of w ) / alpha)^2,   l(s) = 1 / (1 + exp(-alpha s)),   l^-1 the logit
 *   s_o = mean over the squares of sides 2 and 4 of (2 a b + c) / (a^2 + b^2 + c),   w_o = max(a, b) of side 8
 *
 * a, b the magnitudes of the coefficients of both pictures in orientation o, of luminance on means of 2 x 2 pixels; of
 * colour pictures a third s from the two differences of colour, whose w is the mean of both. Sums are over positions
 * and s. Full scale is mapped to 0 to 255, c = 30, alpha = 4.2. Two batches [B, H, W, C] of one shape, C 1 or 3, sides
 * of 16 at least; computed in float64. Throws ConfigError where images do not fit. Source: Reisenhofer et al. 2018,
 * arXiv:1607.06140; padding and the colours are those of the piq package.
 */
export const haarpsi: MetricFactory<HaarpsiOptions> = ({ range }, context) => {
  const { unit, scale } = metricScale(where, range, context);
  return {
    better: 'higher',
    scale,
    compare: async (x: Image, reference: Image) => {
      refuseOtherShapes(where, x, reference);
      const [batch, height, width, channels] = x.shape;
      if (Math.min(height, width) < smallest || (channels !== 1 && channels !== 3))
        throw new ConfigError(
          where,
          `images of ${showShape([height, width, channels])}: it takes 1 or 3 channels and sides of ${smallest} at least.`,
          'Leave out this metric.',
        );
      const [a, b] = await Promise.all([x.data(), reference.data()]);
      const planesOf = (data: ArrayLike<number>, sample: number): readonly Plane[] => {
        const start = sample * height * width * channels;
        const entry = (pixel: number, channel: number): number =>
          largest * unit(data[start + pixel * channels + channel] ?? NaN);
        const weights: readonly (readonly number[])[] = channels === 3 ? yiq : [[1]];
        return weights.map((row) => {
          const values = Float64Array.from({ length: height * width }, (_, pixel) =>
            row.reduce((sum, weight, channel) => sum + weight * entry(pixel, channel), 0),
          );
          return halved({ values, height, width });
        });
      };
      return Array.from({ length: batch }, (_, sample) => similarity(planesOf(a, sample), planesOf(b, sample)));
    },
  };
};

/** How alike two magnitudes are, in (0, 1]. */
const alike = (a: number, b: number): number => (2 * a * b + c) / (a * a + b * b + c);

function similarity([luminance, ...colours]: readonly Plane[], [other, ...otherColours]: readonly Plane[]): number {
  if (!luminance || !other) return NaN;
  const orientations = (['rows', 'columns'] as const).map((orientation) => {
    const [two, four, eight] = [2, 4, 8].map((size) => [
      haar(luminance, size, orientation).values,
      haar(other, size, orientation).values,
    ]);
    return { two, four, eight };
  });
  const differences = colours.map((plane, k) => [smoothed(plane).values, smoothed(otherColours[k] ?? plane).values]);
  const pair = (planes: readonly (Float64Array | undefined)[] | undefined, k: number): readonly [number, number] => [
    planes?.[0]?.[k] ?? NaN,
    planes?.[1]?.[k] ?? NaN,
  ];
  let sum = 0;
  let total = 0;
  const add = (s: number, w: number): void => {
    sum += w / (1 + Math.exp(-alpha * s));
    total += w;
  };
  for (let k = 0; k < luminance.values.length; k++) {
    let both = 0;
    for (const { two, four, eight } of orientations) {
      const w = Math.max(...pair(eight, k));
      add((alike(...pair(two, k)) + alike(...pair(four, k))) / 2, w);
      both += w / 2;
    }
    if (differences.length > 0)
      add(differences.reduce((all, planes) => all + alike(...pair(planes, k)), 0) / differences.length, both);
  }
  // Both pictures are black: nothing is to be seen that could differ.
  if (total === 0) return 1;
  const score = (sum + Number.EPSILON) / (total + Number.EPSILON);
  return (Math.log(score / (1 - score)) / alpha) ** 2;
}
