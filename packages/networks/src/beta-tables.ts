/** Tables of betas by the names of diffusers and of latent diffusion, and the noise process that one is. */
import {
  alphaBarsOf,
  ConfigError,
  cosineBetas,
  type NoiseProcess,
  veProcess,
  vpProcessOfAlphaBars,
} from '@tweedie/core';

export type BetaTable = {
  readonly kind: (typeof betaKinds)[number];
  /** Entries of the table. */
  readonly steps: number;
  /** First and last beta; `squaredcos_cap_v2` has its own. */
  readonly start: number;
  readonly end: number;
  /** Betas that replace all of the above. */
  readonly betas?: readonly number[];
  /** The table is stretched until its last level is noise alone. */
  readonly zeroSnr?: boolean;
};
export const betaKinds = ['linear', 'scaled_linear', 'squaredcos_cap_v2', 'sigmoid'] as const;

/** The betas, in float64; u runs from 0 to 1 over the table. */
export function betasOf({ kind, steps, start, end, betas }: BetaTable): Float64Array {
  if (betas) return Float64Array.from(betas);
  if (kind === 'squaredcos_cap_v2') return cosineBetas(steps);
  const at: Readonly<Record<typeof kind, (u: number) => number>> = {
    linear: (u) => start + (end - start) * u,
    scaled_linear: (u) => (Math.sqrt(start) + (Math.sqrt(end) - Math.sqrt(start)) * u) ** 2,
    sigmoid: (u) => start + (end - start) / (1 + Math.exp(6 - 12 * u)),
  };
  return Float64Array.from({ length: steps }, (_, i) => at[kind](i / (steps - 1)));
}

/**
 * The products alphaBar of a table. With `zeroSnr` r = sqrt(alphaBar) becomes (r - r_last) r_0 / (r_0 - r_last); the
 * last entry, whose sigma is infinite, is left out.
 */
export function alphaBarsOfTable(table: BetaTable): Float64Array {
  const alphaBars = alphaBarsOf(betasOf(table));
  if (!table.zeroSnr) return alphaBars;
  const roots = alphaBars.map(Math.sqrt);
  const [first = 1, last = 0] = [roots[0], roots[roots.length - 1]];
  return roots.subarray(0, -1).map((root) => (((root - last) * first) / (first - last)) ** 2);
}

/** The noise levels of a table, seen as a VP or as a VE process. Throws ConfigError where a beta is none. */
export function processOfBetas(table: BetaTable, kind: 'vp' | 've', where: string): NoiseProcess {
  const wrong = betasOf(table).find((beta) => !(beta > 0 && beta < 1));
  if (wrong !== undefined || !(table.steps >= 2))
    throw new ConfigError(
      where,
      wrong === undefined ? `its table of betas has ${table.steps} entries.` : `a beta of its table is ${wrong}.`,
      'Give the betas that the network was trained with, at least two, all between 0 and 1.',
    );
  const trained = vpProcessOfAlphaBars(alphaBarsOfTable(table));
  return kind === 'vp' ? trained : veProcess(trained.table.map(({ sigma }) => sigma));
}
