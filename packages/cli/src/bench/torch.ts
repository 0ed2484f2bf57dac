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
  dispose(): void;
}

/**
 * Settings of glibc that let PyTorch keep its memory from call to call, as ONNX Runtime does. Without them large
 * blocks are handed back and asked for anew, in fresh pages, which can cost several times the computing. What the
 * user has set stays.
 */
const keepMemory = { MALLOC_MMAP_MAX_: '0', MALLOC_TRIM_THRESHOLD_: '100000000000', MALLOC_ARENA_MAX: '1' };
/** How PyTorch treats its memory: as it is installed, or told to keep it. */
export type TorchMemory = 'installed' | 'kept';

/** Starts `script` in a Python and sends it `task` as JSON; it answers { version, modes } when it is ready. */
export async function torchProcess(
  python: string,
  script: string,
  task: object,
  memory: TorchMemory = 'kept',
): Promise<TorchProcess> {
  const child = spawn(python, [fileURLToPath(new URL(script, import.meta.url))], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...(memory === 'kept' && keepMemory), TORCH_CPP_LOG_LEVEL: 'ERROR', ...process.env },
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
    child.on('exit', (code) => give(complaints.trim().split('\n').at(-1) ?? `it ended with ${code}`));
  });
  failed.catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await Promise.race([lines.next(), failed]);
    return line.done === true ? failed : line.value;
  };

  child.stdin.write(`${JSON.stringify(task)}\n`);
  const { version, modes } = JSON.parse(await next()) as { version: string; modes: string[] };
  return {
    version,
    modes,
    async run(mode) {
      child.stdin.write(`${mode}\n`);
      await next();
    },
    dispose: () => void child.kill(),
  };
}
