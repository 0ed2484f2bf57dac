/** What a queue costs: chunks that draw nothing, from the side that compares through server and store and back. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '@tweedie/core';
import { lostResult } from '@tweedie/experiments';
import { queueAddress } from './address.ts';
import { emptyPlan, emptyTasks, PROBLEM } from './bench-plan.ts';
import type { ChunkDone, ChunkJob } from './chunk-job.ts';
import { LOCK, openServer, reachServer, type Jobs } from './connection.ts';
import { drawOnQueue } from './coordinator.ts';
import { problemPath } from './coordinator-store.ts';
import { encodeResult, resultKey } from './result-codec.ts';
import { queueOf, runsOn } from './runs.ts';
import { openStoreAt } from './stores/open-store.ts';

export type QueueBench = {
  readonly place: string;
  readonly rows: readonly {
    readonly chunks: number;
    readonly seconds: number;
    /** Milliseconds of one core for a chunk: of the side that compares and of the worker together. */
    readonly cpuPerChunk: number;
    /** Milliseconds of a core of the server for a chunk; null where it does not tell. */
    readonly serverPerChunk: number | null;
    /** Megabytes that the server holds for all that wait; null where it does not tell. */
    readonly megabytes: number | null;
  }[];
};

const measure = async (queue: string, chunks: number): Promise<QueueBench['rows'][number]> => {
  const folder = temporaryFolder('bench-queue');
  await mkdir(dirname(problemPath(folder, PROBLEM)), { recursive: true });
  await writeFile(problemPath(folder, PROBLEM), '');
  const server = await openServer(queueAddress(queue));
  const runs = runsOn(server);
  const plan = emptyPlan(folder);
  const tasks = emptyTasks(chunks);
  const facts = () => reachServer(queueAddress(queue));
  const memory = async (): Promise<number | null> => (await facts()).bytes ?? null;
  const { bytes: before = null, cpuSeconds: worked = null } = await facts();
  let full: number | null = null;
  let taken = 0;
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const address = join(folder, 'store');
  const drawn = drawOnQueue({ queue, store: address })(plan, {
    settings: [{ family: '', tasks }],
    onStep: () => undefined,
    onResult: () => Promise.resolve(void taken++),
    warn: () => undefined,
    tell: () => undefined,
  });
  try {
    const own = async (): Promise<string> => {
      let jobs: Jobs<ChunkJob, ChunkDone> | undefined;
      for (;;) {
        const mine = (await runs.list()).find((notice) => notice.store === address);
        if (mine) jobs ??= server.jobs(queueOf(mine.run, 0));
        const waiting = (await jobs?.getJobCounts('waiting'))?.['waiting'];
        if (mine && waiting === chunks) return mine.run;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const run = await Promise.race([own(), drawn.then(() => '')]);
    full = await memory();
    const store = await openStoreAt(address, '', {});
    const draw = async ({ data: { task } }: { readonly data: ChunkJob }): Promise<ChunkDone> => {
      const key = resultKey(plan, task);
      if (!(await store.has(key)))
        await store.put(key, encodeResult({ ...lostResult(plan.setup, task, '', undefined), samples: [] }));
      return { worker: 'bench', processor: '', seconds: 0 };
    };
    const taker = server.taker<ChunkJob, ChunkDone>(queueOf(run, 0), draw, { name: 'bench', slots: 8, lock: LOCK });
    await drawn;
    await taker.close();
    const { user, system } = process.cpuUsage(cpu);
    const { cpuSeconds: ended = null } = await facts();
    return {
      chunks: taken,
      serverPerChunk: worked === null || ended === null ? null : (1000 * (ended - worked)) / chunks,
      seconds: (performance.now() - started) / 1000,
      cpuPerChunk: (user + system) / 1000 / chunks,
      megabytes: before === null || full === null ? null : (full - before) / 1e6,
    };
  } finally {
    await runs.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
};

/** Measures numbers of chunks one after the other, after a few that warm up. */
export const benchQueue = async (
  queue: string,
  numbers: readonly number[],
  onProgress: (line: string) => void,
): Promise<QueueBench> => {
  const { place } = queueAddress(queue);
  await measure(queue, 50);
  const rows: QueueBench['rows'][number][] = [];
  for (const chunks of numbers) {
    onProgress(`${chunks} chunks through ${place}`);
    rows.push(await measure(queue, chunks));
  }
  return { place, rows };
};
