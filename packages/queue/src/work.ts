/** The side that draws: takes chunks from the queues of runs, one run at a time. */
import { setTimeout as pause } from 'node:timers/promises';
import { CancelledError, ConfigError, messageOf } from '@tweedie/core';
import { queueAddress } from './address.ts';
import type { ChunkDone, ChunkJob } from './chunk-job.ts';
import { LOCK, openServer, reachServer, type Jobs, type Server } from './connection.ts';
import { queueOf, runsOn, type RunNotice, type Runs } from './runs.ts';
import { studio } from './painters.ts';
import { beatOf, workerName, workOn, type WorkOptions } from './work-on.ts';

/** Milliseconds between two looks for a run. */
const LOOK = 1000;

type Candidate = { readonly notice: RunNotice; readonly waiting: number };

/** The runs of a server that this process may work on. */
const candidatesOn = (server: Server, runs: Runs) => {
  const queues = new Map<string, Jobs<ChunkJob, ChunkDone>>();
  /** Runs that cannot be worked on here, with the plan for which that holds. */
  const refused = new Map<string, string>();
  return {
    refuse: ({ run, plan }: RunNotice): void => void refused.set(run, plan),
    async list(): Promise<readonly Candidate[]> {
      const found: Candidate[] = [];
      for (const notice of await runs.list()) {
        const { run, plan, cancelled } = notice;
        if (cancelled || refused.get(run) === plan) continue;
        const jobs: Jobs<ChunkJob, ChunkDone> = queues.get(run) ?? server.jobs(queueOf(run));
        queues.set(run, jobs);
        const { waiting = 0 } = await jobs.getJobCounts('waiting');
        found.push({ notice, waiting });
      }
      return found;
    },
    close: () => Promise.allSettled([...queues.values()].map((jobs) => jobs.close())),
  };
};

/** Works on the runs of a queue, the oldest first, until `signal` aborts. */
export const work = async (options: WorkOptions): Promise<void> => {
  const { signal, once = false, lock = LOCK, onMessage: tell = () => undefined } = options;
  const address = queueAddress(options.queue);
  await reachServer(address);
  const server = await openServer(address, tell);
  const runs = runsOn(server);
  const candidates = candidatesOn(server, runs);
  const own = studio();
  /** Whether to stay with a run: while it has work, or no other one has. */
  const stays = async (run: string): Promise<boolean> => {
    const all = await candidates.list();
    const has = (own: boolean): boolean =>
      all.some(({ notice, waiting }) => (notice.run === run) === own && waiting > 0);
    return has(true) || !(once || has(false));
  };
  try {
    for (let idle = false; !signal?.aborted;) {
      const all = await candidates.list();
      // A run whose chunks are all being drawn gets them back from workers that vanish.
      const next = all.find(({ waiting }) => waiting > 0) ?? (once ? undefined : all[0]);
      if (next === undefined) {
        if (once) return;
        if (!idle) tell(`no run has work at ${address.place}: waiting`);
        idle = true;
        await pause(Math.min(LOOK, beatOf(lock)), undefined, signal ? { signal } : {}).catch(() => undefined);
        continue;
      }
      idle = false;
      try {
        await workOn({ ...options, lock, tell, studio: own }, server, runs, next.notice, stays);
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
    own.kill();
    await Promise.allSettled([runs.close(), candidates.close()]);
  }
};
