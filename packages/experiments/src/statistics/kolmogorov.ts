import { logBinomial, normalCdf } from './special.ts';

/**
 * The n D^2 above which both one-sided deviations practically never happen together (relative error below 1e-9), so
 * that p is twice the one-sided p.
 */
const ONE_SIDED_FROM = 4;

export type KolmogorovSmirnov = {
  readonly statistic: number;
  /** Two-sided p from the exact distribution of the statistic. */
  readonly pExact: number;
  /** Two-sided p from Kolmogorov's series at sqrt(n) D. */
  readonly pAsymptotic: number;
  /** Two-sided p from the same series at (sqrt(n) + 0.12 + 0.11 / sqrt(n)) D. */
  readonly pStephens: number;
};

/** P(K >= x) of the limiting distribution. */
const kolmogorovTail = (x: number): number => {
  if (x <= 0) return 1;
  if (x < 1) {
    let sum = 0;
    for (let k = 1; k < 40; k += 2) sum += Math.exp(-((k * Math.PI) ** 2) / (8 * x * x));
    return 1 - (Math.sqrt(2 * Math.PI) / x) * sum;
  }
  let sum = 0;
  for (let k = 1; k < 20; k++) sum += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * x * x);
  return sum;
};

const multiply = (a: Float64Array, b: Float64Array, size: number): Float64Array => {
  const product = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      const factor = a[i * size + k] ?? 0;
      for (let j = 0; j < size; j++)
        product[i * size + j] = (product[i * size + j] ?? 0) + factor * (b[k * size + j] ?? 0);
    }
  }
  return product;
};

/** P(D < d) for n draws by the matrix power of Marsaglia, Tsang and Wang 2003, with the powers of ten kept apart. */
const exactCdf = (n: number, d: number): number => {
  const k = Math.floor(n * d) + 1;
  const size = 2 * k - 1;
  const h = k - n * d;
  let matrix: Float64Array = new Float64Array(size * size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) matrix[i * size + j] = i - j + 1 >= 0 ? 1 : 0;
  const corner = (size - 1) * size;
  for (let i = 0; i < size; i++) {
    matrix[i * size] = (matrix[i * size] ?? 0) - h ** (i + 1);
    matrix[corner + i] = (matrix[corner + i] ?? 0) - h ** (size - i);
  }
  matrix[corner] = (matrix[corner] ?? 0) + (2 * h - 1 > 0 ? (2 * h - 1) ** size : 0);
  for (let i = 0; i < size; i++) {
    let factorial = 1;
    for (let j = i; j >= 0; j--) {
      factorial *= i - j + 1;
      matrix[i * size + j] = (matrix[i * size + j] ?? 0) / factorial;
    }
  }
  let result: Float64Array | undefined;
  let [exponent, resultExponent] = [0, 0];
  for (let power = n; power > 0; power = Math.floor(power / 2)) {
    if (power % 2 === 1) {
      result = result === undefined ? matrix.slice() : multiply(result, matrix, size);
      resultExponent += exponent;
      if ((result[(k - 1) * (size + 1)] ?? 0) > 1e140) {
        result = result.map((value) => value * 1e-140);
        resultExponent += 140;
      }
    }
    matrix = multiply(matrix, matrix, size);
    exponent *= 2;
    if ((matrix[(k - 1) * (size + 1)] ?? 0) > 1e140) {
      matrix = matrix.map((value) => value * 1e-140);
      exponent += 140;
    }
  }
  let probability = result?.[(k - 1) * (size + 1)] ?? 0;
  for (let i = 1; i <= n; i++) {
    probability *= i / n;
    if (probability < 1e-140) {
      probability *= 1e140;
      resultExponent -= 140;
    }
  }
  return probability * 10 ** resultExponent;
};

/** P(D+ >= d) for n draws (Smirnov's sum). */
const oneSidedTail = (n: number, d: number): number => {
  let sum = 0;
  for (let j = 0; j <= Math.floor(n * (1 - d)); j++) {
    const [below, above] = [d + j / n, 1 - d - j / n];
    if (above > 0) sum += Math.exp(logBinomial(n, j) + (j - 1) * Math.log(below) + (n - j) * Math.log(above));
  }
  return d * sum;
};

/** One-sample two-sided Kolmogorov-Smirnov test against N(location, scale^2). */
export const kolmogorovSmirnov = (values: readonly number[], location: number, scale: number): KolmogorovSmirnov => {
  const n = values.length;
  const sorted = Float64Array.from(values).sort();
  let statistic = 0;
  sorted.forEach((value, i) => {
    const cdf = normalCdf((value - location) / scale);
    statistic = Math.max(statistic, (i + 1) / n - cdf, cdf - i / n);
  });
  const pExact = n * statistic ** 2 >= ONE_SIDED_FROM ? 2 * oneSidedTail(n, statistic) : 1 - exactCdf(n, statistic);
  const root = Math.sqrt(n);
  return {
    statistic,
    pExact,
    pAsymptotic: kolmogorovTail(root * statistic),
    pStephens: kolmogorovTail((root + 0.12 + 0.11 / root) * statistic),
  };
};
