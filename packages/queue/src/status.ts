/** What goes on at a queue, and how a run there is ended. */
import { queueAddress } from './address.ts';
import { isProgress } from './chunk-job.ts';
import { openServer, reachServer, type Server } from './connection.ts';
import { chunkQueues, closeAll, findRun, runsOn, type RunNotice, type Runs } from './runs.ts';

export type RunStatus = {
  readonly run: string;
  readonly title: string;
  /** The machine that compares, and whether its command is running. */
  readonly host: string;
  readonly compared: boolean;
  readonly cancelled: boolean;
  readonly store: string;
  /** Chunks of the command: all, stored, waiting for a worker, given up. */
  readonly chunks: number;
  readonly done: number;
  readonly waiting: number;
  readonly failed: number;
  /** The same by the memory that chunks need, most first, in bytes. */
  readonly needs: readonly { readonly bytes: number; readonly waiting: number; readonly active: number }[];
  /** Who is at work on what. */
  readonly active: readonly {
    readonly worker: string;
    readonly chunk: string;
    readonly step: number | null;
    readonly of: number | null;
    /** Seconds that it has been at it. */
    readonly seconds: number;
  }[];
  /** Chunks a minute since the command started; null until one is done. */
  readonly perMinute: number | null;
  /** Seconds until all is done at that pace. */
  readonly secondsLeft: number | null;
};

/** Milliseconds without a sign of life after which a command counts as ended. */
const SILENT = 15_000;

const statusOf = async (server: Server, notice: RunNotice): Promise<RunStatus> => {
  const { run, title, host, store, chunks, done, started, before, seen, cancelled = false } = notice;
  const queues = chunkQueues(server, notice);
  try {
    const counts = await Promise.all(queues.map((jobs) => jobs.getJobCounts('waiting', 'failed')));
    const at = await Promise.all(queues.map((jobs) => jobs.getJobs(['active'])));
    const needs = notice.needs.map((bytes, place) => ({
      bytes,
      waiting: counts[place]?.['waiting'] ?? 0,
      active: at[place]?.length ?? 0,
    }));
    const waiting = needs.reduce((sum, need) => sum + need.waiting, 0);
    const failed = counts.reduce((sum, count) => sum + (count['failed'] ?? 0), 0);
    const now = Date.now();
    const active = at.flat().map(({ id, processedBy, processedOn, progress }) => ({
      worker: processedBy ?? 'unknown',
      chunk: id ?? '',
      step: isProgress(progress) ? progress.done : null,
      of: isProgress(progress) ? progress.total : null,
      seconds: processedOn === undefined ? 0 : (now - processedOn) / 1000,
    }));
    const perMinute = done > before ? ((done - before) * 60_000) / Math.max(1, seen - started) : null;
    return {
      run,
      title,
      host,
      compared: now - seen < SILENT,
      cancelled,
      store,
      chunks,
      done,
      waiting,
      failed,
      needs,
      active,
      perMinute,
      secondsLeft: perMinute === null ? null : ((chunks - done) * 60) / perMinute,
    };
  } finally {
    await closeAll(queues);
  }
};

const withRuns = async <T>(
  queue: string,
  use: (server: Server, runs: Runs, place: string) => Promise<T>,
): Promise<T> => {
  const address = queueAddress(queue);
  await reachServer(address);
  const server = await openServer(address);
  const runs = runsOn(server);
  try {
    return await use(server, runs, address.place);
  } finally {
    await runs.close();
    await server.close();
  }
};

/** The runs at a queue, the oldest first. */
export const queueStatus = (queue: string): Promise<readonly RunStatus[]> =>
  withRuns(queue, async (server, runs) => {
    const all: RunStatus[] = [];
    for (const notice of await runs.list()) all.push(await statusOf(server, notice));
    return all;
  });

/**
 * Ends a run, named by the beginning of its name: workers stop what they draw for it, nothing of it waits any more, and
 * the command that compares ends. What had finished is kept. Where that command is gone, the run is forgotten.
 */
export const cancelRun = (queue: string, name: string): Promise<RunNotice> =>
  withRuns(queue, async (server, runs, place) => {
    const notice = findRun(await runs.list(), name, place);
    await runs.update(notice.run, { cancelled: true });
    const queues = chunkQueues(server, notice);
    try {
      for (const jobs of queues) {
        await jobs.pause();
        await jobs.drain();
      }
    } finally {
      await closeAll(queues);
    }
    if (Date.now() - notice.seen > SILENT) await runs.remove(notice.run);
    return notice;
  });
