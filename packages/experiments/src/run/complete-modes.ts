/** How many modes of a known posterior count, where no measures of sets of samples say it. */
import {
  disposeProblem,
  disposeTree,
  effectiveComponents,
  type GaussianMixture,
  knownPosteriors,
  type KnownPosterior,
  type KnownPosteriors,
  type Problem,
  stackProblems,
} from '@tweedie/core';
import { checkSignal } from '../machine/progress.ts';
import { posteriorRefusal } from '../plan/step-floor.ts';
import { benchesOf, operatorOn } from '../plan/workbench.ts';
import type { Score } from './cells.ts';
import { floorCell, measureKey, MODES } from './measure-keys.ts';
import { loadProblem } from './problems.ts';
import type { Run } from './runner.ts';

/** The posterior of one problem. */
export const lawOf = async (known: KnownPosteriors, problem: Problem): Promise<KnownPosterior> => {
  const measured = stackProblems([problem]);
  try {
    return await known.of(measured);
  } finally {
    disposeTree(measured);
  }
};

/** The number of modes that count, under the key of the floors of the problem. */
export const modesScore = (law: GaussianMixture, hash: string, samples: number): Score => ({
  cell: floorCell(hash, samples, 0),
  metric: measureKey(MODES),
  value: effectiveComponents(law),
});

/**
 * Counts the modes of the known posteriors of a run whose images have one sample each, and so no other measure. Forms
 * each posterior once, when its problem is new.
 */
export const completeModes = async ({
  index,
  store,
  watch,
  bench,
  engine,
}: Pick<Run, 'index' | 'store' | 'watch' | 'bench' | 'engine'>): Promise<void> => {
  if (index.samples > 1) return;
  const counted = await store.scores(measureKey(MODES));
  for (const part of bench.operators) {
    for (const own of benchesOf(bench)) {
      const there = operatorOn(own, part);
      if (posteriorRefusal(own, there) !== undefined) continue;
      const rows = index.rows.filter(({ operator }) => operator === part.reference.label);
      const hashes = new Set(own.positions.flatMap((position) => rows.flatMap((row) => row.problems[position] ?? [])));
      const missing = [...hashes].filter((hash) => !counted.has(floorCell(hash, index.samples, 0)));
      if (missing.length === 0) continue;
      const known = await knownPosteriors(engine, { model: own.model, operator: there.operator });
      if (typeof known === 'string') continue;
      try {
        const scores: Score[] = [];
        for (const hash of missing) {
          checkSignal(watch.signal);
          const problem = loadProblem(store.folder, hash);
          try {
            scores.push(modesScore((await lawOf(known, problem)).law, hash, index.samples));
          } finally {
            disposeProblem(problem);
          }
        }
        await store.save([], scores, index.imageShape);
      } finally {
        known.dispose();
      }
    }
  }
};
