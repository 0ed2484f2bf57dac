/** Draws and scores chunks: the model is loaded, and what the last setting compiled is kept for the next chunk. */
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
} from '@tweedie/core';
import type { PlannedRow } from '../plan/rows.ts';
import { operatorOn, type ShapeParts } from '../plan/workbench.ts';
import type { Score } from './cells.ts';
import { workOf, type CellIndex, type ChunkResult, type ChunkTask, type Work } from './chunk.ts';
import { OUTSIDE, shareOutside } from './image-range.ts';
import { MISFIT, type MisfitMeter } from './misfit.ts';
import type { RunIndex } from './run-index.ts';
import { stopwatch } from './stopwatch.ts';
import { traceRecorder } from './traces.ts';

/** What the chunks of a run are drawn with. Rows that share method and operator objects are bound once. */
export type ChunkParts = {
  readonly index: CellIndex & Pick<RunIndex, 'metrics' | 'range'>;
  /** The shapes that the images have, which tasks name by their place; the models are loaded. */
  readonly shapes: readonly (Pick<ShapeParts, 'model' | 'operators' | 'chunk'> & { readonly engine: Engine })[];
  /** The rows of the index. */
  readonly rows: readonly Pick<PlannedRow, 'operator' | 'method'>[];
  readonly metrics: readonly Metric[];
  readonly misfit: MisfitMeter;
  readonly seed: number;
  /** Noise levels whose x0hat is kept of a sample that is traced. */
  readonly trace: number;
  /** Reads a problem by its hash; the runner disposes it. */
  readonly problem: (hash: string) => Problem;
};

export type ChunkWatch = {
  readonly signal?: AbortSignal | undefined;
  /** Called after each step with how many are done, and all of them. */
  readonly onStep?: ((done: number, total: number) => void) | undefined;
};

export type ChunkRunner = {
  /**
   * Draws and scores a chunk, padded to the fixed size with copies of its last cell. Stores nothing: the same task
   * gives the same numbers in any process. Throws CancelledError between two steps when `signal` aborts.
   */
  draw(task: ChunkTask, watch?: ChunkWatch): Promise<ChunkResult>;
  dispose(): void;
};

type Batch = { readonly operator: Operator; readonly problems: readonly Problem[]; readonly measured: Measured };

/** Scores and misfit of the rows of a batch that did not fail. */
const scoreRows = async (
  { metrics, misfit, index }: ChunkParts,
  work: readonly Work[],
  { operator, problems, measured }: Batch,
  x: Image,
  failures: readonly (SampleFailure | undefined)[],
): Promise<readonly Score[]> => {
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

type Setting = Pick<PlannedRow, 'operator' | 'method'>;

export const chunkRunner = (parts: ChunkParts): ChunkRunner => {
  const { index, shapes, rows, seed, trace } = parts;
  let last: (Setting & { readonly bound: BoundGuidance }) | undefined;
  const release = (): void => {
    last?.bound.dispose();
    last = undefined;
  };

  // sigmaY is an argument of the compiled functions: rows that differ in it alone are bound once.
  const bind = async (
    { model, engine }: Pick<ChunkParts['shapes'][number], 'model' | 'engine'>,
    { operator, method }: Setting,
  ): Promise<BoundGuidance> => {
    if (last?.method === method && last.operator === operator) return last.bound;
    release();
    const bound = await bindGuidance(method.guidance, {
      engine,
      model,
      operator: operator.operator,
      scheduler: method.scheduler,
    });
    last = { operator, method, bound };
    return bound;
  };

  return {
    async draw(task, { signal, onStep } = {}) {
      const shape = at(shapes, task.shape, 'image shape');
      const row = at(rows, task.row, 'planned row');
      const operator = operatorOn(shape, row.operator);
      const bound = await bind(shape, { operator, method: row.method });
      const work = workOf(index, task);
      const started = new Date();
      const padded = Array.from({ length: shape.chunk }, (_, i) =>
        at(work, Math.min(i, work.length - 1), 'sample of a chunk'),
      );
      const hashes = [...new Set(padded.map(({ problem }) => problem))];
      const loaded: Problem[] = [];
      try {
        for (const hash of hashes) loaded.push(parts.problem(hash));
        const problems = padded.map(({ problem }) => at(loaded, hashes.indexOf(problem), 'problem of a chunk'));
        const recorder = traceRecorder(
          work.flatMap(({ traced }, i) => (traced ? [i] : [])),
          trace,
        );
        const clock = stopwatch(bound);
        return await drawBatch(
          {
            bound,
            imageShape: shape.model.imageShape,
            problems,
            samples: padded.map(({ sample }) => sample),
            seed,
            ...(signal && { signal }),
            onStep: async (event) => {
              clock.lap();
              await recorder.record(event);
              onStep?.(event.done, event.total);
            },
          },
          async ({ x, failures, cost }, measured): Promise<ChunkResult> => {
            const timing = clock.stop();
            const batch = { operator: operator.operator, problems, measured };
            const scores = await scoreRows(parts, work, batch, x, failures);
            const each = (calls: number): number => calls / padded.length;
            const images = rowsOf(x);
            return {
              task: task.key,
              started,
              finished: new Date(),
              size: padded.length,
              cost: {
                forwards: each(cost.forwards),
                vjps: each(cost.vjps),
                operatorCalls: each(cost.operatorCalls),
              },
              ...timing,
              samples: work.map((_, i) => failures[i] ?? at(images, i, 'image of a chunk')),
              scores,
              traces: recorder.traces,
            };
          },
        );
      } finally {
        for (const problem of loaded) disposeProblem(problem);
      }
    },
    dispose: release,
  };
};
