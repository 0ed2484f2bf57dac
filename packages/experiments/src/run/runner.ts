import { at, tf, type Engine, type Metric } from '@tweedie/core';
import type { Watch } from '../machine/progress.ts';
import { bySetting, rowOn, type PlannedRow } from '../plan/rows.ts';
import { engineOn } from '../plan/threads.ts';
import { workersFor } from '../plan/workers.ts';
import { benchesOf, benchPerImage, type Workbench } from '../plan/workbench.ts';
import { LOST } from './cells.ts';
import { tasksOf, workOf, workOfRow, type ChunkTask, type Work } from './chunk.ts';
import { chunkRunner, type ChunkRunner } from './chunk-runner.ts';
import { setupOf } from './chunk-setup.ts';
import { drawHere, type Crew, type CrewTasks } from './crew.ts';
import { chunkPlan, type DrawElsewhere } from './elsewhere.ts';
import type { MisfitMeter } from './misfit.ts';
import { loadProblem } from './problems.ts';
import { rowTitle, type RunIndex } from './run-index.ts';
import { saveChunk } from './save-chunk.ts';
import type { Store } from './store.ts';
import type { SettingTasks } from './task-queue.ts';
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
  /** Child processes that draw the cells, where the plan asks for some, and how many were asked for by name. */
  readonly crew: Crew;
  readonly workers?: number | undefined;
  /** Draws the cells in place of this process and its children. */
  readonly elsewhere?: DrawElsewhere | undefined;
  /** The cells that are asked for; default: all of the index. */
  readonly only?: ReadonlySet<string> | undefined;
};

/** The samples that are asked for, by row. */
const askedWork = ({ index, only }: Run): readonly (readonly Work[])[] =>
  index.rows.map((_, row) => workOfRow(index, row).filter(({ key }) => only?.has(key) ?? true));

/** What is left to draw of them, every sample once. */
const missingWork = async ({ store }: Run, all: readonly (readonly Work[])[]): Promise<typeof all> => {
  const finished = await store.cells();
  const isDone = ({ key, traced }: Work): boolean => {
    const cell = finished.get(key);
    if (cell?.failure?.reason.startsWith(LOST)) return false;
    return cell !== undefined && (!traced || cell.failure !== undefined || hasTrace(store.folder, key));
  };
  // Rows with the same options, a tuned one that kept its defaults say, share their samples.
  const first = new Map(
    all
      .flat()
      .reverse()
      .map((item) => [item.key, item]),
  );
  return all.map((work) => work.filter((item) => !isDone(item) && first.get(item.key) === item));
};

/** The tasks that draw what is left, by setting, in the order in which they run. */
const tasksLeft = ({ bench, index, rows }: Run, left: readonly (readonly Work[])[]): readonly SettingTasks[] => {
  const benches = benchesOf(bench);
  const perImage = benchPerImage(benches);
  const jobs = index.rows.flatMap((_, row) =>
    benches.flatMap((own, shape) => {
      const work = at(left, row, 'work of a row').filter(({ position }) => perImage[position] === own);
      const planned = rowOn(own, at(rows, row, 'planned row'));
      const family = JSON.stringify([planned.method.reference.id, planned.operator.reference.label, shape]);
      return work.length === 0 ? [] : [{ planned, family, tasks: tasksOf(index, { row, shape }, work, own.chunk) }];
    }),
  );
  return bySetting(jobs, ({ planned }) => planned).map((members) => ({
    family: at(members, 0, 'job of a setting').family,
    tasks: members.flatMap(({ tasks }) => tasks),
  }));
};

/** Draws in this process what tasks name. */
const ownRunner = async ({ bench, index, rows, metrics, misfit, store }: Run): Promise<ChunkRunner> => {
  const { seed, trace = 0 } = bench.experiment;
  const shapes = [];
  for (const own of benchesOf(bench))
    shapes.push({ ...own, engine: await bench.container.plugin('engine', engineOn(own)) });
  const problem = (hash: string) => loadProblem(store.folder, hash);
  return chunkRunner({ index, shapes, rows, metrics, misfit, seed, trace, problem });
};

/** Draws every sample that is not there yet. What is stored is never drawn again. */
export const runRows = async (run: Run): Promise<void> => {
  const { bench, index, rows, watch } = run;
  const asked = askedWork(run);
  const left = await missingWork(run, asked);
  const settings = tasksLeft(run, left);
  // Progress counts steps of samples, so that a long chunk moves too.
  const stepsOf = (row: number): number => at(index.rows, row, 'row of the index').steps;
  const stepsIn = (work: typeof asked): number => work.reduce((sum, own, row) => sum + own.length * stepsOf(row), 0);
  const total = stepsIn(asked);
  let done = total - stepsIn(left);
  const all = asked.flat();
  const missing = new Set(left.flat().map(({ key }) => key));
  const kept = all.filter(({ key }) => !missing.has(key)).length;
  watch.onProgress?.({
    phase: 'sampling',
    done,
    total,
    ...(kept > 0 ? { message: `${kept} of ${all.length} samples are there already` } : {}),
  });
  if (settings.length === 0) return;

  const counted = new Map<string, number>();
  const tell = (task: ChunkTask, step: number, last: number): void => {
    // Of a chunk that is drawn again fewer steps are done than there were.
    if (step === counted.get(task.key)) return;
    done += workOf(index, task).length * (step - (counted.get(task.key) ?? 0));
    counted.set(task.key, step);
    const title = rowTitle(at(index.rows, task.row, 'row of the index'));
    watch.onProgress?.({ phase: 'sampling', done, total, label: `${title}, step ${step} of ${last}` });
  };
  const shapes = benchesOf(bench);
  const tasks: CrewTasks = {
    settings,
    signal: watch.signal,
    warn: bench.container.warn,
    onStep: tell,
    async onResult(task, result) {
      tell(task, stepsOf(task.row), stepsOf(task.row));
      const { model } = at(shapes, task.shape, 'image shape');
      await saveChunk(run, task, result, model.imageShape);
    },
  };
  if (run.elsewhere) {
    const say = (message: string): void => watch.onProgress?.({ phase: 'sampling', done, total, message });
    return run.elsewhere(chunkPlan(setupOf(run), index.title, bench, run.engine), { ...tasks, tell: say });
  }
  const { count: workers } = workersFor(bench, rows, { asked: run.workers, weights: tf.memory().numBytes });
  const chunks = settings.reduce((sum, { tasks: own }) => sum + own.length, 0);
  if (workers === 0) await drawHere(await ownRunner(run), tasks);
  else await run.crew.draw(setupOf(run), tasks, Math.min(workers, chunks));
};
