import { at } from './at.ts';
import { type BatchResult, type BatchRun, sampleBatch } from './loop.ts';
import { type Problem, stackProblems } from './problems.ts';
import { disposeTree } from './trees.ts';
import type { Measured } from './types.ts';

/**
 * What to draw, row by row: a problem, and the number of its sample. The problems share their operator and noise
 * level.
 */
export type Draw = Omit<BatchRun, 'problem' | 'keys'> & {
  readonly problems: readonly Problem[];
  readonly samples: readonly number[];
  readonly seed: number;
};

/**
 * Draws one batch of samples. `read` takes what is wanted of the images, and of the stacked problems; all of them are
 * then disposed of.
 */
export async function drawBatch<T>(
  { problems, samples, seed, ...run }: Draw,
  read: (result: BatchResult, problem: Measured) => T | Promise<T>,
): Promise<T> {
  const problem = stackProblems(problems);
  try {
    const keys = problems.map(({ hash }, row) => ({ seed, problem: hash, sample: at(samples, row, 'sample') }));
    const result = await sampleBatch({ ...run, problem, keys });
    try {
      return await read(result, problem);
    } finally {
      result.x.dispose();
    }
  } finally {
    disposeTree(problem);
  }
}
