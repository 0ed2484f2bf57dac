import {
  at,
  disposeProblem,
  disposeTree,
  showShape,
  stackProblems,
  tf,
  type Image,
  type ImageShape,
  type Metric,
  type Problem,
} from '@tweedie/core';
import { OUTSIDE, shareOutside } from './image-range.ts';
import { MISFIT } from './misfit.ts';
import { loadProblem } from './problems.ts';
import { rowOn, type PlannedRow } from '../plan/rows.ts';
import { benchesOf } from '../plan/workbench.ts';
import { checkSignal } from '../machine/progress.ts';
import { meanCell, rowTitle, type IndexRow } from './run-index.ts';
import type { Run } from './runner.ts';
import { soundOf, type Cell, type Score } from './cells.ts';

export const meanOf = (samples: readonly Float32Array[]): Float32Array => {
  const [first] = samples;
  return Float32Array.from(
    first ?? [],
    (_, i) => samples.reduce((sum, sample) => sum + (sample[i] ?? 0), 0) / samples.length,
  );
};

/** A picture that is to be scored: a stored sample, or the mean of some. */
type Wanted = { readonly cell: string; readonly samples: readonly string[]; readonly problem: string };

/** The pictures of a row that have no score yet. */
const wantedOf = (
  row: IndexRow,
  cells: ReadonlyMap<string, Cell>,
  known: ReadonlyMap<string, number>,
): readonly Wanted[] =>
  row.cells
    .flatMap((samples, position): Wanted[] => {
      const problem = at(row.problems, position, 'problem of a row');
      const single = soundOf(samples, cells).map((cell) => ({ cell, samples: [cell], problem }));
      return samples.length > 1 && single.length === samples.length
        ? [...single, { cell: meanCell(samples), samples, problem }]
        : single;
    })
    .filter(({ cell }) => !known.has(cell));

/** A measure of one picture [1, H, W, C]. */
type Measure = (x: Image, problem: Problem) => Promise<number>;

const scoreOf = async (
  { cell, samples, problem: hash }: Wanted,
  measure: Measure,
  key: string,
  { store }: Run,
): Promise<Score> => {
  const problem = loadProblem(store.folder, hash);
  const mean = meanOf(await Promise.all(samples.map((sample) => store.readSample(sample))));
  const x: Image = tf.tensor(mean, [1, ...(problem.x0.shape as ImageShape)]);
  try {
    return { cell, metric: key, value: await measure(x, problem) };
  } finally {
    x.dispose();
    disposeProblem(problem);
  }
};

const scoreBy =
  (metric: Metric): Measure =>
  async (x, { x0 }) => {
    const reference: Image = tf.expandDims(x0);
    const values = await metric.compare(x, reference);
    reference.dispose();
    return at(values, 0, 'score of a picture');
  };

const misfitBy =
  ({ bench, misfit }: Run, row: PlannedRow): Measure =>
  async (x, problem) => {
    const shape = showShape(problem.x0.shape);
    const own = benchesOf(bench).find(({ model }) => showShape(model.imageShape) === shape) ?? bench;
    const { operator } = rowOn(own, row).operator;
    const measured = stackProblems([problem]);
    const values = await misfit.measure(operator, x, measured);
    disposeTree(measured);
    return at(values, 0, 'misfit of a picture');
  };

/**
 * Makes the scores that are not there yet: of samples drawn before a metric was named, and of the mean of the samples
 * of each image.
 */
export const completeScores = async (run: Run): Promise<void> => {
  const { index, metrics, rows, store, watch } = run;
  const cells = await store.cells();
  const jobs: { row: IndexRow; measure: Measure; key: string; wanted: readonly Wanted[] }[] = [];
  for (const [m, metric] of metrics.entries()) {
    const { key } = at(index.metrics, m, 'metric of the index');
    const known = await store.scores(key);
    jobs.push(
      ...index.rows.map((row) => ({ row, measure: scoreBy(metric), key, wanted: wantedOf(row, cells, known) })),
    );
  }
  const { range } = index;
  if (range && metrics.length > 0) {
    const shares = await store.scores(OUTSIDE);
    const measure: Measure = async (x) => at(await shareOutside(x, range), 0, 'share outside of a picture');
    for (const row of index.rows) {
      const wanted = wantedOf(row, cells, shares).filter(({ samples }) => samples.length === 1);
      jobs.push({ row, measure, key: OUTSIDE, wanted });
    }
  }
  const known = await store.scores(MISFIT);
  for (const [i, row] of index.rows.entries()) {
    if (row.sigmaY === 0) continue;
    jobs.push({
      row,
      measure: misfitBy(run, at(rows, i, 'planned row')),
      key: MISFIT,
      wanted: wantedOf(row, cells, known).filter(({ samples }) => samples.length === 1),
    });
  }
  const total = jobs.reduce((sum, { wanted }) => sum + wanted.length, 0);
  let done = 0;
  for (const { row, measure, key, wanted } of jobs) {
    const scores: Score[] = [];
    for (const each of wanted) {
      checkSignal(watch.signal);
      scores.push(await scoreOf(each, measure, key, run));
      watch.onProgress?.({ phase: 'scores', done: ++done, total, label: rowTitle(row) });
    }
    if (scores.length > 0) await store.save([], scores, index.imageShape);
  }
};

/**
 * Lets each metric score the first image against itself, so that one that cannot says so before anything is sampled.
 */
export const tryMetrics = async ({ index, metrics, store }: Run): Promise<void> => {
  const [hash] = index.rows.flatMap(({ problems }) => problems);
  if (hash === undefined) return;
  const problem = loadProblem(store.folder, hash);
  const reference: Image = tf.expandDims(problem.x0);
  try {
    for (const metric of metrics) await metric.compare(reference, reference);
  } finally {
    reference.dispose();
    disposeProblem(problem);
  }
};
