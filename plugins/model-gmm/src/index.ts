import {
  cholesky,
  ConfigError,
  type Context,
  type Covariance,
  decodeMixture,
  type GaussianMixture,
  type ImageShape,
  mixtureModel,
  type ModelFactory,
  noiseProcess,
  type ProcessOptions,
  showShape,
  sizeOf,
} from '@tweedie/core';

export interface GmmOptions {
  readonly shape: ImageShape;
  readonly file?: string;
  readonly weights?: readonly number[];
  readonly means?: readonly (readonly number[])[];
  readonly variances?: number | readonly number[] | readonly (readonly number[])[];
  readonly covariances?: readonly (readonly (readonly number[])[])[];
  readonly smooth?: { readonly length: number; readonly std: number };
  readonly process: Required<ProcessOptions>;
}

/**
 * A Gaussian mixture prior, p(x0) = sum_k w_k N(m_k, C_k), with isotropic, diagonal or full covariances, seen through a
 * VP or VE process. Its score, and with any linear operator its posterior, are exact. No pixel range, so nothing is
 * clamped. Parameters come by value, from a safetensors file, or for smooth images and signals from a correlation
 * length:
 *
 *   cov(x_p, x_q) = std^2 (1 + s) exp(-s),   s = sqrt(3) |p - q| / length
 *
 * (Matern 3/2; p and q are pixels of one channel).
 *
 * Throws ConfigError where sizes do not fit or a covariance is not positive definite.
 */
export const gmm: ModelFactory<GmmOptions> = (options, context) => {
  const inRecipe = (['weights', 'means', 'variances', 'covariances', 'smooth'] as const).find(
    (name) => options[name] !== undefined,
  );
  if (options.file !== undefined && inRecipe !== undefined)
    throw wrong(`both file and ${inRecipe} are given.`, 'Give the parameters by value or in a file.');
  const covariance = kindOf(options);
  return mixtureModel({
    imageShape: options.shape,
    process: noiseProcess(options.process),
    ...(covariance === undefined ? {} : { covariance }),
    mixture: async () =>
      checked(options.file === undefined ? byValue(options) : await fromFile(options.file, context), options.shape),
  });
};

/** Which covariances these options ask for; of a file it is not known before it is read. */
function kindOf({ file, variances, covariances, smooth }: GmmOptions): Covariance['kind'] | undefined {
  if (file !== undefined) return undefined;
  if (covariances !== undefined || smooth !== undefined) return 'full';
  return Array.isArray(variances) && Array.isArray(variances[0]) ? 'diagonal' : 'isotropic';
}

type Parameters = { count: number; weights: Float64Array | undefined; means: Float64Array; covariance: Covariance };

const wrong = (what: string, remedy: string) => new ConfigError('model/gmm', what, remedy);

/** Entries and standard deviations beyond this are infinite in float32 when squared and summed. */
const LARGEST = 1e12;
/** A full covariance of more entries has numbers beyond what an array holds, or takes hours to rotate. */
const MOST_DENSE = 4096;

/**
 * The covariance of smooth images (Matern 3/2): a draw is continuous with its slope and, unlike the squared
 * exponential's, the matrix is well conditioned.
 */
function smoothCovariance(
  [height, width, channels]: ImageShape,
  { length, std }: NonNullable<GmmOptions['smooth']>,
): Float64Array {
  const d = height * width * channels;
  if (d > MOST_DENSE)
    throw wrong(
      `smooth needs a matrix of ${d} x ${d} numbers for the shape ${showShape([height, width, channels])}.`,
      `Choose a shape of at most ${MOST_DENSE} entries.`,
    );
  const place = (i: number) => ({
    row: Math.floor(i / (width * channels)),
    column: Math.floor(i / channels) % width,
    channel: i % channels,
  });
  return Float64Array.from({ length: d * d }, (_, k) => {
    const [p, q] = [place(Math.floor(k / d)), place(k % d)];
    const s = (Math.sqrt(3) * Math.hypot(p.row - q.row, p.column - q.column)) / length;
    return p.channel === q.channel ? std ** 2 * (1 + s) * Math.exp(-s) : 0;
  });
}

function byValue({ shape, weights, means: given, variances, covariances, smooth }: GmmOptions): Parameters {
  const means = given ?? (smooth && [Array.from({ length: sizeOf(shape) }, () => 0)]);
  if (means === undefined)
    throw wrong('neither means nor file is given.', 'Give means, one row per component, or a safetensors file.');
  if ([variances, covariances, smooth].filter((one) => one !== undefined).length !== 1)
    throw wrong('exactly one of variances, covariances and smooth is needed.', 'Give one of them.');
  // `flat` would hide rows of different lengths that have the right sum.
  const rows = {
    means,
    variances: Array.isArray(variances) ? variances.filter(Array.isArray) : [],
    covariances: covariances?.flat() ?? [],
  };
  for (const [name, lists] of Object.entries(rows)) {
    const other = lists.find((row) => row.length !== lists[0]?.length);
    if (other !== undefined)
      throw wrong(
        `the rows of ${name} have ${lists[0]?.length} and ${other.length} numbers.`,
        'Make the rows equally long.',
      );
  }
  const count = means.length;
  const flatMeans = Float64Array.from(means.flat());
  const asWeights = weights && Float64Array.from(weights);
  if (covariances !== undefined)
    return {
      count,
      weights: asWeights,
      means: flatMeans,
      covariance: { kind: 'full', matrices: Float64Array.from(covariances.flat(2)) },
    };
  if (smooth !== undefined) {
    const matrix = smoothCovariance(shape, smooth);
    return {
      count,
      weights: asWeights,
      means: flatMeans,
      covariance: {
        kind: 'full',
        matrices: Float64Array.from({ length: count * matrix.length }, (_, i) => matrix[i % matrix.length] ?? 0),
      },
    };
  }
  if (typeof variances === 'number') {
    return {
      count,
      weights: asWeights,
      means: flatMeans,
      covariance: { kind: 'isotropic', variances: new Float64Array(count).fill(variances) },
    };
  }
  const kind = Array.isArray(variances?.[0]) ? 'diagonal' : 'isotropic';
  return {
    count,
    weights: asWeights,
    means: flatMeans,
    covariance: { kind, variances: Float64Array.from((variances ?? []).flat()) },
  };
}

const fromFile = async (file: string, { files }: Context): Promise<Parameters> =>
  decodeMixture(await files.readBytes(file), file, 'model/gmm');

/** How far two mirrored entries may differ, relative to the largest: numbers that came from float32 are rounded. */
const SYMMETRY = 1e-6;

function checked({ count, weights, means, covariance }: Parameters, shape: ImageShape): GaussianMixture {
  const d = sizeOf(shape);
  if (means.length !== count * d)
    throw wrong(
      `${means.length} numbers in means are not rows of ${d}.`,
      `The shape ${showShape(shape)} has ${d} entries.`,
    );
  const expect = (name: string, length: number, wanted: number) => {
    if (length !== wanted)
      throw wrong(
        `${name} has ${length} numbers, ${count} components of ${d} entries need ${wanted}.`,
        'Make the sizes agree.',
      );
  };
  const large = means.find((value) => !(Math.abs(value) <= LARGEST));
  if (large !== undefined)
    throw wrong(`${large} in means is too large for float32.`, `Scale the prior to entries of at most ${LARGEST}.`);
  const spread = (covariance.kind === 'full' ? covariance.matrices : covariance.variances).find(
    (value) => !(Math.abs(value) <= LARGEST ** 2),
  );
  const factor = (covariance.kind === 'low-rank' ? covariance.factors : []).find(
    (value: number) => !(Math.abs(value) <= LARGEST),
  );
  if (factor !== undefined)
    throw wrong(`${factor} in factors is too large for float32.`, `Scale the prior to entries of at most ${LARGEST}.`);
  if (spread !== undefined)
    throw wrong(
      `the variance or covariance ${spread} is too large for float32.`,
      `Scale the prior to standard deviations of at most ${LARGEST}.`,
    );
  expect('weights', weights?.length ?? count, count);
  if (covariance.kind === 'full') {
    expect('covariances', covariance.matrices.length, count * d * d);
    for (let k = 0; k < count; k++) {
      const matrix = covariance.matrices.subarray(k * d * d, (k + 1) * d * d);
      const mirrored = (i: number) => matrix[(i % d) * d + Math.floor(i / d)] ?? NaN;
      const largest = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      if (matrix.some((value, i) => !(Math.abs(value - mirrored(i)) <= SYMMETRY * largest))) {
        throw wrong(`covariance ${k} is not symmetric.`, 'Give a symmetric positive definite matrix.');
      }
      if (cholesky(matrix, d) === undefined) {
        throw wrong(`covariance ${k} is not positive definite.`, 'Give a symmetric positive definite matrix.');
      }
    }
  } else {
    if (covariance.kind === 'low-rank') checkFactors(covariance.factors, count, d);
    expect('variances', covariance.variances.length, covariance.kind === 'diagonal' ? count * d : count);
    const bad = covariance.variances.find((variance) => !(variance > 0));
    if (bad !== undefined) throw wrong(`variance ${bad} is not positive.`, 'Give variances above 0.');
  }
  const badWeight = weights?.find((weight) => !(weight > 0));
  if (badWeight !== undefined) throw wrong(`weight ${badWeight} is not positive.`, 'Give weights above 0.');
  const total = weights?.reduce((sum, weight) => sum + weight, 0) ?? count;
  if (total === Infinity)
    throw wrong('the weights add up to infinity.', 'Give smaller weights; only their ratios matter.');
  return { weights: (weights ?? new Float64Array(count).fill(1)).map((weight) => weight / total), means, covariance };
}

/** How far from a right angle two columns may be, as a cosine: numbers that came from float32 are rounded. */
const ANGLE = 1e-4;

/** Throws where factors are not K matrices [d, r] with columns at right angles, r at most d. */
function checkFactors(factors: Float64Array, count: number, d: number): void {
  const rank = factors.length / (count * d);
  if (!Number.isInteger(rank) || rank > d)
    throw wrong(
      `factors has ${factors.length} numbers, ${count} components of ${d} entries need a multiple of ${count * d}, at most ${d} times.`,
      'Store factors [K, d, r].',
    );
  for (let k = 0; k < count; k++) {
    const at = (i: number, j: number): number => factors[(k * d + i) * rank + j] ?? 0;
    const product = (a: number, b: number): number => {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += at(i, a) * at(i, b);
      return sum;
    };
    const norms = Array.from({ length: rank }, (_, j) => Math.sqrt(product(j, j)));
    for (let a = 0; a < rank; a++)
      for (let b = 0; b < a; b++)
        if (Math.abs(product(a, b)) > ANGLE * (norms[a] ?? 0) * (norms[b] ?? 0))
          throw wrong(
            `columns ${b} and ${a} of the factor ${k} are not at right angles.`,
            'Give eigenvectors, each times the square root of what its variance has above that of the rest.',
          );
  }
}
