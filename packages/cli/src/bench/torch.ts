import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ConfigError } from '@tweedie/core';

/**
 * A Python process with PyTorch that runs one of our small scripts on demand: one line in (a mode), one line out
 * (done).
 */
export interface TorchProcess {
  readonly version: string;
  readonly modes: readonly string[];
  run(mode: string): Promise<void>;
  /** Runs a mode and gives what it answers in place of done. */
  ask(mode: string): Promise<string>;
  dispose(): void;
}

/**
 * Settings of glibc that let PyTorch keep its memory from call to call, as ONNX Runtime does. Without them large
 * blocks are handed back and asked for anew, in fresh pages, which can cost several times the computing. What the
 * user has set stays.
 */
const keepMemory = { MALLOC_MMAP_MAX_: '0', MALLOC_TRIM_THRESHOLD_: '100000000000', MALLOC_ARENA_MAX: '1' };
/**
 * Threads of OpenMP sleep while they wait, once they have looked so many times, some 50 microseconds, as ours do. As
 * installed they spin: on a machine that does anything else, one that spins holds the core that the other one needs,
 * and a training step took 90 times as long; with threads that sleep at once 1.6 times. What the user has set stays.
 */
const sleepingThreads = { OMP_WAIT_POLICY: 'PASSIVE', GOMP_SPINCOUNT: '5000' };
/** How PyTorch treats its memory: as it is installed, or told to keep it. */
export type TorchMemory = 'installed' | 'kept';

/**
 * Starts `script` in a Python and sends it `task` as JSON; it answers { version, modes } when it is ready. `threads`
 * says whether those of OpenMP spin while they wait, as installed, or sleep.
 */
export async function torchProcess(
  python: string,
  script: string,
  task: object,
  memory: TorchMemory = 'kept',
  threads: 'spinning' | 'sleeping' = 'spinning',
): Promise<TorchProcess> {
  const child = spawn(python, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...(memory === 'kept' && keepMemory),
      ...(threads === 'sleeping' && sleepingThreads),
      TORCH_CPP_LOG_LEVEL: 'ERROR',
      ...process.env,
    },
  });
  // The end is enough: on some machines torch warns at every convolution.
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4096)));
  const failed = new Promise<never>((_, reject) => {
    const give = (why: string) =>
      reject(
        new ConfigError(
          'bench --torch',
          `${python}: ${why}.`,
          'Name a Python that has torch, for example one of a virtual environment.',
        ),
      );
    child.on('error', (error) => give(error.message));
    child.on('exit', (code) => give(complaints.trim().split('\n').at(-1) || `it ended with ${code}`));
  });
  failed.catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await Promise.race([lines.next(), failed]);
    return line.done === true ? failed : line.value;
  };

  const ask = (mode: string): Promise<string> => {
    child.stdin.write(`${mode}\n`);
    return next();
  };

  // A Python that ends before it has read its task is told of by its end.
  child.stdin.on('error', () => undefined);
  child.stdin.write(`${JSON.stringify(task)}\n`);
  const { version, modes } = JSON.parse(await next()) as { version: string; modes: string[] };
  return {
    version,
    modes,
    run: async (mode) => void (await ask(mode)),
    ask,
    dispose: () => void child.kill(),
  };
}
