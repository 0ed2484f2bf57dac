/** Noise processes, from a recipe's options, from betas or from sigmas. */
import { ConfigError } from './errors.ts';
import { geometricSigmas } from './levels.ts';
import type { Level, NoiseProcess } from './types.ts';

const where = 'noise process';

/** How a recipe names a noise process; the options of every model plugin embed it. */
export type ProcessOptions = {
  readonly kind: 'vp' | 've';
  /** Table of betas; VP only, for VE is geometric in sigma. `linear` is DDPM's. */
  readonly schedule?: 'linear' | 'cosine';
  readonly trainingSteps?: number;
  /** Smallest sigma; VE only. */
  readonly sigmaMin?: number;
  /** Largest sigma; VE only. */
  readonly sigmaMax?: number;
};

/**
 * The JSON Schema of ProcessOptions and, for `noiseProcess`, its defaults. The manifests of models repeat it, because
 * they are data; a test compares them.
 */
export const processSchema = {
  type: 'object',
  additionalProperties: false,
  description: 'noise process that the prior is seen through',
  properties: {
    kind: { enum: ['vp', 've'], default: 'vp', description: 'variance preserving or variance exploding' },
    schedule: { enum: ['linear', 'cosine'], default: 'linear', description: 'table of betas (VP only)' },
    trainingSteps: {
      type: 'integer',
      minimum: 2,
      maximum: 100_000,
      default: 1000,
      description: 'entries of the table',
    },
    sigmaMin: { type: 'number', exclusiveMinimum: 0, default: 0.01, description: 'smallest sigma (VE only)' },
    sigmaMax: { type: 'number', exclusiveMinimum: 0, default: 157, description: 'largest sigma (VE only)' },
  },
  default: {},
} as const;

/** The process that a recipe names. Throws ConfigError where its numbers make no table of rising noise. */
export function noiseProcess(options: Partial<ProcessOptions> = {}): NoiseProcess {
  const { properties: usual } = processSchema;
  const {
    kind = usual.kind.default,
    schedule = usual.schedule.default,
    trainingSteps = usual.trainingSteps.default,
  } = options;
  const { sigmaMin = usual.sigmaMin.default, sigmaMax = usual.sigmaMax.default } = options;
  if (kind === 've') return geometricProcess(sigmaMin, sigmaMax, trainingSteps);
  return vpProcess(schedule === 'cosine' ? cosineBetas(trainingSteps) : linearBetas(trainingSteps));
}

/**
 * DDPM's linear betas: from scale * 1e-4 to scale * 0.02, both included, scale = 1000 / count, float64.
 * docs/methods.md 1.1.
 */
export function linearBetas(count: number): Float64Array {
  const scale = 1000 / count;
  const first = scale * 1e-4;
  const step = (scale * 0.02 - first) / (count - 1);
  return Float64Array.from({ length: count }, (_, t) => first + step * t);
}

/**
 * Cosine betas of improved DDPM: beta_t = min(1 - f(t+1)/f(t), 0.999), f(u) = cos^2((u/N + 0.008)/1.008 * pi/2).
 * docs/methods.md 1.3.
 */
export function cosineBetas(count: number): Float64Array {
  const f = (t: number) => Math.cos(((t / count + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  return Float64Array.from({ length: count }, (_, t) => Math.min(1 - f(t + 1) / f(t), 0.999));
}

/** The products alphaBar_t = prod_{s <= t} (1 - beta_s). */
export function alphaBarsOf(betas: ArrayLike<number>): Float64Array {
  let product = 1;
  return Float64Array.from(betas, (beta) => (product *= 1 - beta));
}

/**
 * A variance preserving process: xt = sqrt(alphaBar) x0 + sqrt(1 - alphaBar) eps. `betas` from the least noise to the
 * most, in (0, 1).
 */
export const vpProcess = (betas: ArrayLike<number>): NoiseProcess => vpProcessOfAlphaBars(alphaBarsOf(betas));

/** The variance preserving process with these products alphaBar, falling. */
export const vpProcessOfAlphaBars = (alphaBars: ArrayLike<number>): NoiseProcess =>
  process(
    'vp',
    Float64Array.from(alphaBars, (alphaBar) => Math.sqrt((1 - alphaBar) / alphaBar)),
    alphaBars,
  );

/** A variance exploding process, xt = x0 + sigma eps, with sigma geometric between the ends. */
export function geometricProcess(sigmaMin: number, sigmaMax: number, count: number): NoiseProcess {
  if (!(sigmaMin > 0 && sigmaMin < sigmaMax)) {
    throw new ConfigError(
      where,
      `sigmaMin ${sigmaMin} and sigmaMax ${sigmaMax} are not 0 < sigmaMin < sigmaMax.`,
      'Choose sigmaMin below sigmaMax.',
    );
  }
  return veProcess(geometricSigmas(sigmaMin, sigmaMax, count));
}

/** The variance exploding process with these rising sigmas. */
export const veProcess = (sigmas: ArrayLike<number>): NoiseProcess => process('ve', Float64Array.from(sigmas));

/**
 * The process with these noise levels. VP and VE are one process seen at different scales: N(xt; signal x0, noise^2) is
 * proportional to N(xt / signal; x0, sigma^2). docs/methods.md 1.5.
 */
function process(kind: 'vp' | 've', sigmas: Float64Array, alphaBars?: ArrayLike<number>): NoiseProcess {
  const first = sigmas[0];
  const last = sigmas[sigmas.length - 1];
  if (first === undefined || last === undefined)
    throw new ConfigError(where, 'the table is empty.', 'Give at least one level.');
  const wrong = sigmas.findIndex((sigma, t) => !(sigma > (sigmas[t - 1] ?? 0)) || !Number.isFinite(sigma));
  if (wrong >= 0) {
    throw new ConfigError(
      where,
      `sigma must be positive and rise along the table, but entry ${wrong} of ${sigmas.length} is ${sigmas[wrong]}.`,
      'Linear betas need at least 21 training steps; betas lie between 0 and 1.',
    );
  }
  const logs = sigmas.map(Math.log);

  const level = (sigma: number, t: number, tableSigma: number, exactAlphaBar?: number): Level => {
    const alphaBar = exactAlphaBar ?? 1 / (1 + sigma * sigma);
    return kind === 'vp'
      ? {
          sigma,
          alphaBar,
          signal: Math.sqrt(alphaBar),
          noise: exactAlphaBar === undefined ? sigma * Math.sqrt(alphaBar) : Math.sqrt(1 - alphaBar),
          t,
          tableSigma,
        }
      : { sigma, alphaBar, signal: 1, noise: sigma, t, tableSigma };
  };
  const table = Array.from(sigmas, (sigma, t) => level(sigma, t, sigma, alphaBars?.[t]));

  return {
    kind,
    table,
    levelAt(sigma) {
      if (!(sigma >= 0) || !Number.isFinite(sigma)) {
        throw new ConfigError(
          where,
          `noise level ${sigma} is not a number >= 0.`,
          'Give sigma = sqrt((1 - alphaBar) / alphaBar).',
        );
      }
      if (sigma <= first) return level(sigma, 0, first);
      if (sigma >= last) return level(sigma, sigmas.length - 1, last);
      const target = Math.log(sigma);
      let low = 0;
      let high = logs.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if ((logs[middle] ?? 0) <= target) low = middle;
        else high = middle;
      }
      const from = logs[low] ?? 0;
      const to = logs[high] ?? 0;
      return level(sigma, low + (target - from) / (to - from), sigma);
    },
  };
}
