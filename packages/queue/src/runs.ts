import { ConfigError, suggest } from '@tweedie/core';
import type { ChunkDone, ChunkJob } from './chunk-job.ts';
import type { Jobs, Server } from './connection.ts';

/** A run that machines may work on, as its coordinator announces it. */
export type RunNotice = {
  /** Its name: twelve digits of a hash of the recipe and of where its results go. */
  readonly run: string;
  readonly title: string;
  /** Address of the store, as workers see it. */
  readonly store: string;
  /** What a worker must know to use the store of a coordinator; empty for other stores. */
  readonly token: string;
  /** Key of the plan in the store. */
  readonly plan: string;
  /** The machine whose command compares, for people. */
  readonly host: string;
  readonly chunks: number;
  readonly done: number;
  /** Bytes of memory that its chunks need, most first: those of one need wait in one queue. */
  readonly needs: readonly number[];
  /** Time in milliseconds: when the command started with how many chunks done, and when it was there last. */
  readonly started: number;
  readonly before: number;
  readonly seen: number;
  readonly cancelled?: true;
};

/** The queue that holds one job for each run, which nobody takes. */
const RUNS = 'tweedie-runs';
const idOf = (run: string): string => `run-${run}`;

export type Runs = {
  list(): Promise<readonly RunNotice[]>;
  get(run: string): Promise<RunNotice | undefined>;
  /** Announces a run, or says anew what it is. */
  put(notice: RunNotice): Promise<void>;
  /** Changes what is said of a run that is there. */
  update(run: string, change: Partial<RunNotice>): Promise<void>;
  remove(run: string): Promise<void>;
  /** Lets those who watch a run know something, such as why a worker does not take part. */
  tell(run: string, message: string): Promise<void>;
  told(run: string): Promise<readonly string[]>;
  close(): Promise<void>;
};

const byAge = (a: RunNotice, b: RunNotice): number => a.started - b.started;

/** The runs of a server. */
export const runsOn = (server: Server): Runs => {
  const jobs: Jobs<RunNotice, void> = server.jobs(RUNS);
  const jobOf = (run: string) => jobs.getJob(idOf(run));
  return {
    list: async () => (await jobs.getJobs(['waiting'])).map(({ data }) => data).sort(byAge),
    get: async (run) => (await jobOf(run))?.data,
    async put(notice) {
      const there = await jobOf(notice.run);
      if (there) await there.updateData(notice);
      else await jobs.add('run', notice, { jobId: idOf(notice.run) });
    },
    async update(run, change) {
      const there = await jobOf(run);
      if (there) await there.updateData({ ...there.data, ...change });
    },
    remove: async (run) => (await jobOf(run))?.remove(),
    tell: async (run, message) => void (await (await jobOf(run))?.log(message)),
    told: async (run) => (await jobs.getJobLogs(idOf(run))).logs,
    close: () => jobs.close(),
  };
};

/** The name of a queue of a run: the first is that of the chunks which need most memory. */
export const queueOf = (run: string, place: number): string => `tweedie-${run}${place === 0 ? '' : `-${place}`}`;

/** The queues of a run, in the order of its needs. */
export const chunkQueues = (
  server: Server,
  { run, needs }: Pick<RunNotice, 'run' | 'needs'>,
): readonly Jobs<ChunkJob, ChunkDone>[] => needs.map((_, place) => server.jobs(queueOf(run, place)));

export const closeAll = async (queues: readonly Pick<Jobs<ChunkJob, ChunkDone>, 'close'>[]): Promise<void> =>
  void (await Promise.allSettled(queues.map((jobs) => jobs.close())));

/** The run that a name, or the beginning of one, means. Throws ConfigError where there is none, or several. */
export const findRun = (runs: readonly RunNotice[], name: string, place: string): RunNotice => {
  const found = runs.filter(({ run }) => run.startsWith(name));
  const [only] = found;
  if (only && found.length === 1) return only;
  throw new ConfigError(
    place,
    `has ${found.length === 0 ? 'no' : `${found.length}`} run${found.length > 1 ? 's' : ''} called ${JSON.stringify(name)}.`,
    runs.length === 0
      ? 'No run is announced there: tweedie compare --queue starts one.'
      : suggest(
          name,
          runs.map(({ run }) => run),
        ),
  );
};
