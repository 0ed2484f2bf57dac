import { at, type Engine, type Metric } from '@tweedie/core';
import type { Watch } from '../machine/progress.ts';
import { bySetting, rowOn, type PlannedRow } from '../plan/rows.ts';
import { benchesOf, benchPerImage, type Workbench } from '../plan/workbench.ts';
import { tasksOf, workOf, workOfRow, type ChunkTask, type Work } from './chunk.ts';
import { chunkRunner } from './chunk-runner.ts';
import type { MisfitMeter } from './misfit.ts';
import { loadProblem } from './problems.ts';
import { rowTitle, type RunIndex } from './run-index.ts';
import { saveChunk } from './save-chunk.ts';
import type { Store } from './store.ts';
import { hasTrace } from './traces.ts';

export type Run = {
  readonly bench: Workbench;
  readonly engine: Engine;
  readonly index: RunIndex;
  /** The rows of the index, as they were planned. */
  readonly rows: readonly PlannedRow[];
  readonly metrics: readonly Metric[];
  readonly misfit: MisfitMeter;
  readonly store: Store;
  readonly watch: Watch;
};

/** What is left to draw of each row, every sample once. */
const missingWork = async ({ index, store }: Run): Promise<readonly (readonly Work[])[]> => {
  const finished = await store.cells();
  const isDone = ({ key, traced }: Work): boolean => {
    const cell = finished.get(key);
    return cell !== undefined && (!traced || cell.failure !== undefined || hasTrace(store.folder, key));
  };
  const all = index.rows.map((_, row) => workOfRow(index, row));
  // Rows with the same options, a tuned one that kept its defaults say, share their samples.
  const first = new Map(
    all
      .flat()
      .reverse()
      .map((item) => [item.key, item]),
  );
  return all.map((work) => work.filter((item) => !isDone(item) && first.get(item.key) === item));
};

/** Chunks that are bound once: of rows that share method and operator, and of images of one shape. */
export type SettingTasks = readonly ChunkTask[];

/** The tasks that draw what is left, by setting, in the order in which they run. */
const tasksLeft = ({ bench, index, rows }: Run, left: readonly (readonly Work[])[]): readonly SettingTasks[] => {
  const benches = benchesOf(bench);
  const perImage = benchPerImage(benches);
  const jobs = index.rows.flatMap((_, row) =>
    benches.flatMap((own, shape) => {
      const work = at(left, row, 'work of a row').filter(({ position }) => perImage[position] === own);
      const planned = rowOn(own, at(rows, row, 'planned row'));
      return work.length === 0 ? [] : [{ planned, tasks: tasksOf(index, { row, shape }, work, own.chunk) }];
    }),
  );
  return bySetting(jobs, ({ planned }) => planned).map((members) => members.flatMap(({ tasks }) => tasks));
};

/** Draws every sample that is not there yet, row by row. What is stored is never drawn again. */
export const runRows = async (run: Run): Promise<void> => {
  const { bench, engine, index, rows, metrics, misfit, store, watch } = run;
  const left = await missingWork(run);
  const settings = tasksLeft(run, left);
  // Progress counts steps of samples, so that a long chunk moves too.
  const stepsOf = (row: number): number => at(index.rows, row, 'row of the index').steps;
  const total = index.rows.reduce((sum, { cells }, row) => sum + cells.flat().length * stepsOf(row), 0);
  let done = total - left.reduce((sum, work, row) => sum + work.length * stepsOf(row), 0);
  const all = index.rows.flatMap(({ cells }) => cells.flat()).length;
  const missing = new Set(left.flat().map(({ key }) => key));
  const kept = index.rows.flatMap(({ cells }) => cells.flat()).filter((key) => !missing.has(key)).length;
  watch.onProgress?.({
    phase: 'sampling',
    done,
    total,
    ...(kept > 0 ? { message: `${kept} of ${all} samples are there already` } : {}),
  });
  const shapes = benchesOf(bench);
  const runner = chunkRunner({
    engine,
    index,
    shapes,
    rows,
    metrics,
    misfit,
    seed: bench.experiment.seed,
    trace: bench.experiment.trace ?? 0,
    problem: (hash) => loadProblem(store.folder, hash),
  });
  try {
    for (const task of settings.flat()) {
      const samples = workOf(index, task).length;
      const title = rowTitle(at(index.rows, task.row, 'row of the index'));
      const result = await runner.draw(task, {
        signal: watch.signal,
        onStep: (step, last) => {
          done += samples;
          watch.onProgress?.({ phase: 'sampling', done, total, label: `${title}, step ${step} of ${last}` });
        },
      });
      const { model } = at(shapes, task.shape, 'image shape');
      await saveChunk({ index, store }, task, result, model.imageShape);
    }
  } finally {
    runner.dispose();
  }
};
