/** Special functions in float64, accurate to about 1e-13 relative in the tails that p values need. */

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;
const TINY = 1e-300;
const PRECISION = 1e-16;

/** ln Gamma(x), x > 0 (Lanczos, g = 7). */
const logGamma = (x: number): number => {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const z = x - 1;
  let sum: number = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) sum += (LANCZOS[i] ?? 0) / (z + i);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
};

export const logBinomial = (n: number, k: number): number => logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);

/**
 * A continued fraction b0 + a1 / (b1 + a2 / (b2 + ...)) by the modified Lentz method; `term` gives [a, b] of i = 1, 2,
 * ...
 */
const continuedFraction = (b0: number, term: (i: number) => readonly [number, number]): number => {
  let value = b0 === 0 ? TINY : b0;
  let c = value;
  let d = 0;
  for (let i = 1; i < 10_000; i++) {
    const [a, b] = term(i);
    d = b + a * d;
    d = 1 / (d === 0 ? TINY : d);
    c = b + a / c;
    if (c === 0) c = TINY;
    value *= c * d;
    if (Math.abs(c * d - 1) < PRECISION) break;
  }
  return value;
};

/** Regularised incomplete beta function I_x(a, b); `y` = 1 - x may be given where it is known more exactly. */
export const incompleteBeta = (x: number, a: number, b: number, y = 1 - x): number => {
  if (x <= 0) return 0;
  if (y <= 0) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(y, b, a, x);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(y)) / a;
  const fraction = continuedFraction(1, (i) => {
    const m = Math.floor(i / 2);
    const numerator = i % 2 === 0 ? m * (b - m) : -(a + m) * (a + b + m);
    return [(numerator * x) / ((a + i - 1) * (a + i)), 1];
  });
  return front / fraction;
};

/** erfc(x), the relative precision kept far into the tail. */
export const erfc = (x: number): number => {
  if (x < 0) return 2 - erfc(-x);
  const x2 = x * x;
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > PRECISION * Math.abs(sum) && n < 200; n++) {
      term *= (2 * x2) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x2) * sum;
  }
  const fraction = continuedFraction(x2 + 0.5, (i) => [-i * (i - 0.5), x2 + 2 * i + 0.5]);
  return (x * Math.exp(-x2)) / Math.sqrt(Math.PI) / fraction;
};

/** P(Z <= z) of a standard normal. */
export const normalCdf = (z: number): number => 0.5 * erfc(-z / Math.SQRT2);

/** P(|T| >= |t|) of Student's t. */
export const studentTwoSided = (t: number, df: number): number => {
  const scale = df + t * t;
  return incompleteBeta(df / scale, df / 2, 0.5, (t * t) / scale);
};

/** The t > 0 with P(|T| >= t) = alpha. */
export const studentCritical = (alpha: number, df: number): number => {
  let low = 0;
  let high = 1;
  while (studentTwoSided(high, df) > alpha) high *= 2;
  for (let i = 0; i < 100 && high - low > 1e-15 * high; i++) {
    const middle = (low + high) / 2;
    if (studentTwoSided(middle, df) > alpha) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
};
