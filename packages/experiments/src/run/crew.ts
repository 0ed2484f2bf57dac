/** Those who draw the chunks of a run: child processes, one chunk each at a time, or this very process. */
import { CancelledError } from '@tweedie/core';
import { checkSignal } from '../machine/progress.ts';
import { workOf, type ChunkResult, type ChunkTask } from './chunk.ts';
import type { ChunkRunner } from './chunk-runner.ts';
import type { ChunkSetup } from './chunk-setup.ts';
import { startWorker, WorkerEnded, type ChunkWorker } from './chunk-worker.ts';
import { LOST } from './cells.ts';
import { taskQueue, type SettingTasks, type Taker } from './task-queue.ts';

/** Tasks to draw, and who is told of them. */
export type CrewTasks = {
  readonly settings: readonly SettingTasks[];
  readonly signal?: AbortSignal | undefined;
  readonly onStep: (task: ChunkTask, done: number, total: number) => void;
  /** Called for one result after the other. */
  readonly onResult: (task: ChunkTask, result: ChunkResult) => Promise<void>;
  readonly warn: (message: string) => void;
};

/** Draws in this process, in order: Ctrl-C waits for the end of a step. */
export const drawHere = async (
  runner: ChunkRunner,
  { settings, signal, onStep, onResult }: CrewTasks,
): Promise<void> => {
  try {
    for (const task of settings.flatMap(({ tasks }) => tasks))
      await onResult(task, await runner.draw(task, { signal, onStep: (done, total) => onStep(task, done, total) }));
  } finally {
    runner.dispose();
  }
};

/**
 * Child processes that draw; they stay for the next run, with the model loaded, until a run fails, a signal aborts or
 * `dispose`.
 */
export type Crew = {
  /** Starts one process, which loads its code while this one gets the run ready. */
  warm(): void;
  /**
   * Draws all tasks in at most `count` processes. A process that ends by itself is one more try for its chunk, with a
   * process less; then the chunk's cells are lost. Where `signal` aborts, all processes end at once and CancelledError
   * is thrown: what was given to `onResult` is kept.
   */
  draw(setup: ChunkSetup, tasks: CrewTasks, count: number): Promise<void>;
  dispose(): void;
};

const TRIES = 2;
/** How often a process may end while it makes its parts, in which no cell can be at fault. */
const STARTS = 2;

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toPrecision(2)} GB`;
/** How far a process had come when it ended. */
const showEnd = ({ by, last }: WorkerEnded): string =>
  `${by}${last ? ` after step ${last.done} of ${last.total}, with ${gigabytes(last.memory)} of memory` : ' before its first step'}`;

/** Why a task is given up. */
export const lostReason = (ended: WorkerEnded): string => `${LOST} twice: the last time by ${showEnd(ended)}`;

/** The result of a task that nobody could draw: every cell of it failed, after some of its steps. */
export const lostResult = (
  setup: ChunkSetup,
  task: ChunkTask,
  reason: string,
  last: WorkerEnded['last'],
  started = new Date(),
): ChunkResult => {
  const step = last ? Math.max(0, last.total - last.done - 1) : 0;
  return {
    task: task.key,
    started,
    finished: new Date(),
    size: 0,
    cost: { forwards: 0, vjps: 0, operatorCalls: 0 },
    seconds: 0,
    compileSeconds: 0,
    peakMemory: last?.memory ?? 0,
    samples: workOf(setup.index, task).map(() => ({ step, reason })),
    scores: [],
    traces: new Map(),
  };
};

export const crewOf = (): Crew => {
  const idle: ChunkWorker[] = [];
  const all = new Set<ChunkWorker>();
  let warn = (_: string): void => undefined;
  const start = (): ChunkWorker => {
    const worker = startWorker((message) => warn(message));
    all.add(worker);
    return worker;
  };
  let closed = false;
  const killAll = (): void => {
    closed = true;
    for (const worker of all) worker.kill();
    all.clear();
    idle.length = 0;
  };
  /** A process that has made its parts. */
  const ready = async (setup: ChunkSetup): Promise<ChunkWorker> => {
    for (let starts = 1; ; starts++) {
      const worker = idle.pop() ?? start();
      try {
        await worker.setUp(setup);
        return worker;
      } catch (error) {
        all.delete(worker);
        worker.kill();
        if (closed || !(error instanceof WorkerEnded)) throw error;
        if (starts === STARTS)
          throw new Error(
            `a child process that draws cells ended while it started (${error.by}). With --workers 0 (workers: 0) cells are drawn in this process.`,
            { cause: error },
          );
      }
    }
  };

  return {
    warm: () => void idle.push(start()),
    async draw(setup, { settings, signal, onStep, onResult, ...tasks }, count) {
      checkSignal(signal);
      const told = new Set<string>();
      warn = (message) => {
        if (told.has(message)) return;
        told.add(message);
        tasks.warn(message);
      };
      const queue = taskQueue(settings);
      const tries = new Map<string, number>();
      let hands = count;
      let saved = Promise.resolve();
      let unsaved: { readonly error: unknown } | undefined;
      const save = (task: ChunkTask, result: ChunkResult): void => {
        saved = saved
          .then(() => (unsaved ? undefined : onResult(task, result)))
          .catch((error: unknown) => void (unsaved ??= { error }));
      };
      /** Draws a task, once more where its process ends by itself. Gives the process, if it is still there. */
      const drawOne = async (worker: ChunkWorker, task: ChunkTask): Promise<ChunkWorker | undefined> => {
        const started = new Date();
        try {
          save(task, await worker.draw(task, (done, total) => onStep(task, done, total)));
          return worker;
        } catch (error) {
          all.delete(worker);
          if (closed || !(error instanceof WorkerEnded)) throw error;
          const tried = (tries.get(task.key) ?? 0) + 1;
          tries.set(task.key, tried);
          if (tried === TRIES) save(task, lostResult(setup, task, lostReason(error), error.last, started));
          else {
            warn(`a child process was ended by ${showEnd(error)}: its chunk is drawn again, in a new one.`);
            queue.putBack(task);
          }
          return undefined;
        }
      };
      /** One process after the other, until nothing is left; or the first of them, where it ends and others go on. */
      const handle = async (taker: Taker): Promise<void> => {
        let worker: ChunkWorker | undefined;
        for (let task = queue.take(taker); task !== undefined; task = queue.take(taker)) {
          worker ??= await ready(setup);
          worker = await drawOne(worker, task);
          if (unsaved) throw unsaved.error;
          // Where memory was short, it is less so with a process fewer.
          if (worker === undefined && hands > 1) {
            hands -= 1;
            queue.leave(taker);
            return;
          }
        }
        if (worker) idle.push(worker);
      };
      const drawAll = async (): Promise<void> => {
        await Promise.all(Array.from({ length: count }, () => handle({})));
        // What was put back when the others had ended.
        await handle({});
      };
      let stop = (): void => undefined;
      const stopped = new Promise<never>((_, reject) => {
        stop = () => {
          killAll();
          void saved.then(() => reject(new CancelledError('Stopped. What had finished is kept.')));
        };
        signal?.addEventListener('abort', stop);
      });
      try {
        await Promise.race([drawAll(), stopped]);
        await saved;
        if (unsaved) throw unsaved.error;
      } catch (error) {
        killAll();
        await saved;
        throw signal?.aborted && !(error instanceof CancelledError) ? await stopped : error;
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    },
    dispose: killAll,
  };
};
