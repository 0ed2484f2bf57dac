// The command in processes of its own, as on several machines, and what a run folder holds in the end.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openResults, type ExperimentInput } from '@tweedie/experiments';

const bin = fileURLToPath(new URL('../../cli/bin/tweedie.js', import.meta.url));

export type Machine = {
  readonly process: ChildProcess;
  /** All that it has printed. */
  log(): string;
  /** Waits for its end; gives its exit code, null where a signal ended it. */
  ended(): Promise<number | null>;
  kill(): Promise<void>;
};

const running = new Set<ChildProcess>();
/** Ends whatever a test has left running. */
export const endAll = (): void => {
  for (const child of running) child.kill('SIGKILL');
};
process.on('exit', endAll);

/** `within`: a command in front, such as that of a network namespace. */
export const tweedie = (
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  within: readonly string[] = [],
): Machine => {
  const [program = '', ...given] = [...within, process.execPath, bin, ...args];
  const child = spawn(program, given, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let text = '';
  const take = (part: Buffer): void => void (text += part.toString());
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const end = new Promise<number | null>((resolve) =>
    child.on('close', (code) => {
      running.delete(child);
      resolve(code);
    }),
  );
  return {
    process: child,
    log: () => text,
    ended: () => end,
    async kill() {
      child.kill('SIGKILL');
      await end;
    },
  };
};

/** Waits until something holds. */
export const until = async (
  what: string,
  holds: () => boolean | Promise<boolean>,
  machines: readonly Machine[] = [],
) => {
  for (let left = 1200; left > 0; left--) {
    if (await holds()) return;
    await pause(50);
  }
  throw new Error(`waited a minute in vain until ${what}\n${machines.map((machine) => machine.log()).join('\n---\n')}`);
};

/** A small comparison of nine chunks, of which one row diverges; `steps` make it longer. */
export const recipe = (steps: number): ExperimentInput => ({
  model: {
    id: 'gmm',
    options: {
      shape: [1, 2, 1],
      means: [
        [-1, 0],
        [1, 0],
      ],
      variances: [0.1, 0.2],
    },
  },
  images: { from: 'prior', count: 6 },
  operators: ['identity'],
  sigmaY: 0.2,
  methods: ['exact', 'dps', { id: 'dps', label: 'too strong', options: { scale: 1e30 } }],
  scheduler: { id: 'ddpm', options: { steps } },
  metrics: ['psnr'],
  engine: 'eager',
  chunk: 2,
  trace: 3,
});

/** Everything of a run that may not depend on where it was drawn: bits of samples, failures, scores, traces. */
export const contentOf = async (folder: string): Promise<readonly unknown[]> => {
  const results = await openResults(folder);
  try {
    const index = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as {
      readonly metrics: readonly { readonly key: string }[];
    };
    const cells = [...(await results.cells()).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    const scores = await Promise.all(
      [...index.metrics.map(({ key }) => key), 'misfit'].map(async (metric) => await results.scores(metric)),
    );
    const traces = join(folder, 'traces');
    return [
      ...cells.map(({ key, label, image, sample, cost, chunk, sampleHash, failure }) => ({
        key,
        label,
        image,
        sample,
        cost,
        chunk,
        sampleHash,
        failure,
        scores: scores.map((all) => all.get(key)),
      })),
      ...(existsSync(traces) ? readdirSync(traces).sort() : []).map((name) => [
        name,
        readFileSync(join(traces, name), 'hex'),
      ]),
    ];
  } finally {
    results.close();
  }
};

/** When each cell was drawn. */
export const startsOf = async (folder: string): Promise<ReadonlyMap<string, Date>> => {
  const results = await openResults(folder);
  try {
    return new Map([...(await results.cells())].map(([key, { started }]) => [key, started]));
  } finally {
    results.close();
  }
};
