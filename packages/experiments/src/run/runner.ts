import {
  at,
  bindGuidance,
  disposeProblem,
  drawBatch,
  rowsOf,
  stackImages,
  tf,
  type BoundGuidance,
  type Engine,
  type Image,
  type Measured,
  type Metric,
  type Operator,
  type Problem,
  type SampleFailure,
  type StepEvent,
} from '@tweedie/core';
import { OUTSIDE, shareOutside } from './image-range.ts';
import { MISFIT, type MisfitMeter } from './misfit.ts';
import { bySetting, rowOn, type PlannedRow } from '../plan/rows.ts';
import { loadProblem } from './problems.ts';
import type { Watch } from '../machine/progress.ts';
import { rowTitle, type IndexRow, type RunIndex } from './run-index.ts';
import { stopwatch, type Timing } from './stopwatch.ts';
import type { NewCell, Score } from './cells.ts';
import type { Store } from './store.ts';
import { hasTrace, traceRecorder, writeTrace, type Trace } from './traces.ts';
import { benchesOf, benchPerImage, type Workbench } from '../plan/workbench.ts';

/** One sample to draw. */
type Work = {
  readonly key: string;
  readonly problem: string;
  readonly image: string;
  readonly sample: number;
  /** Place of the image in the experiment. */
  readonly position: number;
  readonly traced: boolean;
};

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

type Drawn = {
  readonly x: readonly Float32Array[];
  readonly failures: readonly (SampleFailure | undefined)[];
  readonly scores: readonly Score[];
};

const workOf = ({ problems, cells }: IndexRow, { images, traced }: RunIndex): readonly Work[] =>
  cells.flatMap((samples, position) =>
    samples.map((key, sample) => ({
      key,
      sample,
      position,
      traced: position < traced && sample === 0,
      problem: at(problems, position, 'problem of a row'),
      image: at(images, position, 'image'),
    })),
  );

const chunksOf = <T>(items: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));

type Batch = { readonly operator: Operator; readonly problems: readonly Problem[]; readonly measured: Measured };

/** Scores and misfit of the rows of a batch that did not fail. */
const scoreRows = async (
  { metrics, misfit, index }: Run,
  work: readonly Work[],
  { operator, problems, measured }: Batch,
  x: Image,
  failures: Drawn['failures'],
): Promise<Score[]> => {
  const sound = work.map((_, row) => row).filter((row) => failures[row] === undefined);
  if (sound.length === 0) return [];
  const samples = tf.gather(x, sound);
  const references = stackImages(sound.map((row) => at(problems, row, 'problem of a batch').x0));
  const scores: Score[] = [];
  /** Keeps the scores of the sound rows, given in their order. */
  const record = (metric: string, values: readonly number[]): void =>
    sound.forEach((row, position) => {
      const { key: cell } = at(work, row, 'sample of a batch');
      scores.push({ cell, metric, value: at(values, position, `score by ${metric}`) });
    });
  for (const [i, metric] of metrics.entries()) {
    record(at(index.metrics, i, 'metric of the index').key, await metric.compare(samples, references));
  }
  if (index.range && metrics.length > 0) record(OUTSIDE, await shareOutside(samples, index.range));
  tf.dispose([samples, references]);
  if (measured.sigmaY > 0) {
    const values = await misfit.measure(operator, x, measured);
    record(
      MISFIT,
      sound.map((row) => at(values, row, 'misfit of a batch')),
    );
  }
  return scores;
};

type Bound = { readonly row: IndexRow; readonly planned: PlannedRow; readonly bound: BoundGuidance };

/** Draws, scores and stores one chunk, padded to the fixed size with copies of its last cell. */
const runChunk = async (
  run: Run,
  { row, planned, bound }: Bound,
  work: readonly Work[],
  onStep: (samples: number, event: StepEvent) => void,
): Promise<void> => {
  const { bench, store, watch } = run;
  const started = new Date();
  const padded = Array.from({ length: bench.chunk }, (_, i) =>
    at(work, Math.min(i, work.length - 1), 'sample of a chunk'),
  );
  const hashes = [...new Set(padded.map(({ problem }) => problem))];
  const loaded = hashes.map((hash) => loadProblem(store.folder, hash));
  const problems = padded.map(({ problem }) => at(loaded, hashes.indexOf(problem), 'problem of a chunk'));
  const recorder = traceRecorder(
    work.flatMap(({ traced }, i) => (traced ? [i] : [])),
    bench.experiment.trace ?? 0,
  );
  const clock = stopwatch(bound);
  try {
    const { cost, timing, ...drawn } = await drawBatch(
      {
        bound,
        imageShape: bench.model.imageShape,
        problems,
        samples: padded.map(({ sample }) => sample),
        seed: bench.experiment.seed,
        ...(watch.signal && { signal: watch.signal }),
        onStep: async (event) => {
          clock.lap();
          await recorder.record(event);
          onStep(work.length, event);
        },
      },
      async ({ x, failures, cost }, measured) => {
        const timing = clock.stop();
        const scores = await scoreRows(
          run,
          work,
          { operator: planned.operator.operator, problems, measured },
          x,
          failures,
        );
        return { x: rowsOf(x).slice(0, work.length), failures, cost, timing, scores };
      },
    );
    const each = (calls: number): number => calls / padded.length;
    const perSample = { forwards: each(cost.forwards), vjps: each(cost.vjps), operatorCalls: each(cost.operatorCalls) };
    await saveChunk(run, row, work, drawn, recorder.traces, { started, perSample, timing, size: padded.length });
  } finally {
    for (const problem of loaded) disposeProblem(problem);
  }
};

type Ledger = {
  readonly started: Date;
  readonly perSample: NewCell['cost'];
  readonly timing: Timing;
  readonly size: number;
};

const saveChunk = async (
  { bench, store }: Run,
  row: IndexRow,
  work: readonly Work[],
  drawn: Drawn,
  traces: ReadonlyMap<number, Trace>,
  ledger: Ledger,
): Promise<void> => {
  const { started, perSample, timing, size } = ledger;
  const { imageShape } = bench.model;
  const finished = new Date();
  for (const [i, trace] of traces) {
    if (trace.frames.length > 0) writeTrace(store.folder, at(work, i, 'traced sample').key, trace, imageShape);
  }
  const cells = work.map(({ key, problem, image, sample }, i): NewCell => {
    const failure = drawn.failures[i];
    const x = drawn.x[i];
    return {
      key,
      problem,
      image,
      sample,
      started,
      finished,
      chunk: size,
      operator: row.operator,
      sigmaY: row.sigmaY,
      label: row.label,
      method: row.method,
      seconds: timing.seconds / size,
      compileSeconds: timing.compileSeconds,
      peakMemory: timing.peakMemory,
      cost: perSample,
      ...(failure ? { failure } : x ? { x } : {}),
    };
  });
  await store.save(cells, drawn.scores, imageShape);
};

/** Draws every sample that is not there yet, row by row. What is stored is never drawn again. */
export const runRows = async (run: Run): Promise<void> => {
  const { bench, engine, index, rows, store, watch } = run;
  const finished = await store.cells();
  const isDone = ({ key, traced }: Work): boolean => {
    const cell = finished.get(key);
    return cell !== undefined && (!traced || cell.failure !== undefined || hasTrace(store.folder, key));
  };
  const all = index.rows.map((row) => workOf(row, index));
  // Rows with the same options, a tuned one that kept its defaults say, share their samples.
  const first = new Map(
    all
      .flat()
      .reverse()
      .map((item) => [item.key, item]),
  );
  const todo = all.map((work) => work.filter((item) => !isDone(item) && first.get(item.key) === item));
  // Progress counts steps of samples, so that a long chunk moves too.
  const steps = (work: readonly (readonly Work[])[]): number =>
    work.reduce((sum, items, i) => sum + items.length * at(index.rows, i, 'row of the index').steps, 0);
  const total = steps(all);
  let done = total - steps(todo);
  const kept = all.flat().filter(isDone).length;
  watch.onProgress?.({
    phase: 'sampling',
    done,
    total,
    ...(kept > 0 ? { message: `${kept} of ${all.flat().length} samples are there already` } : {}),
  });

  // sigmaY is an argument of the compiled functions: rows that differ in it alone are bound once.
  const benches = benchesOf(bench);
  const perImage = benchPerImage(benches);
  const jobs = index.rows.flatMap((row, i) =>
    benches.flatMap((own) => {
      const work = at(todo, i, 'work of a row').filter(({ position }) => perImage[position] === own);
      return work.length === 0 ? [] : [{ row, own, planned: rowOn(own, at(rows, i, 'planned row')), work }];
    }),
  );
  for (const members of bySetting(jobs, ({ planned }) => planned)) {
    const { own, planned } = at(members, 0, 'job of a setting');
    const { operator, method } = planned;
    const bound = await bindGuidance(method.guidance, {
      engine,
      model: own.model,
      operator: operator.operator,
      scheduler: method.scheduler,
    });
    try {
      for (const { work, own, ...member } of members) {
        for (const chunk of chunksOf(work, own.chunk)) {
          await runChunk(
            { ...run, bench: own },
            { ...member, bound },
            chunk,
            (samples, { done: step, total: last }) => {
              done += samples;
              watch.onProgress?.({
                phase: 'sampling',
                done,
                total,
                label: `${rowTitle(member.row)}, step ${step} of ${last}`,
              });
            },
          );
        }
      }
    } finally {
      bound.dispose();
    }
  }
};
