/** How noisy a picture is, from the picture alone. */

/** A window of a separable filter of norm 1, and how far apart windows stand. */
type Filter = {
  readonly name: NoiseEstimate['from'];
  readonly taps: readonly (readonly [vertical: readonly number[], horizontal: readonly number[]])[];
  /** Windows at every second pixel, beyond the border too, where the picture is mirrored, as of a wavelet transform. */
  readonly decimated: boolean;
};

/** The high-pass filter of Daubechies' wavelet of two vanishing moments (Daubechies 1992, Table 6.1). */
const DB2 = [-0.12940952255092145, -0.22414386804185735, 0.836516303737469, -0.48296291314469025];
const HAAR = [Math.SQRT1_2, -Math.SQRT1_2];

const FILTERS: readonly Filter[] = [
  { name: 'db2', taps: [[DB2, DB2]], decimated: true },
  { name: 'haar', taps: [[HAAR, HAAR]], decimated: false },
  {
    name: 'neighbours',
    taps: [
      [[1], HAAR],
      [HAAR, [1]],
    ],
    decimated: false,
  },
];

/** Coefficients that a filter must find: the estimate is then good to a tenth (standard deviation). */
const ENOUGH = 128;
/** What float rounding leaves of a coefficient that is zero, as on a part of one value, is below this. */
const ZERO = 1e-9;
/** The median of the magnitude of a standard normal number. */
const NORMAL_MEDIAN = 0.6744897501960817;

export type NoiseEstimate = {
  /** Standard deviation in the units of the picture. */
  readonly sigma: number;
  /** The finest filter for which enough of the picture is seen together. */
  readonly from: 'db2' | 'haar' | 'neighbours';
  /** How many coefficients were counted, of all channels. */
  readonly coefficients: number;
};

const mirrored = (index: number, length: number): number => {
  const period = 2 * length;
  const place = ((index % period) + period) % period;
  return place < length ? place : period - 1 - place;
};

/** First pixels of the windows along an axis. */
const startsOf = (length: number, taps: number, decimated: boolean): readonly number[] =>
  decimated
    ? Array.from({ length: Math.floor((length + taps - 1) / 2) }, (_, k) => 2 * k + 2 - taps)
    : Array.from({ length: Math.max(0, length - taps + 1) }, (_, k) => k);

/** Magnitudes of the coefficients of one channel that are not zero and all of whose pixels are seen. */
const magnitudes = (
  pixels: Float32Array,
  [height, width, channels]: readonly [number, number, number],
  channel: number,
  { taps, decimated }: Filter,
  seen: Uint8Array | undefined,
): Float64Array => {
  const windows = taps.map(([vertical, horizontal]) => ({
    vertical,
    horizontal,
    tops: startsOf(height, vertical.length, decimated),
    lefts: startsOf(width, horizontal.length, decimated),
  }));
  const found = new Float64Array(windows.reduce((sum, { tops, lefts }) => sum + tops.length * lefts.length, 0));
  let count = 0;
  for (const { vertical, horizontal, tops, lefts } of windows) {
    for (const top of tops) {
      const rows = vertical.map((_, i) => mirrored(top + i, height) * width);
      for (const left of lefts) {
        let sum = 0;
        let whole = true;
        for (let j = 0; j < horizontal.length && whole; j++) {
          const column = mirrored(left + j, width);
          for (let i = 0; i < vertical.length; i++) {
            const pixel = (rows[i] ?? 0) + column;
            if (seen !== undefined && seen[pixel] === 0) {
              whole = false;
              break;
            }
            sum += (vertical[i] ?? 0) * (horizontal[j] ?? 0) * (pixels[pixel * channels + channel] ?? 0);
          }
        }
        if (whole && Math.abs(sum) > ZERO) found[count++] = Math.abs(sum);
      }
    }
  }
  return found.subarray(0, count);
};

const medianOf = (values: Float64Array): number => {
  const sorted = values.sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
};

/**
 * The standard deviation of white Gaussian noise on a picture, row-major H, W, C:
 *
 *   sigma = median |d| / 0.6745,   d the coefficients of the finest diagonal details that are not zero
 *
 * the mean over the channels. Where the picture itself has such details they count as noise; where a camera or JPEG has
 * smoothed it, noise is missed. The details are those of Daubechies' wavelet of two vanishing moments, so that slopes
 * count for nothing. `seen` is 1 for the pixels that count: a coefficient needs all of its own, and where fewer than
 * 128 are left, those of Haar's wavelet at every place are taken, then the differences of neighbours over sqrt 2.
 * Undefined where there are not enough of these either. Donoho and Johnstone 1994, Biometrika 81(3), Section 4.2;
 * `estimate_sigma` of scikit-image is the same for a picture that is seen whole.
 */
export const estimateNoise = (
  pixels: Float32Array,
  shape: readonly [height: number, width: number, channels: number],
  seen?: Uint8Array,
): NoiseEstimate | undefined => {
  const [, , channels] = shape;
  for (const filter of FILTERS) {
    const all = Array.from({ length: channels }, (_, channel) => magnitudes(pixels, shape, channel, filter, seen));
    if (all.every(({ length }) => length < ENOUGH)) continue;
    const sigmas = all.map((values) => (values.length === 0 ? 0 : medianOf(values) / NORMAL_MEDIAN));
    return {
      sigma: sigmas.reduce((sum, sigma) => sum + sigma, 0) / channels,
      from: filter.name,
      coefficients: all.reduce((sum, { length }) => sum + length, 0),
    };
  }
  return undefined;
};
