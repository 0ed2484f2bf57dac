/** Many workers at one server, which take chunks but draw nothing: where it is full, and what those cost that wait. */
import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigError } from '@tweedie/core';
import { lostResult, type ChunkPlan, type ChunkTask } from '@tweedie/experiments';
import { queueAddress } from './address.ts';
import { emptyPlan, emptyTasks, PROBLEM } from './bench-plan.ts';
import { CONNECTIONS, openServer, reachServer, type Server } from './connection.ts';
import { drawOn, planKeyOf, runName } from './coordinator.ts';
import type { OwnStore } from './coordinator-store.ts';
import { needsOf } from './needs.ts';
import { encodeResult } from './result-codec.ts';
import { chunkQueues, closeAll, runsOn } from './runs.ts';

/** What a child process is told: to be so many workers of a queue. */
export type Crowd = {
  readonly queue: string;
  readonly run: string;
  readonly plan: ChunkPlan;
  readonly workers: number;
};

type WorkersRow = {
  readonly workers: number;
  readonly chunks: number;
  /** Connections of the server while all are there, without those of the bench. */
  readonly connections: number | null;
  /** Seconds until all workers, started at once, are at work. */
  readonly arrival: number;
  /** Share of one core of the server while they wait and nothing is to be done. */
  readonly idle: number | null;
  /** Chunks a second: that workers finished, and that the side which compares had taken. */
  readonly drawn: number;
  readonly taken: number;
  /** Shares of one core meanwhile: of the server, and of the process that compares. */
  readonly server: number | null;
  readonly compares: number;
  /** Milliseconds of a core of the server for a chunk. */
  readonly serverPerChunk: number | null;
  /** Megabytes that the server holds for the workers. */
  readonly megabytes: number | null;
};

export type WorkersBench = { readonly place: string; readonly rows: readonly WorkersRow[] };

/** Workers in one process: more would wait for each other. */
const CROWD = 250;
/** Chunks for each worker, and at least. */
const [EACH, LEAST] = [8, 2000];
/** Milliseconds that waiting workers are watched. */
const WATCH = 5000;
const ADDRESS = 'bench';

const file = import.meta.url.endsWith('.ts')
  ? new URL('./bench-child.ts', import.meta.url)
  : new URL('./bench-child.js', import.meta.url);

/** Starts workers, and waits until all are at work. */
const crowdsOf = async (crowd: Crowd, children: ChildProcess[]): Promise<void> => {
  const loader = process.env['TWEEDIE_LOADER'];
  const starts: Promise<void>[] = [];
  for (let left = crowd.workers; left > 0; left -= CROWD) {
    const execArgv = [...process.execArgv, ...(loader === undefined ? [] : ['--import', loader])];
    const child = fork(file, [], { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    children.push(child);
    const own: Crowd = { ...crowd, workers: Math.min(left, CROWD) };
    starts.push(
      new Promise<void>((resolve, reject) => {
        child.once('exit', () => reject(new Error('a process of workers ended.')));
        // It says when it has read its code, and then when all are at work: what comes before hangs Node 20 at times.
        child.once('message', () => {
          child.once('message', () => resolve());
          child.send(own);
        });
      }),
    );
  }
  await Promise.all(starts);
};

/** Ends a process of workers; the next ones count the connections without its own. */
const endOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.removeAllListeners('exit').once('exit', () => resolve());
    child.kill('SIGKILL');
  });

/** Resolves when no chunk of the queues waits or is at work, after some did. */
const untilDrawn = async (server: Server, run: string, needs: readonly number[], over: AbortSignal): Promise<void> => {
  const queues = chunkQueues(server, { run, needs });
  try {
    for (let seen = false; !over.aborted;) {
      let open = 0;
      for (const jobs of queues) {
        const { waiting = 0, active = 0 } = await jobs.getJobCounts('waiting', 'active');
        open += waiting + active;
      }
      if (seen && open === 0) return;
      seen ||= open > 0;
      await pause(20);
    }
  } finally {
    await closeAll(queues);
  }
};

/** A store in which every result is, and nothing is stored: what is measured is the queue. */
const everything = (plan: ChunkPlan, task: ChunkTask): OwnStore => {
  const result = encodeResult({ ...lostResult(plan.setup, task, '', undefined), samples: [] });
  return {
    address: ADDRESS,
    token: '',
    store: {
      place: ADDRESS,
      has: () => Promise.resolve(true),
      put: () => Promise.resolve(),
      get: () => Promise.resolve(result),
      list: (prefix) => Promise.resolve(prefix === 'problems/' ? [`problems/${PROBLEM}`] : []),
    },
    close: () => Promise.resolve(),
  };
};

const measure = async (
  queue: string,
  workers: number,
  watch: number,
  facts: ChunkPlan['facts'],
): Promise<WorkersRow> => {
  const address = queueAddress(queue);
  const before = await reachServer(address);
  const room = (before.mostConnections ?? Infinity) - (before.connections ?? 0);
  if (room < CONNECTIONS * workers + 10)
    throw new ConfigError(
      address.place,
      `takes ${room} connections more, and ${workers} workers need ${CONNECTIONS} each.`,
      'Raise maxclients, and the open files that its process may have (ulimit -n), or take fewer workers.',
    );
  const plan: ChunkPlan = { ...emptyPlan(`bench-${randomUUID()}`), facts };
  const chunks = Math.max(LEAST, EACH * workers);
  const tasks = emptyTasks(chunks);
  const [first] = tasks;
  if (first === undefined) throw new RangeError('a bench has chunks.');
  const server = await openServer(address);
  const runs = runsOn(server);
  const [run, needs] = [runName(plan, ADDRESS), needsOf(plan)];
  const children: ChildProcess[] = [];
  try {
    // Announced before there is anything to do, so that all are there when it comes.
    const none = { chunks: 0, done: 0, before: 0, started: Date.now(), seen: Date.now() };
    const names = { run, title: plan.title, store: ADDRESS, token: '', plan: planKeyOf(plan), host: hostname(), needs };
    await runs.put({ ...names, ...none });
    const started = performance.now();
    await crowdsOf({ queue, run, plan, workers }, children);
    const arrival = (performance.now() - started) / 1000;
    const there = await reachServer(address);
    await pause(watch);
    const waited = await reachServer(address);

    let taken = 0;
    const over = new AbortController();
    const [begun, cpu] = [performance.now(), process.cpuUsage()];
    const drawn = untilDrawn(server, run, needs, over.signal).then(() => performance.now() - begun);
    await drawOn(
      plan,
      {
        settings: [{ family: '', tasks }],
        onStep: () => undefined,
        onResult: () => Promise.resolve(void taken++),
        warn: () => undefined,
        tell: () => undefined,
      },
      { queue },
      () => Promise.resolve(everything(plan, first)),
    );
    const [seconds, own] = [(performance.now() - begun) / 1000, process.cpuUsage(cpu)];
    const after = await reachServer(address);
    over.abort();
    const spent = (from: typeof before, to: typeof before): number | null =>
      from.cpuSeconds === undefined || to.cpuSeconds === undefined ? null : to.cpuSeconds - from.cpuSeconds;
    const [idle, busy] = [spent(there, waited), spent(waited, after)];
    return {
      workers,
      chunks: taken,
      connections:
        waited.connections === undefined || before.connections === undefined
          ? null
          : waited.connections - before.connections - 1,
      arrival,
      idle: idle === null ? null : (1000 * idle) / watch,
      drawn: (1000 * chunks) / (await drawn),
      taken: chunks / seconds,
      server: busy === null ? null : busy / seconds,
      compares: (own.user + own.system) / 1e6 / seconds,
      serverPerChunk: busy === null ? null : (1000 * busy) / chunks,
      megabytes: waited.bytes === undefined || before.bytes === undefined ? null : (waited.bytes - before.bytes) / 1e6,
    };
  } finally {
    await Promise.all(children.map(endOf));
    await runs.remove(run).catch(() => undefined);
    await runs.close();
    await server.close();
  }
};

/** Measures numbers of workers one after the other; waiting ones are watched for `watch` milliseconds. */
export const benchWorkers = async (
  queue: string,
  numbers: readonly number[],
  onProgress: (line: string) => void,
  watch = WATCH,
): Promise<WorkersBench> => {
  const { place } = queueAddress(queue);
  const { codeHere } = await import('@tweedie/experiments');
  const facts = await codeHere({ folder: '.', pluginFiles: [] }, [], 'bench');
  const rows: WorkersRow[] = [];
  for (const workers of numbers) {
    onProgress(`${workers} workers at ${place}`);
    rows.push(await measure(queue, workers, watch, facts));
  }
  return { place, rows };
};
