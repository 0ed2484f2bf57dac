/** The child processes of a worker, which draw the chunks of one run. */
import { availableParallelism } from 'node:os';
import {
  identify,
  lostReason,
  setupHere,
  startWorker,
  WorkerEnded,
  type ChunkFacts,
  type ChunkPlan,
  type ChunkResult,
  type ChunkTask,
  type ChunkWorker,
} from '@tweedie/experiments';
import type { ChunkProgress } from './chunk-job.ts';

/**
 * Chunks of one need that this machine draws at once: as many as were asked for or have their threads, and have their
 * memory. None where there is not enough for one.
 */
export const slotsFor = (
  { threads }: Pick<ChunkPlan, 'threads'>,
  { need, memory, asked }: { readonly need: number; readonly memory: number; readonly asked?: number | undefined },
): number => {
  const cores = availableParallelism();
  // An engine that has no say in its threads takes all.
  const each = Math.min(cores, Math.max(...threads.map((most) => most ?? cores)));
  return Math.min(asked ?? Math.floor(cores / each), Math.floor(memory / need));
};

export type Painters = {
  /** Draws a task in a process that is free. Rejects with what a plugin throws, or why the process ended. */
  draw(task: ChunkTask, onStep: (progress: ChunkProgress) => void): Promise<ChunkResult>;
  /** What the processes found of engine and model. Starts the first one. */
  facts(): Promise<ChunkFacts>;
  /** Ends all of them at once, whatever they do. */
  kill(): void;
};

/** Processes that outlive a run, so that the next one of the same code finds the model loaded. */
export type Studio = {
  /** Processes for a plan, whose problems lie in `folder`; they are started as they are needed. */
  paintersFor(plan: ChunkPlan, folder: string, tell: (message: string) => void): Painters;
  kill(): void;
};

export const studio = (): Studio => {
  const idle: ChunkWorker[] = [];
  const all = new Set<ChunkWorker>();
  /** What each process was set up for last. */
  const setUpFor = new WeakMap<ChunkWorker, ChunkPlan>();
  let code = '';
  let say = (_: string): void => undefined;
  const kill = (): void => {
    for (const worker of all) worker.kill();
    all.clear();
    idle.length = 0;
  };
  const drop = (worker: ChunkWorker): void => {
    all.delete(worker);
    worker.kill();
  };
  const start = (): ChunkWorker => {
    const worker = startWorker((message) => say(message));
    all.add(worker);
    return worker;
  };
  return {
    kill,
    paintersFor(plan, folder, tell) {
      // A process reads the code of its plugins once.
      const own = identify([plan.setup.origin, plan.setup.code]);
      if (own !== code) kill();
      code = own;
      const told = new Set<string>();
      say = (message) => {
        if (!told.has(message)) tell(message);
        told.add(message);
      };
      // The code of plugins was compared before, which told what differs with both sides.
      const setup = { ...setupHere(plan), folder, code: {} };
      let found: ChunkFacts = {};
      const ready = async (): Promise<ChunkWorker> => {
        const worker = idle.pop() ?? start();
        if (setUpFor.get(worker) === plan) return worker;
        try {
          found = await worker.setUp(setup);
          setUpFor.set(worker, plan);
          return worker;
        } catch (error) {
          drop(worker);
          throw error;
        }
      };
      return {
        kill,
        async facts() {
          idle.push(await ready());
          return found;
        },
        async draw(task, onStep) {
          const worker = await ready();
          try {
            const result = await worker.draw(task, (done, total) => onStep({ done, total }));
            idle.push(worker);
            return result;
          } catch (error) {
            drop(worker);
            throw error instanceof WorkerEnded ? new Error(lostReason(error), { cause: error }) : error;
          }
        },
      };
    },
  };
};
