import type { ChunkTask } from '@tweedie/experiments';

/** A chunk that waits to be drawn: names and ranges of less than 2 kB, no numbers. */
export type ChunkJob = {
  readonly task: ChunkTask;
  /** Key of the plan that the task belongs to, in the store. */
  readonly plan: string;
};

/** What a worker hands back; the result itself is in the store. */
export type ChunkDone = {
  readonly worker: string;
  /** The kind of its processor. */
  readonly processor: string;
  readonly seconds: number;
};

/** How far a worker has come with a chunk: steps done, of all. */
export type ChunkProgress = { readonly done: number; readonly total: number };

export const isProgress = (value: unknown): value is ChunkProgress =>
  typeof value === 'object' &&
  value !== null &&
  (['done', 'total'] as const).every((name) => typeof (value as Partial<ChunkProgress>)[name] === 'number');

/** Times that a chunk is tried whose drawing ends in an error, of a plugin or by the end of its process. */
const ATTEMPTS = 2;

const JOB_OPTIONS = {
  attempts: ATTEMPTS,
  // Whoever compares takes finished jobs away, so that none is missed while it does not look.
  removeOnComplete: false,
  removeOnFail: false,
  stackTraceLimit: 0,
} as const;

/** The job of a task. The same cells have one id: digits alone would mean a number to BullMQ, and `:` is its own. */
export const jobOf = (task: ChunkTask, plan: string) => ({
  name: 'chunk',
  data: { task, plan } satisfies ChunkJob,
  opts: { ...JOB_OPTIONS, jobId: `c-${task.key.slice(0, 40)}` },
});
