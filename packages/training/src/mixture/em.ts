import { CancelledError, type KeyedRandom } from '@tweedie/core';
import type { Expectation, Patches } from './expectation.ts';
import { type CovarianceShape, type Moments, mostLikely, type Parameters } from './parameters.ts';
import { startingMoments } from './start.ts';

export type EmSettings = {
  readonly components: number;
  readonly covariance: CovarianceShape;
  /** The least standard deviation along any axis. */
  readonly floor: number;
  readonly start: 'k-means++' | 'random';
  /** Patches of the first round; each next round has twice as many, up to all. */
  readonly first: number;
  /** The most iterations of a round. */
  readonly iterations: number;
  /** A round ends when an iteration gains less, in nats an entry. */
  readonly tolerance: number;
};

export type EmIteration = {
  readonly patches: number;
  readonly iteration: number;
  /** Mean log-likelihood before the step, in nats an entry. */
  readonly logLikelihood: number;
  /** Components that had died and begin anew. */
  readonly reseeded: number;
  /** Components that have died too often and are gone. */
  readonly removed: number;
};

/** How often a component may begin anew before it is removed. */
const MOST_LIVES = 3;
/** A fall of the log-likelihood in nats an entry that rounding in float32 does not explain. */
const ROUNDING = 1e-5;

/**
 * Expectation-maximisation for a Gaussian mixture (Dempster, Laird and Rubin 1977), in rounds over ever more of the
 * patches: 1/2^n of them first, all of them last. Within a round every iteration is one of full EM and the
 * log-likelihood cannot fall, but where a component with fewer than two patches begins anew as half of the
 * heaviest one, moved along its longest axis. Throws CancelledError between iterations.
 */
export async function expectationMaximisation(
  patches: Patches,
  settings: EmSettings,
  expectation: Expectation,
  random: KeyedRandom,
  { signal, onIteration }: { readonly signal?: AbortSignal; readonly onIteration?: (row: EmIteration) => void } = {},
): Promise<{ readonly parameters: Parameters; readonly rows: readonly EmIteration[] }> {
  const { covariance, floor, iterations, tolerance } = settings;
  const rows: EmIteration[] = [];
  const rounds = roundsOf(settings.first, patches.count);
  const part = (count: number): Patches => ({
    ...patches,
    count,
    values: patches.values.subarray(0, count * patches.size),
  });
  let lives = new Int32Array(settings.components);
  let moments = startingMoments(part(rounds[0] ?? patches.count), settings.components, settings.start, random);
  let parameters = mostLikely(moments, covariance, floor);
  for (const count of rounds) {
    let before = -Infinity;
    for (let iteration = 1; iteration <= iterations; iteration++) {
      if (signal?.aborted === true)
        throw new CancelledError('Stopped. Nothing is kept of a fit that has not finished.');
      const found = await expectation.moments(part(count), parameters);
      const revived = revive(found.moments, lives);
      moments = revived.moments;
      lives = revived.lives;
      const row = {
        patches: count,
        iteration,
        logLikelihood: found.mean / patches.size,
        reseeded: revived.reseeded,
        removed: revived.removed,
      };
      rows.push(row);
      onIteration?.(row);
      parameters = mostLikely(moments, covariance, floor);
      if (row.logLikelihood - before < tolerance && row.reseeded === 0) break;
      before = row.reseeded + row.removed > 0 ? -Infinity : row.logLikelihood;
    }
  }
  return { parameters, rows };
}

/** The numbers of patches of the rounds. */
function roundsOf(first: number, all: number): readonly number[] {
  const rounds = [all];
  for (let count = Math.floor(all / 2); count >= first; count = Math.floor(count / 2)) rounds.unshift(count);
  return rounds;
}

/** Iterations in which the log-likelihood fell by more than rounding, though no component began anew before. */
export const fallsOf = (rows: readonly EmIteration[]): number =>
  rows.filter((row, i) => {
    const before = rows[i - 1];
    return (
      before !== undefined &&
      before.patches === row.patches &&
      before.reseeded + before.removed === 0 &&
      row.logLikelihood < before.logLikelihood - ROUNDING
    );
  }).length;

function revive({ counts, means, covariances }: Moments, lives: Int32Array<ArrayBuffer>) {
  const size = means.length / counts.length;
  const dead = Array.from(counts.keys()).filter((k) => (counts[k] ?? 0) < 2);
  const lost = new Set(dead.filter((k) => (lives[k] ?? 0) >= MOST_LIVES));
  for (const k of dead) {
    if (lost.has(k)) continue;
    lives[k] = (lives[k] ?? 0) + 1;
    const heaviest = counts.reduce((best, value, i) => (value > (counts[best] ?? 0) ? i : best), 0);
    const half = (counts[heaviest] ?? 0) / 2;
    const matrix = covariances[heaviest] ?? new Float64Array();
    const axis = longestAxis(matrix, size);
    counts[k] = half;
    counts[heaviest] = half;
    (covariances[k] as Float64Array).set(matrix);
    for (let i = 0; i < size; i++) {
      const middle = means[heaviest * size + i] ?? 0;
      means[k * size + i] = middle + (axis[i] ?? 0) / 2;
      means[heaviest * size + i] = middle - (axis[i] ?? 0) / 2;
    }
  }
  const kept = Array.from(counts.keys()).filter((k) => !lost.has(k));
  return {
    reseeded: dead.length - lost.size,
    removed: lost.size,
    lives: Int32Array.from(kept, (k) => lives[k] ?? 0),
    moments: {
      counts: Float64Array.from(kept, (k) => counts[k] ?? 0),
      means: Float64Array.from(kept.flatMap((k) => Array.from(means.subarray(k * size, (k + 1) * size)))),
      covariances: kept.map((k) => covariances[k] ?? new Float64Array()),
    },
  };
}

/** Along the eigenvector of the largest eigenvalue, as long as its standard deviation; by iteration. */
function longestAxis(matrix: Float64Array, size: number): Float64Array {
  let axis = Float64Array.from({ length: size }, (_, i) => 1 + i / size);
  let variance = 0;
  for (let round = 0; round < 30; round++) {
    const next = new Float64Array(size);
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) next[i] = (next[i] ?? 0) + (matrix[i * size + j] ?? 0) * (axis[j] ?? 0);
    variance = Math.sqrt(next.reduce((sum, value) => sum + value * value, 0));
    axis = next.map((value) => (variance > 0 ? value / variance : 0));
  }
  return axis.map((value) => value * Math.sqrt(variance));
}
