/** Gaussian mixtures on a line: distribution function, first partial moment and quantiles, fast and to 1e-11. */

/** Standard deviations on each side of 0 beyond which a normal has no mass that counts (1e-15). */
const REACH = 8;
const PER_UNIT = 256;
const NODES = 2 * REACH * PER_UNIT + 1;
const NORMALISER = 1 / Math.sqrt(2 * Math.PI);

const normalDensity = (z: number): number => NORMALISER * Math.exp((-z * z) / 2);

/**
 * The standard normal distribution function at the nodes: Simpson's rule from node to node, whose error is of the fifth
 * power of the spacing.
 */
const NODE_VALUES = ((): Float64Array => {
  const values = new Float64Array(NODES);
  const h = 1 / PER_UNIT;
  for (let i = 1; i < NODES; i++) {
    const z = -REACH + i * h;
    const area = (h / 6) * (normalDensity(z - h) + 4 * normalDensity(z - h / 2) + normalDensity(z));
    values[i] = (values[i - 1] ?? 0) + area;
  }
  return values;
})();

/** P(Z <= z) of a standard normal, by cubic interpolation with the known slopes; absolute error below 1e-11. */
export const fastNormalCdf = (z: number): number => {
  if (z <= -REACH) return 0;
  if (z >= REACH) return 1;
  const position = (z + REACH) * PER_UNIT;
  const node = Math.min(Math.floor(position), NODES - 2);
  const t = position - node;
  const left = -REACH + node / PER_UNIT;
  const [a, b] = [NODE_VALUES[node] ?? 0, NODE_VALUES[node + 1] ?? 1];
  const [slopeA, slopeB] = [normalDensity(left) / PER_UNIT, normalDensity(left + 1 / PER_UNIT) / PER_UNIT];
  const [t2, t3] = [t * t, t * t * t];
  return a * (2 * t3 - 3 * t2 + 1) + slopeA * (t3 - 2 * t2 + t) + b * (3 * t2 - 2 * t3) + slopeB * (t3 - t2);
};

/** sum_k weights[k] N(means[k], stds[k]^2) on a line; a std of 0 is a point. */
export type LineMixture = { readonly weights: Float64Array; readonly means: Float64Array; readonly stds: Float64Array };

export type LinePoint = {
  /** P(X <= x). */
  readonly cdf: number;
  /** E[X; X <= x]. */
  readonly moment: number;
  readonly density: number;
};

/** The distribution function, its partial first moment and the density at x. */
export const lineAt = ({ weights, means, stds }: LineMixture, x: number): LinePoint => {
  let [cdf, moment, density] = [0, 0, 0];
  for (let k = 0; k < weights.length; k++) {
    const [weight, mean, std] = [weights[k] ?? 0, means[k] ?? 0, stds[k] ?? 0];
    if (std > 0) {
      const z = (x - mean) / std;
      const [below, height] = [fastNormalCdf(z), normalDensity(z)];
      cdf += weight * below;
      moment += weight * (mean * below - std * height);
      density += (weight * height) / std;
    } else if (mean <= x) {
      cdf += weight;
      moment += weight * mean;
    }
  }
  return { cdf, moment, density };
};

/** E[X] and E[X^2]. */
export const lineMoments = ({
  weights,
  means,
  stds,
}: LineMixture): { readonly mean: number; readonly square: number } => {
  let [mean, square] = [0, 0];
  for (let k = 0; k < weights.length; k++) {
    const [weight, at, std] = [weights[k] ?? 0, means[k] ?? 0, stds[k] ?? 0];
    mean += weight * at;
    square += weight * (at * at + std * std);
  }
  return { mean, square };
};

/** Halvings after which a bracket is a number of float64. */
const MOST_STEPS = 200;

/**
 * The quantiles of the levels i / n, i = 1 to n - 1, by Newton's method kept in a bracket: where density is low between
 * modes it halves.
 */
export const lineQuantiles = (line: LineMixture, n: number): Float64Array => {
  const { means, stds } = line;
  const edge = (side: -1 | 1): number =>
    means.reduce((far, mean, k) => Math.max(far, side * mean + REACH * (stds[k] ?? 0)), -Infinity) * side;
  const [lowest, highest] = [edge(-1), edge(1)];
  const quantiles = new Float64Array(n - 1);
  let before = lowest;
  for (let i = 1; i < n; i++) {
    const level = i / n;
    let [low, high] = [before, highest];
    let x = i === 1 ? (low + high) / 2 : before;
    for (let step = 0; step < MOST_STEPS && high - low > 1e-13 * (Math.abs(low) + Math.abs(high)); step++) {
      const { cdf, density } = lineAt(line, x);
      const miss = cdf - level;
      if (miss >= 0) high = x;
      else low = x;
      if (Math.abs(miss) < 1e-13) break;
      const next = density > 0 ? x - miss / density : NaN;
      x = next > low && next < high ? next : (low + high) / 2;
    }
    quantiles[i - 1] = x;
    before = x;
  }
  return quantiles;
};
