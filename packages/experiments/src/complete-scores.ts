import { disposeProblem, tf, type Image } from '@tweedie/core';
import { loadProblem } from './problem-files.ts';
import { checkSignal } from './progress.ts';
import { meanCell, rowTitle } from './run-index.ts';
import type { Run } from './runner.ts';
import type { Cell, Score } from './store.ts';

export const meanOf = (samples: readonly Float32Array[]): Float32Array => {
  const [first] = samples;
  return Float32Array.from(first ?? [], (_, i) => samples.reduce((sum, sample) => sum + (sample[i] ?? 0), 0) / samples.length);
};

/** What there is to score: one picture made of stored samples. */
type Wanted = { readonly cell: string; readonly samples: readonly string[]; readonly problem: string };

const isSound = (cell: Cell | undefined): boolean => cell !== undefined && cell.failure === undefined;

/** Scores that are not there yet: of samples drawn before a metric was named, and of the mean of the samples of each image. */
export const completeScores = async ({ index, metrics, store, watch }: Run): Promise<void> => {
  const cells = await store.cells();
  for (const [m, metric] of metrics.entries()) {
    const key = index.metrics[m]?.key ?? '';
    const known = await store.scores(key);
    for (const row of index.rows) {
      const wanted = row.cells.flatMap((samples, position): Wanted[] => {
        const problem = row.problems[position] ?? '';
        const single = samples.filter((cell) => isSound(cells.get(cell))).map((cell) => ({ cell, samples: [cell], problem }));
        return samples.length > 1 && single.length === samples.length ? [...single, { cell: meanCell(samples), samples, problem }] : single;
      }).filter(({ cell }) => !known.has(cell));
      const scores: Score[] = [];
      for (const [done, { cell, samples, problem: hash }] of wanted.entries()) {
        checkSignal(watch.signal);
        const problem = loadProblem(store.folder, hash);
        const x = tf.tensor(meanOf(await Promise.all(samples.map((sample) => store.readSample(sample)))), [1, ...index.imageShape]) as Image;
        const reference = tf.expandDims(problem.x0) as Image;
        const [value = NaN] = await metric.compare(x, reference);
        scores.push({ cell, metric: key, value });
        tf.dispose([x, reference]);
        disposeProblem(problem);
        watch.onProgress?.({ phase: 'scores', done: done + 1, total: wanted.length, label: rowTitle(row) });
      }
      if (scores.length > 0) await store.save([], scores, index.imageShape);
    }
  }
};
