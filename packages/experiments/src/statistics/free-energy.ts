import { covarianceOf, mixtureMoments, posteriorMixture, type GaussianMixture } from '@tweedie/core';

/**
 * Free energies from umbrella windows (the first experiment of arXiv:2506.13614, Section 5.1; docs/methods.md 6.5): a
 * harmonic restraint U_k(x1) = (x1 - y_k)^2 / (2 sigmaY^2) on one entry x1 is a measurement of it, so that posterior
 * samples of every window together give F(x1) = -ln p(x1), in units of kT, and a sampler that is too narrow or prefers
 * a well is seen to be.
 */
export type FreeEnergyOptions = {
  /** Index of the entry of an image (row-major H, W, C) that is restrained. */
  readonly entry: number;
  /** The histogram: `bins` equal ones from `from` to `to`. */
  readonly from: number;
  readonly to: number;
  readonly bins: number;
  /** Errors are taken over bins whose centre is between these. */
  readonly errors: readonly [low: number, high: number];
  /** The barrier is the highest free energy between these. */
  readonly barrier: readonly [low: number, high: number];
};

/** The truth that samples are compared with: the exact law of x1 in each window, and F at the bins' centres. */
export type FreeEnergyTruth = {
  readonly windows: readonly { readonly centre: number; readonly mean: number; readonly std: number }[];
  readonly energy: readonly number[];
};

export type FreeEnergyResult = {
  /** F at the bins' centres, its lowest value 0; null where no sample fell. */
  readonly energy: readonly (number | null)[];
  /**
   * Bins that hold enough samples to be compared, of those in the range of errors: a sampler far too narrow leaves most
   * of them empty.
   */
  readonly bins: { readonly compared: number; readonly wanted: number };
  readonly rmse: number;
  readonly maxError: number;
  readonly barrier: number;
  readonly maxWindowMeanError: number;
  /** Standard deviation of a window's samples over the exact one. */
  readonly stdRatioMin: number;
  readonly stdRatioMax: number;
};

/** A bin with no more samples than this has no free energy worth comparing. */
const FEW = 20;

export const binCentres = ({ from, to, bins }: Pick<FreeEnergyOptions, 'from' | 'to' | 'bins'>): readonly number[] =>
  Array.from({ length: bins }, (_, bin) => from + ((bin + 0.5) * (to - from)) / bins);

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const lowest = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b), Infinity);
const highest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), -Infinity);
const within = (x: number, [low, high]: readonly [number, number]): boolean => x > low && x < high;

/** The law of one entry under a mixture. */
const marginalOf = (mixture: GaussianMixture, entry: number): GaussianMixture => {
  const { weights, means } = mixture;
  const d = means.length / weights.length;
  return {
    weights,
    means: Float64Array.from(weights, (_, k) => means[k * d + entry] ?? 0),
    covariance: {
      kind: 'isotropic',
      variances: Float64Array.from(weights, (_, k) => covarianceOf(mixture, k)[entry * d + entry] ?? 0),
    },
  };
};

/** The truth in closed form, for windows around `centres` with a restraint of standard deviation sigmaY. */
export const freeEnergyTruth = (
  prior: GaussianMixture,
  options: FreeEnergyOptions,
  centres: readonly number[],
  sigmaY: number,
): FreeEnergyTruth => {
  const marginal = marginalOf(prior, options.entry);
  const { weights, means } = marginal;
  const density = (x: number): number =>
    sum(
      Array.from(weights, (weight, k) => {
        const [variance = 1] = covarianceOf(marginal, k);
        return (weight / Math.sqrt(variance)) * Math.exp(-((x - (means[k] ?? 0)) ** 2) / (2 * variance));
      }),
    );
  const energy = binCentres(options).map((x) => -Math.log(density(x)));
  return {
    energy: energy.map((value) => value - lowest(energy)),
    windows: centres.map((centre) => {
      const {
        mean: [mean = NaN],
        covariance: [variance = NaN],
      } = mixtureMoments(posteriorMixture(marginal, Float64Array.of(1), Float64Array.of(centre), sigmaY));
      return { centre, mean, std: Math.sqrt(variance) };
    }),
  };
};

/**
 * The weighted histogram analysis method, until no f_k moves by 1e-9:
 *   P(b) = sum_k n_k(b) / sum_k N_k exp(f_k - U_k(b)),   f_k = -ln sum_b P(b) exp(-U_k(b)),   N_k = sum_b n_k(b)
 * `counts` n_k(b) and `restraints` exp(-U_k(b)), [windows][bins]. Gives P, not normalised.
 */
export const wham = (
  counts: readonly (readonly number[])[],
  restraints: readonly (readonly number[])[],
): readonly number[] => {
  const inside = counts.map(sum);
  const bins = counts[0]?.length ?? 0;
  const totals = Array.from({ length: bins }, (_, bin) => sum(counts.map((window) => window[bin] ?? 0)));
  const weigh = (f: readonly number[]): number[] =>
    totals.map((total, bin) =>
      total === 0 ? 0 : total / sum(inside.map((n, k) => n * Math.exp(f[k] ?? 0) * (restraints[k]?.[bin] ?? 0))),
    );
  let f = counts.map(() => 0);
  for (let moved = Infinity; moved > 1e-9;) {
    const p = weigh(f);
    const next = restraints.map((factors) => -Math.log(sum(p.map((value, bin) => value * (factors[bin] ?? 0)))));
    const shifted = next.map((value) => value - (next[0] ?? 0));
    moved = highest(shifted.map((value, k) => Math.abs(value - (f[k] ?? 0))));
    f = shifted;
  }
  return weigh(f);
};

/**
 * The free energy that the samples of x1, [windows][samples], give, and how far it and the windows are from the truth.
 */
export const freeEnergy = (
  samples: readonly (readonly number[])[],
  options: FreeEnergyOptions,
  truth: FreeEnergyTruth,
  sigmaY: number,
): FreeEnergyResult => {
  const { from, to, bins, errors: errorRange, barrier: barrierRange } = options;
  const centres = binCentres(options);
  const counts = samples.map((window) => {
    const histogram = new Array<number>(bins).fill(0);
    for (const x of window) {
      const bin = Math.floor(((x - from) * bins) / (to - from));
      if (bin >= 0 && bin < bins) histogram[bin] = (histogram[bin] ?? 0) + 1;
    }
    return histogram;
  });
  const restraints = truth.windows.map(({ centre }) =>
    centres.map((x) => Math.exp(-((x - centre) ** 2) / (2 * sigmaY ** 2))),
  );
  const raw = wham(counts, restraints).map((p) => (p > 0 ? -Math.log(p) : null));
  const many = centres.map((_, bin) => sum(counts.map((window) => window[bin] ?? 0)) > FEW);
  const floor = lowest(raw.flatMap((value, bin) => (value !== null && many[bin] ? [value] : [])));
  const energy = raw.map((value) => (value === null ? null : value - floor));

  const errors = energy.flatMap((value, bin) =>
    value !== null && many[bin] && within(centres[bin] ?? NaN, errorRange) ? [value - (truth.energy[bin] ?? NaN)] : [],
  );
  const means = samples.map((window) => sum(window) / window.length);
  const ratios = samples.map(
    (window, k) =>
      Math.sqrt(sum(window.map((x) => (x - (means[k] ?? NaN)) ** 2)) / window.length) / (truth.windows[k]?.std ?? NaN),
  );
  return {
    energy,
    bins: { compared: errors.length, wanted: centres.filter((x) => within(x, errorRange)).length },
    rmse: Math.sqrt(sum(errors.map((error) => error ** 2)) / errors.length),
    maxError: highest(errors.map(Math.abs)),
    barrier: highest(
      energy.flatMap((value, bin) => (value !== null && within(centres[bin] ?? NaN, barrierRange) ? [value] : [])),
    ),
    maxWindowMeanError: highest(means.map((mean, k) => Math.abs(mean - (truth.windows[k]?.mean ?? NaN)))),
    stdRatioMin: lowest(ratios),
    stdRatioMax: highest(ratios),
  };
};
