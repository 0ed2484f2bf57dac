/** In which processes the cells of a run are drawn. The numbers do not depend on it. */
import { availableParallelism } from 'node:os';
import { ConfigError } from '@tweedie/core';
import { plural } from '../machine/text-table.ts';
import type { PlannedRow } from './rows.ts';
import { benchesOf, type Workbench } from './workbench.ts';

/** How many child processes, 0 for this very process, and why. */
export type Workers = { readonly count: number; readonly why: string };

/** The most child processes that may be asked for. */
const MOST = 1024;
/**
 * Network calls times entries of an image below which a prior in closed form is drawn from in this process: a second,
 * which is what a child process takes to start. Its steps are short, so that Ctrl-C stops between them.
 */
const SMALL = 10_000_000;
/** The same for which a further child process is started: some 10 seconds of one thread with the network that ships. */
const SHARE = 30_000_000;
/** Bytes of a child process without weights, of each byte of weights, and of each entry of a chunk. */
const BYTES = { process: 300e6, weights: 4, entry: 2000 };
/** The share of the memory that is available that child processes may take. */
const MEMORY = 0.8;

/** Cost of one sample in network forwards, a vjp counted as two; one for each step where no network is called. */
export const equivalentsOf = ({ cost, method }: Pick<PlannedRow, 'cost' | 'method'>): number =>
  Math.max(method.steps.length, cost.forwards + 2 * cost.vjps);

/** Network calls times entries of an image, and chunks, of all rows that can run. */
export const workIn = (
  bench: Workbench,
  rows: readonly PlannedRow[],
): { readonly work: number; readonly chunks: number } => {
  let [work, chunks] = [0, 0];
  for (const { model, chunk, positions } of benchesOf(bench)) {
    const [height, width, channels] = model.imageShape;
    const each = Math.ceil((positions.length * bench.experiment.samples) / chunk);
    for (const row of rows) {
      if (row.impossible !== undefined) continue;
      chunks += each;
      work += each * chunk * equivalentsOf(row) * height * width * channels;
    }
  }
  return { work, chunks };
};

/** Seconds that so much work is on one thread, as far as that can be said without running it. */
export const workSeconds = (work: number): number => (work / SHARE) * 10;

/** Plugins whose steps are known to be short: those that come with Tweedie. */
const isShipped = ({ registry, experiment }: Workbench): boolean =>
  [
    registry.find('model', experiment.model.id),
    ...experiment.operators.map(({ id }) => registry.find('operator', id)),
    ...experiment.methods.flatMap(({ id, scheduler }) => [
      registry.find('guidance', id),
      registry.find('scheduler', scheduler.id),
    ]),
    ...experiment.metrics.map(({ id }) => registry.find('metric', id)),
  ].every((manifest) => manifest.package.startsWith('@tweedie/'));

/** Bytes that a child process takes, as far as is known. */
export const childBytes = ({ model, chunk }: Workbench, weights: number): number =>
  BYTES.process + BYTES.weights * weights + BYTES.entry * chunk * model.imageShape.reduce((a, b) => a * b);

/**
 * The child processes of a run. Asked for, they are so many; else they follow from the threads of a cell, the cores and
 * the memory of this machine, and the work there is. `weights` are the bytes of the model, once it is loaded.
 */
export const workersFor = (
  bench: Workbench,
  rows: readonly PlannedRow[],
  { asked, weights = 0 }: { readonly asked?: number | undefined; readonly weights?: number } = {},
): Workers => {
  if (asked !== undefined) return { count: asked, why: 'as asked' };
  const { work, chunks } = workIn(bench, rows);
  if (bench.model.mixture !== undefined && work < SMALL && isShipped(bench))
    return { count: 0, why: 'a process of its own takes longer to start than the run' };
  const threads = benchesOf(bench).map((own) => own.threads);
  const cores = availableParallelism();
  if (threads.includes(undefined)) return { count: 1, why: 'the engine has its own threads, or another device' };
  const most = Math.min(cores, Math.max(1, ...threads.map((each) => each ?? 1)));
  const limits = [
    [Math.floor(cores / most), `${plural(cores, 'core')} for ${plural(most, 'thread')} each`],
    [chunks, `${plural(chunks, 'chunk')}`],
    [Math.ceil(work / SHARE), 'a small run'],
    [
      Math.floor(
        (MEMORY * process.availableMemory()) / Math.max(...benchesOf(bench).map((own) => childBytes(own, weights))),
      ),
      'the memory that is free',
    ],
  ] as const;
  const count = Math.max(1, Math.min(...limits.map(([limit]) => limit)));
  return { count, why: limits.find(([limit]) => Math.max(1, limit) === count)?.[1] ?? '' };
};

/** Refuses numbers of child processes that cannot be; `where` names what was given. */
export const checkWorkers = (workers: number | undefined, where = 'workers'): void => {
  if (workers === undefined || (Number.isInteger(workers) && workers >= 0 && workers <= MOST)) return;
  throw new ConfigError(
    where,
    `${workers} is no number of child processes.`,
    `Give a whole number from 0, which draws in this process, to ${MOST}.`,
  );
};

/** The child processes as the plan shows them. */
export const showWorkers = (bench: Workbench, { count, why }: Workers): string => {
  const threads = [...new Set(benchesOf(bench).map((own) => own.threads))];
  const each = threads.some((one) => one === undefined)
    ? ''
    : `, ${threads.join(' or ')} thread${threads.join() === '1' ? '' : 's'} for a cell`;
  return count === 0
    ? `Drawn in this process (${why}); --workers n draws in child processes${each}.`
    : `Drawn in ${count === 1 ? 'a child process' : `${count} child processes`} (${why})${each}; --workers n is another number, the results are the same.`;
};
