/** The side that compares: hands chunks to a queue, and takes what was drawn of them from the store. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { CancelledError } from '@tweedie/core';
import {
  identify,
  LOST,
  lostResult,
  workOf,
  type ChunkPlan,
  type ChunkTask,
  type DrawElsewhere,
} from '@tweedie/experiments';
import { queueAddress } from './address.ts';
import { isProgress, jobOf, type ChunkDone, type ChunkJob } from './chunk-job.ts';
import { openServer, reachServer, type Jobs } from './connection.ts';
import { openOwnStore, problemPath } from './coordinator-store.ts';
import { needsOf, placeOf } from './needs.ts';
import { decodeResult, resultKey } from './result-codec.ts';
import { chunkQueues, closeAll, runsOn, type Runs } from './runs.ts';
import type { ResultStore } from './stores/result-store.ts';

export type QueueOptions = {
  /** `redis://...` or `postgres://...` */
  readonly queue: string;
  /** A folder, `s3://bucket/prefix`, or `http://host:port`, at which this process takes results itself. */
  readonly store?: string | undefined;
};

/** Milliseconds between two looks at the queue, and between two at what only people want to know. */
const [LOOK, GLANCE] = [300, 2000];
/** Finished jobs that are fetched at once, jobs that are added at once, and requests to a store that go on together. */
const [PAGE, BULK, TOGETHER] = [100, 500, 8];

/** Does something for each item, some together. */
const forEach = async <T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> => {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: TOGETHER }, lane));
};

type Tasks = Parameters<DrawElsewhere>[1];

/** Puts what workers need into the store: the plan, whose key is given, and the problems that are not there. */
const publish = async (plan: ChunkPlan, tasks: Iterable<ChunkTask>, store: ResultStore): Promise<string> => {
  const { index, folder } = plan.setup;
  const hashes = new Set([...tasks].flatMap((task) => workOf(index, task).map(({ problem }) => problem)));
  const there = new Set(await store.list('problems/'));
  const missing = [...hashes].filter((hash) => !there.has(`problems/${hash}`));
  await forEach(missing, async (hash) =>
    store.put(`problems/${hash}`, new Uint8Array(await readFile(problemPath(folder, hash)))),
  );
  const key = planKeyOf(plan);
  await store.put(key, new TextEncoder().encode(JSON.stringify(plan)));
  return key;
};

/** The key of a plan in the store. */
export const planKeyOf = (plan: ChunkPlan): string => `plans/${identify(plan)}`;

/** The name of a run: the same for the same command. Where results go is in it, for two may ask the same question. */
export const runName = ({ setup }: ChunkPlan, store: string): string => {
  const { folder, model, operators, rows, seed } = setup;
  return identify([hostname(), folder, store.replace(/^http:.*/, 'http'), model, operators, rows, seed]).slice(0, 12);
};

type Desk = {
  readonly plan: ChunkPlan;
  readonly tasks: Tasks;
  /** Jobs by the memory that they need. */
  readonly queues: readonly Jobs<ChunkJob, ChunkDone>[];
  readonly store: ResultStore;
  readonly runs: Runs;
  readonly run: string;
  /** Key of the plan in the store. */
  readonly planKey: string;
  /** Tasks whose results are not in the run folder yet, by key. */
  readonly open: Map<string, ChunkTask>;
  /** Says that the run is there. */
  readonly announce: () => Promise<void>;
};

const stopped = (): CancelledError => new CancelledError('Stopped. What had finished is kept.');

/** Takes the result of a task from the store into the run folder; false where the store has none that is whole. */
const collect = async ({ plan, tasks, store, open }: Desk, task: ChunkTask): Promise<boolean> => {
  const bytes = await store.get(resultKey(plan, task));
  if (bytes === undefined) return false;
  await tasks.onResult(task, decodeResult(bytes));
  open.delete(task.key);
  return true;
};

/** Takes what the store has already of the tasks that are open. */
const collectStored = async (desk: Desk): Promise<void> => {
  const stored = new Set(await desk.store.list('results/'));
  for (const task of [...desk.open.values()]) {
    if (desk.tasks.signal?.aborted) throw stopped();
    if (stored.has(resultKey(desk.plan, task))) await collect(desk, task);
  }
};

const enqueue = async ({ plan, queues, planKey, open }: Desk): Promise<void> => {
  for (const [place, jobs] of queues.entries()) {
    const own = [...open.values()].filter((task) => placeOf(plan, task) === place);
    const all = own.map((task) => jobOf(task, planKey));
    for (let begin = 0; begin < all.length; begin += BULK) await jobs.addBulk(all.slice(begin, begin + BULK));
  }
};

/** Takes the results of jobs that are finished, and gives how many there were. */
const collectFinished = async (
  desk: Desk,
  jobs: Jobs<ChunkJob, ChunkDone>,
  processors: Set<string>,
): Promise<number> => {
  const { plan, tasks, open, planKey } = desk;
  const finished = await jobs.getJobs(['completed', 'failed'], 0, PAGE - 1);
  for (const job of finished) {
    if (tasks.signal?.aborted) throw stopped();
    const task = open.get(job.data.task.key);
    const { failedReason } = job;
    if (task !== undefined && failedReason) {
      // It may have been drawn after all, by a worker that lost its lock.
      if (!(await collect(desk, task))) {
        const last = isProgress(job.progress) ? { ...job.progress, memory: 0 } : undefined;
        const reason = failedReason.startsWith(LOST) ? failedReason : `${LOST}: ${failedReason.replace(/\.$/, '')}`;
        await tasks.onResult(task, lostResult(plan.setup, task, reason, last));
        open.delete(task.key);
      }
    } else if (task !== undefined) {
      if (job.returnvalue) processors.add(job.returnvalue.processor);
      // What was stored is damaged or gone: it is drawn again.
      const again = !(await collect(desk, task));
      await job.remove();
      if (again) await jobs.addBulk([jobOf(task, planKey)]);
      continue;
    }
    await job.remove();
  }
  return finished.length;
};

/** Shows what workers are at, and sees that every open task has its job: a server may have lost them. */
const glance = async (desk: Desk, told: Set<string>): Promise<void> => {
  const { tasks, queues, runs, run, open } = desk;
  const notice = await runs.get(run);
  if (notice?.cancelled) {
    await runs.remove(run);
    for (const jobs of queues) await jobs.obliterate({ force: true });
    throw new CancelledError('Cancelled by tweedie cancel. What had finished is kept; the same command goes on.');
  }
  let known = 0;
  for (const jobs of queues) {
    const counts = await jobs.getJobCounts('active', 'waiting', 'completed', 'failed', 'delayed');
    known += Object.values(counts).reduce((sum, count) => sum + count, 0);
    for (const { data, progress } of (counts['active'] ?? 0) > 0 ? await jobs.getJobs(['active'], 0, PAGE - 1) : []) {
      const task = open.get(data.task.key);
      if (task && isProgress(progress)) tasks.onStep(task, progress.done, progress.total);
    }
  }
  if (notice === undefined || known < open.size) {
    await desk.announce();
    await collectStored(desk);
    await enqueue(desk);
  } else await runs.update(run, { done: notice.chunks - open.size, seen: Date.now() });
  for (const message of await runs.told(run)) {
    if (!told.has(message)) tasks.tell(message);
    told.add(message);
  }
};

/** Draws on a queue; `openOwn` opens the store, which a bench has none of. */
export const drawOn = async (
  plan: ChunkPlan,
  tasks: Tasks,
  { queue, store: given }: QueueOptions,
  openOwn: typeof openOwnStore = openOwnStore,
): Promise<void> => {
  const { signal, tell } = tasks;
  const address = queueAddress(queue);
  await reachServer(address);
  const open = new Map(tasks.settings.flatMap((setting) => setting.tasks).map((task) => [task.key, task]));
  const own = await openOwn(plan.setup.folder, given, { signal, onWait: tell });
  const server = await openServer(address, tell);
  const runs = runsOn(server);
  const run = runName(plan, own.address);
  const needs = needsOf(plan);
  const queues = chunkQueues(server, { run, needs });
  let finished = false;
  try {
    const planKey = await publish(plan, open.values(), own.store);
    const [started, chunks] = [Date.now(), open.size];
    let before = 0;
    const announce = (): Promise<void> =>
      runs.put({
        run,
        title: plan.title,
        store: own.address,
        token: own.token,
        plan: planKey,
        host: hostname(),
        chunks,
        done: chunks - open.size,
        needs,
        started,
        before,
        seen: Date.now(),
      });
    const desk: Desk = { plan, tasks, queues, store: own.store, runs, run, planKey, open, announce };
    await collectStored(desk);
    before = chunks - open.size;
    // What an earlier command queued may not be wanted any more; what is at work stays.
    for (const jobs of queues) {
      await jobs.resume();
      await jobs.drain();
    }
    await announce();
    await enqueue(desk);
    tell(`run ${run}: ${open.size} chunks wait at ${address.place}; on each machine: tweedie work ${address.place}`);
    const [told, processors] = [new Set<string>(), new Set<string>()];
    let glanced = performance.now();
    while (open.size > 0) {
      if (signal?.aborted) throw stopped();
      let found = 0;
      for (const jobs of queues) found += await collectFinished(desk, jobs, processors);
      if (performance.now() - glanced > GLANCE) {
        await glance(desk, told);
        glanced = performance.now();
      }
      if (found === 0) await pause(LOOK, undefined, signal ? { signal } : {}).catch(() => undefined);
    }
    finished = true;
    if (processors.size > 1)
      tell(
        `chunks were drawn on ${processors.size} kinds of processor (${[...processors].join('; ')}): bits are equal within each, and agree to rounding between them`,
      );
    await runs.remove(run);
    for (const jobs of queues) await jobs.obliterate({ force: true });
  } finally {
    await Promise.allSettled([closeAll(queues), runs.close()]);
    await server.close();
    await own.close(finished);
  }
};

/** Draws chunks on the machines that take them from a queue (`tweedie work`). */
export const drawOnQueue =
  (options: QueueOptions): DrawElsewhere =>
  (plan, tasks) =>
    drawOn(plan, tasks, options);
