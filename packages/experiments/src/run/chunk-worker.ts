/** The parent's side of one child process that draws chunks. */
import { fork, type ChildProcess } from 'node:child_process';
import type { ChunkResult, ChunkTask } from './chunk.ts';
import type { Asked, Told } from './chunk-messages.ts';
import type { ChunkWatch } from './chunk-runner.ts';
import type { ChunkFacts, ChunkSetup } from './chunk-setup.ts';
import { errorOf } from './told-error.ts';

/** A child process ended by itself: it was killed, or crashed. */
export class WorkerEnded extends Error {
  override readonly name = 'WorkerEnded';
  /** The signal that ended it, or its exit code. */
  readonly by: string;
  /** Steps of the task that were done, of all, and resident memory in bytes, as it last told. */
  readonly last: { readonly done: number; readonly total: number; readonly memory: number } | undefined;
  constructor(by: string, last: WorkerEnded['last']) {
    super(`a child process ended (${by}).`);
    this.by = by;
    this.last = last;
  }
}

export type ChunkWorker = {
  readonly pid: number | undefined;
  /** Makes what tasks are drawn from, and tells what it is. Rejects with what a plugin throws, and with WorkerEnded. */
  setUp(setup: ChunkSetup): Promise<ChunkFacts>;
  /** Draws a task; one at a time. Rejects like `setUp`. */
  draw(task: ChunkTask, onStep?: ChunkWatch['onStep']): Promise<ChunkResult>;
  /** Ends the process at once, whatever it does. */
  kill(): void;
};

/** What the child runs: the source, or what was built of it. */
const file = import.meta.url.endsWith('.ts')
  ? new URL('./chunk-child.ts', import.meta.url)
  : new URL('./chunk-child.js', import.meta.url);

/** Options of node that concern the one process that they were given to. */
const OWN = /^--(inspect|eval|print|test|watch|input-type|check|cpu-prof|heap-prof|prof)\b|^-[ecp]$|^-pe$/;

/**
 * Options for the child: those of this process and, where the command has registered how modules are found, what
 * TWEEDIE_LOADER names, which does it again.
 */
const nodeOptions = (): readonly string[] => {
  const loader = process.env['TWEEDIE_LOADER'];
  const all = process.execArgv;
  const kept = all.filter((option, i) => !OWN.test(option) && !/^(-[ep]|-pe|--eval|--print)$/.test(all[i - 1] ?? ''));
  return [...kept, ...(loader === undefined ? [] : ['--import', loader])];
};

/** Starts a child process. `warn` gets what plugins say in it. */
export const startWorker = (warn: (message: string) => void): ChunkWorker => {
  const child: ChildProcess = fork(file, [], {
    serialization: 'advanced',
    execArgv: [...nodeOptions()],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let waiting: { resolve(told: Told): void; reject(error: Error): void } | undefined;
  let step: ChunkWatch['onStep'];
  let last: WorkerEnded['last'];
  let ended: WorkerEnded | undefined;
  const kill = (): void => void child.kill('SIGKILL');
  const end = (by: string): void => {
    process.off('exit', kill);
    ended ??= new WorkerEnded(by, last);
    waiting?.reject(ended);
    waiting = undefined;
  };
  // A parent that ends takes its children along.
  process.on('exit', kill);
  child.on('message', (told: Told) => {
    if (told.kind === 'warning') warn(told.message);
    else if (told.kind === 'step') {
      last = told;
      step?.(told.done, told.total);
    } else {
      waiting?.resolve(told);
      waiting = undefined;
    }
  });
  child.on('error', (error) => end(error.message));
  child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));

  const ask = async (asked: Asked): Promise<Told> => {
    if (ended) throw ended;
    last = undefined;
    const told = await new Promise<Told>((resolve, reject) => {
      waiting = { resolve, reject };
      // Where the process has ended meanwhile, the event "exit" says so.
      child.send(asked, () => undefined);
    });
    if (told.kind === 'error') throw errorOf(told.error);
    return told;
  };
  return {
    pid: child.pid,
    async setUp(setup) {
      const told = await ask({ kind: 'setup', setup });
      if (told.kind !== 'ready') throw new Error(`a child process answered ${told.kind} to a setup.`);
      return told.facts;
    },
    async draw(task, onStep) {
      step = onStep;
      const told = await ask({ kind: 'draw', task });
      step = undefined;
      if (told.kind !== 'result') throw new Error(`a child process answered ${told.kind} to a task.`);
      return told.result;
    },
    kill,
  };
};
