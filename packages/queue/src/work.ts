/** The side that draws: takes chunks from the queues of runs, one run at a time. */
import { setTimeout as pause } from 'node:timers/promises';
import { CancelledError, ConfigError, messageOf } from '@tweedie/core';
import { queueAddress } from './address.ts';
import type { ChunkDone, ChunkJob } from './chunk-job.ts';
import { LOCK, openServer, reachServer, type Jobs, type Server } from './connection.ts';
import { memoryFor, showBytes } from './needs.ts';
import { queueOf, runsOn, type RunNotice, type Runs } from './runs.ts';
import { studio } from './painters.ts';
import { openStoreAt } from './stores/open-store.ts';
import { beatOf, workerName, workOn, type Means, type WorkOptions } from './work-on.ts';

/** Milliseconds between two looks for a run. */
const LOOK = 1000;

/** A queue of a run, and how many of its chunks wait and are drawn. */
type Candidate = {
  readonly name: string;
  readonly notice: RunNotice;
  readonly place: number;
  readonly waiting: number;
  readonly active: number;
};

/** The queues of a server that this process may work on, of all runs or only one, whose chunks may take `memory`. */
const candidatesOn = (
  server: Server,
  runs: Runs,
  { memory, only, tell }: Pick<Means, 'only'> & { readonly memory: number; readonly tell: (message: string) => void },
) => {
  const queues = new Map<string, Jobs<ChunkJob, ChunkDone>>();
  /** A run as its command started it: started anew, it may be another thing. */
  const startOf = ({ run, plan, started }: RunNotice): string => [run, plan, started].join();
  /** Runs that cannot be worked on here, and queues of which that was told. */
  const [refused, told] = [new Set<string>(), new Set<string>()];
  /** Says once, here and where the run is compared, that there is not memory enough for the chunks of a queue. */
  const tellLack = async (notice: RunNotice, name: string, need: number): Promise<void> => {
    const key = `${startOf(notice)},${name}`;
    if (told.has(key)) return;
    told.add(key);
    const lack = `chunks that need ${showBytes(need)} of memory, for those here may take ${showBytes(memory)} (--memory says otherwise)`;
    tell(`run ${notice.run}: takes no ${lack}`);
    await runs.tell(notice.run, `worker ${workerName()} takes no ${lack}`);
  };
  return {
    refuse: (notice: RunNotice): void => void refused.add(startOf(notice)),
    async list(): Promise<readonly Candidate[]> {
      const found: Candidate[] = [];
      for (const notice of await runs.list()) {
        if (only !== undefined && notice.run !== only) continue;
        if (notice.cancelled || refused.has(startOf(notice))) continue;
        for (const [place, need] of notice.needs.entries()) {
          const name = queueOf(notice.run, place);
          const jobs: Jobs<ChunkJob, ChunkDone> = queues.get(name) ?? server.jobs(name);
          queues.set(name, jobs);
          const { waiting = 0, active = 0 } = await jobs.getJobCounts('waiting', 'active');
          if (need <= memory) found.push({ name, notice, place, waiting, active });
          else if (waiting > 0) await tellLack(notice, name, need);
        }
      }
      return found;
    },
    close: () => Promise.allSettled([...queues.values()].map((jobs) => jobs.close())),
  };
};

/** Works on the runs of a queue, the oldest first, until `signal` aborts. A bench has other `means`. */
export const work = async (options: WorkOptions, means: Partial<Means> = {}): Promise<void> => {
  const { signal, once = false, lock = LOCK, onMessage: tell = () => undefined } = options;
  const address = queueAddress(options.queue);
  await reachServer(address);
  const server = await openServer(address, tell);
  const runs = runsOn(server);
  // What is free when it starts: later its own processes hold some of it.
  const memory = memoryFor(options);
  const candidates = candidatesOn(server, runs, { memory, tell, only: means.only });
  const own = { studio: means.studio ?? studio(), openStore: means.openStore ?? openStoreAt };
  /** When this process came to each queue last. */
  const came = new Map<string, number>();
  /**
   * The queue to go to: one with work, or else where others draw, in turn. What a worker had in hand that vanished
   * comes back only where another one looks for it.
   */
  const choose = (all: readonly Candidate[]): Candidate | undefined => {
    const first = all.find(({ waiting }) => waiting > 0);
    if (first || once) return first;
    const drawn = all.filter(({ active }) => active > 0);
    const since = ({ name }: Candidate): number => came.get(name) ?? 0;
    return [...(drawn.length > 0 ? drawn : all)].sort((a, b) => since(a) - since(b))[0];
  };
  /** Whether to stay with a queue: while it has work or no other has, and where others draw, for a lock at least. */
  const stays = async (name: string): Promise<boolean> => {
    const all = await candidates.list();
    if (all.some((other) => other.name === name && other.waiting > 0)) return true;
    const others = all.filter((other) => other.name !== name);
    if (once || others.some(({ waiting }) => waiting > 0)) return false;
    return others.every(({ active }) => active === 0) || Date.now() - (came.get(name) ?? 0) < lock;
  };
  try {
    for (let idle = false; !signal?.aborted;) {
      const next = choose(await candidates.list());
      if (next === undefined) {
        if (once) return;
        if (!idle) tell(`no run has work at ${address.place}: waiting`);
        idle = true;
        await pause(Math.min(LOOK, beatOf(lock)), undefined, signal ? { signal } : {}).catch(() => undefined);
        continue;
      }
      idle = false;
      came.set(next.name, Date.now());
      try {
        await workOn({ ...options, ...own, lock, tell, memory }, server, runs, next, stays);
      } catch (error) {
        if (error instanceof CancelledError) continue;
        candidates.refuse(next.notice);
        tell(messageOf(error));
        await runs.tell(next.notice.run, `worker ${workerName()} takes no part: ${messageOf(error)}`);
        if (!(error instanceof ConfigError)) throw error;
      }
    }
    throw new CancelledError('Stopped. Chunks that were not finished are given back.');
  } finally {
    own.studio.kill();
    await Promise.allSettled([runs.close(), candidates.close()]);
    await server.close();
  }
};
