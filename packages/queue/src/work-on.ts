/** Drawing for one run: its plan, its problems, its store, and what happens to each chunk. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CancelledError, ConfigError, temporaryFolder, type RegistryOptions } from '@tweedie/core';
import { codeHere, processorKind, workOf, type ChunkPlan } from '@tweedie/experiments';
import type { ChunkDone, ChunkJob } from './chunk-job.ts';
import type { JobOf, Server } from './connection.ts';
import { problemPath } from './coordinator-store.ts';
import { slotsFor, type Painters, type Studio } from './painters.ts';
import { encodeResult, resultKey } from './result-codec.ts';
import type { RunNotice, Runs } from './runs.ts';
import { refuseSkew } from './skew.ts';
import { openStoreAt } from './stores/open-store.ts';
import type { ResultStore } from './stores/result-store.ts';

export type WorkOptions = RegistryOptions & {
  /** `redis://...` or `postgres://...` */
  readonly queue: string;
  /** The store of the runs, where this machine sees it elsewhere than the one that compares. */
  readonly store?: string | undefined;
  /** The folder in which the relative paths of recipes start; default the one on the machine that compares. */
  readonly folder?: string | undefined;
  /** Chunks at once, each in a process of its own; default as many as threads and memory allow. */
  readonly workers?: number | undefined;
  /** Bytes that they may take together; default 80 % of what is free when it starts. */
  readonly memory?: number | undefined;
  /** Ends when no run has work left. */
  readonly once?: boolean | undefined;
  /** Milliseconds of a lock; default a minute. */
  readonly lock?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onMessage?: ((message: string) => void) | undefined;
};

/** Milliseconds between two words about how far a chunk has come. */
const WORD = 2000;

export const workerName = (): string => `${hostname()}:${process.pid}`;

/** What draws chunks, what opens the store that they go to, and which run alone is worked on. */
export type Means = {
  readonly studio: Studio;
  readonly openStore: typeof openStoreAt;
  readonly only?: string | undefined;
};

type Settings = WorkOptions &
  Means & {
    readonly lock: number;
    readonly memory: number;
    readonly tell: (message: string) => void;
  };

/** The store refuses this worker, or is not what it should be: no fault of a chunk. */
class StoreTrouble extends Error {
  override readonly name = 'StoreTrouble';
}

/** What is asked of a store, whose errors are told from those of drawing. */
const asked = async <T>(answer: Promise<T>): Promise<T> => {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof CancelledError ? error : new StoreTrouble('a store', { cause: error });
  }
};

/** Milliseconds between two looks whether a run is wanted: more often where a lock is short. */
export const beatOf = (lock: number): number => Math.min(WORD, lock / 4);

/** The plan of a run, with places of this machine in it. */
const readPlan = async (
  store: ResultStore,
  key: string,
  { folder, registries, localRegistries }: Settings,
): Promise<ChunkPlan> => {
  const bytes = await store.get(key);
  if (bytes === undefined)
    throw new ConfigError(
      store.place,
      'does not hold the plan of this run: it is not the store that the machine which compares writes to.',
      'Give both the same one: a folder that both see, named with --store where its path differs here; or a bucket, or http://host:port.',
    );
  const plan = JSON.parse(new TextDecoder().decode(bytes)) as ChunkPlan;
  const { origin } = plan.setup;
  const own = {
    ...origin,
    ...(folder !== undefined && {
      folder,
      pluginFiles: origin.pluginFiles.map((file) => join(folder, relative(origin.folder, file))),
    }),
    ...(registries && { registries }),
    ...(localRegistries !== undefined && { localRegistries }),
  };
  return { ...plan, setup: { ...plan.setup, origin: own } };
};

/** Processes for a plan, once it is sure that they draw what the machine which compares would. */
const openPainters = async (
  plan: ChunkPlan,
  folder: string,
  run: string,
  { studio, tell }: Settings,
): Promise<Painters> => {
  const { origin, code } = plan.setup;
  const short = (hashes: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(hashes).map(([name, hash]) => [name, `code ${hash.slice(0, 12)}`]));
  const { Tweedie: there = '', ...facts } = plan.facts;
  const { Tweedie: here = '', ...own } = await codeHere(origin, Object.keys(code), `run ${run}`);
  refuseSkew({ Tweedie: here, ...short(own) }, { Tweedie: there, ...short(code) }, run);
  const painters = studio.paintersFor(plan, folder, tell);
  try {
    refuseSkew(await painters.facts(), facts, run);
    return painters;
  } catch (error) {
    painters.kill();
    throw error;
  }
};

/**
 * Works on a queue of a run until the run is over or cancelled, or `stays` says that another one wants this worker
 * more. Throws what the store says where it refuses this worker: the chunks that it had are given back by then.
 */
export const workOn = async (
  settings: Settings,
  server: Server,
  runs: Runs,
  { name, notice, place }: { readonly name: string; readonly notice: RunNotice; readonly place: number },
  stays: (name: string) => Promise<boolean>,
): Promise<void> => {
  const { lock, tell, signal: stop, workers, memory } = settings;
  const { run, token } = notice;
  const over = new AbortController();
  const signal = stop ? AbortSignal.any([over.signal, stop]) : over.signal;
  const store = await settings.openStore(settings.store ?? notice.store, token, {
    patience: Infinity,
    signal,
    onWait: tell,
  });
  const folder = temporaryFolder('work');
  let painters: Painters | undefined;
  const kill = (): void => painters?.kill();
  signal.addEventListener('abort', kill);
  try {
    const plan = await readPlan(store, notice.plan, settings);
    painters = await openPainters(plan, folder, run, settings);
    const own = painters;

    const fetchProblems = async ({ task }: ChunkJob): Promise<void> => {
      for (const hash of new Set(workOf(plan.setup.index, task).map(({ problem }) => problem))) {
        const path = problemPath(folder, hash);
        if (existsSync(path)) continue;
        const bytes = await store.get(`problems/${hash}`);
        if (bytes === undefined)
          throw new ConfigError(
            store.place,
            `does not hold problem ${hash.slice(0, 12)}.`,
            'Run the same compare again.',
          );
        await mkdir(dirname(path), { recursive: true });
        const part = `${path}.${task.key.slice(0, 12)}`;
        await writeFile(part, bytes);
        await rename(part, path);
      }
    };
    const draw = async (job: JobOf<ChunkJob, ChunkDone>): Promise<ChunkDone> => {
      const started = performance.now();
      const key = resultKey(plan, job.data.task);
      if (!(await asked(store.has(key)))) {
        await asked(fetchProblems(job.data));
        let last = 0;
        const result = await own.draw(job.data.task, (progress) => {
          if (performance.now() - last < WORD) return;
          last = performance.now();
          void job.updateProgress(progress).catch(() => undefined);
        });
        await asked(store.put(key, encodeResult(result)));
      }
      return { worker: workerName(), processor: processorKind(), seconds: (performance.now() - started) / 1000 };
    };
    let trouble: StoreTrouble | undefined;
    /** Gives a chunk back that was stopped, or that the store did not take; what went wrong with another is a try. */
    const end = async (job: JobOf<ChunkJob, ChunkDone>, error: unknown): Promise<never> => {
      if (error instanceof StoreTrouble) {
        trouble ??= error;
        // Now, so that no other chunk is taken: the one that is given back would be the next.
        over.abort();
      }
      if (!signal.aborted && !(error instanceof CancelledError)) throw error;
      if (job.token === undefined) throw error;
      const { WaitingError } = await import('bullmq');
      await job.moveToWait(job.token);
      throw new WaitingError();
    };
    const need = notice.needs[place] ?? 0;
    const slots = Math.max(1, slotsFor(plan, { need, memory, asked: workers }));
    tell(`run ${run} (${notice.title}): at work on ${slots} chunk${slots > 1 ? 's' : ''} at once`);
    const taker = server.taker<ChunkJob, ChunkDone>(
      name,
      (job) => draw(job).catch((error: unknown) => end(job, error)),
      { name: workerName(), slots, lock },
    );
    try {
      while (!signal.aborted) {
        await pause(beatOf(lock), undefined, { signal }).catch(() => undefined);
        if (signal.aborted) break;
        const now = await runs.get(run);
        if (now === undefined || now.cancelled) over.abort();
        // The command was started anew with another plan.
        else if (now.plan !== notice.plan || !(await stays(name))) break;
      }
    } finally {
      await taker.close();
    }
    if (trouble) throw trouble.cause;
    tell(`run ${run}: left`);
  } finally {
    signal.removeEventListener('abort', kill);
    await rm(folder, { recursive: true, force: true });
  }
};
