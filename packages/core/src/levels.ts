/** The levels of a noise process that a schedule visits, and the step from one to the next. */
import { at } from './at.ts';
import { ConfigError } from './errors.ts';
import type { Level, NoiseProcess, Step } from './types.ts';

/**
 * Which entries of a table of `count` a schedule with fewer steps keeps, ascending. docs/methods.md 1.2.
 *  - an integer n: n entries, both ends included, rounded half to even along accumulated floating-point strides;
 *  - 'ddimN': a plain stride that gives exactly N entries (does not reach the last one);
 *  - 'quadN': N entries, both ends included, the closer the less the noise (docs/methods.md 4.13; Zhu et al. 2023,
 *    arXiv:2305.08995, released code);
 *  - a list: the table is cut into equal sections, each spaced like an integer.
 */
export function spaceTimesteps(count: number, spacing: number | string | readonly number[]): number[] {
  if (typeof spacing === 'string') {
    const match = /^(ddim|quad)(\d+)$/.exec(spacing);
    if (match === null) {
      if (/^\d+(,\d+)*$/.test(spacing)) return spaceTimesteps(count, spacing.split(',').map(Number));
      throw new ConfigError(
        'schedule',
        `steps '${spacing}' is not understood.`,
        "Give a number, 'ddimN', 'quadN', or counts per section such as '10,20,30'.",
      );
    }
    const wanted = Number(match[2]);
    if (match[1] === 'quad') return quadraticTimesteps(count, wanted);
    for (let stride = 1; stride < count; stride++) {
      if (Math.ceil(count / stride) === wanted) return Array.from({ length: wanted }, (_, i) => i * stride);
    }
    throw new ConfigError(
      'schedule',
      `no integer stride over ${count} levels gives ${wanted} steps.`,
      'Give a number of steps without the ddim prefix.',
    );
  }
  const sections = typeof spacing === 'number' ? [spacing] : spacing;
  const base = Math.floor(count / sections.length);
  const extra = count % sections.length;
  const kept: number[] = [];
  let start = 0;
  sections.forEach((wanted, section) => {
    const size = base + (section < extra ? 1 : 0);
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > size) {
      throw new ConfigError(
        'schedule',
        `cannot take ${wanted} steps out of a section of ${size} levels.`,
        `Give an integer from 1 to ${size}.`,
      );
    }
    const stride = wanted <= 1 ? 1 : (size - 1) / (wanted - 1);
    let position = 0;
    for (let i = 0; i < wanted; i++) {
      kept.push(start + roundHalfToEven(position));
      position += stride;
    }
    start += size;
  });
  return kept;
}

/**
 * The entries t_i = count - 1 - floor(count sqrt(i / (wanted - 1))), the last one 0: distances in t fall like 1 / i.
 */
function quadraticTimesteps(count: number, wanted: number): number[] {
  const stride = count ** 2 / (wanted - 1);
  const falling = Array.from({ length: wanted }, (_, i) =>
    i === 0 ? count - 1 : i === wanted - 1 ? 0 : count - 1 - Math.floor(Math.sqrt(i * stride)),
  );
  if (wanted < 1 || falling.some((t, i) => i > 0 && t >= (falling[i - 1] ?? count))) {
    throw new ConfigError(
      'schedule',
      `'quad${wanted}' over ${count} levels would visit one of them twice.`,
      `Give 1 to ${Math.floor(count / 2) + 1} steps, or a number without the quad prefix.`,
    );
  }
  return falling.reverse();
}

function roundHalfToEven(value: number): number {
  const down = Math.floor(value);
  const fraction = value - down;
  if (fraction !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

/** A step of a schedule before a scheduler adds its coefficients. */
export type LevelPair = { readonly index: number; readonly level: Level; readonly next: Level };

/**
 * The levels a respaced schedule visits, from the most noise to the clean end; docs/methods.md 1.2. `index` counts down
 * to 0.
 */
export function respacedLevels(process: NoiseProcess, spacing: number | string | readonly number[]): LevelPair[] {
  const clean = process.levelAt(0);
  return pairs(
    spaceTimesteps(process.table.length, spacing).map((t) => at(process.table, t, 'level')),
    clean,
  );
}

/** A schedule through falling noise levels of one's own choice, in units of the process, then to the clean end. */
export const levelsThrough = (process: NoiseProcess, sigmas: readonly number[]): LevelPair[] =>
  pairs(sigmas.map((sigma) => process.levelAt(sigma)).reverse(), process.levelAt(0));

const pairs = (rising: readonly Level[], clean: Level): LevelPair[] =>
  rising.map((level, index) => ({ index, level, next: rising[index - 1] ?? clean })).reverse();

export type SigmaRange = { readonly sigmaMin: number; readonly sigmaMax: number };

/**
 * The noise levels that a schedule runs between: those given or, where not, `usual` as far as the process's table
 * reaches. Throws ConfigError.
 */
export function sigmaRange(
  { table }: NoiseProcess,
  given: Partial<SigmaRange>,
  usual: SigmaRange = { sigmaMin: 0, sigmaMax: Infinity },
): SigmaRange {
  const {
    sigmaMin = Math.max(usual.sigmaMin, table[0]?.sigma ?? 0),
    sigmaMax = Math.min(usual.sigmaMax, table.at(-1)?.sigma ?? 0),
  } = given;
  if (sigmaMin > 0 && sigmaMin < sigmaMax) return { sigmaMin, sigmaMax };
  const [low, high] = [sigmaMin, sigmaMax].map((sigma) => Number(sigma.toPrecision(6)));
  throw new ConfigError(
    'schedule',
    `sigmaMin ${low} and sigmaMax ${high} are not 0 < sigmaMin < sigmaMax.`,
    'Choose sigmaMin below sigmaMax.',
  );
}

/** `count` noise levels, evenly spaced in ln sigma, both ends included. docs/methods.md 1.4. */
export const geometricSigmas = (from: number, to: number, count: number): number[] =>
  spaced(count, (u) => from * Math.exp(u * Math.log(to / from)));

/**
 * `count` noise levels, evenly spaced in sigma^(1 / rho), both ends included. docs/methods.md 1.4; Karras et al. 2022,
 * arXiv:2206.00364, Equation 5.
 */
export const polynomialSigmas = (from: number, to: number, count: number, rho: number): number[] =>
  spaced(count, (u) => (from ** (1 / rho) + u * (to ** (1 / rho) - from ** (1 / rho))) ** rho);

const spaced = (count: number, valueAt: (u: number) => number): number[] =>
  Array.from({ length: count }, (_, i) => valueAt(count === 1 ? 0 : i / (count - 1)));

/**
 * Coefficients of q(xNext | xt, x0), the reverse of one noising step, for any process with xt = signal x0 + noise eps;
 * float64. With ratio = signal / signalNext and beta = noise^2 - ratio^2 noiseNext^2 (VP: 1 - alphaBar / alphaBarNext;
 * VE: sigma^2 - sigmaNext^2):
 *   mean = x0Weight x0 + xtWeight xt,   variance = noiseNext^2 beta / noise^2
 */
export function reverseCoefficients(
  level: Level,
  next: Level,
): { beta: number; x0Weight: number; xtWeight: number; variance: number } {
  const ratio = level.signal / next.signal;
  const beta = level.noise ** 2 - (ratio * next.noise) ** 2;
  const share = next.noise ** 2 / level.noise ** 2;
  return { beta, x0Weight: (next.signal * beta) / level.noise ** 2, xtWeight: ratio * share, variance: share * beta };
}

/** One move from pure noise to the image, whatever the scheduler: of methods whose samples need no diffusion. */
export const oneStep = (process: NoiseProcess): readonly Step[] =>
  levelsThrough(process, [process.table.at(-1)?.sigma ?? 1]).map((pair) => ({
    ...pair,
    scoreWeight: 0,
    coefficients: {},
  }));
