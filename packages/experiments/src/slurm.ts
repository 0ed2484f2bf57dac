import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { ConfigError } from '@tweedie/core';
import { defaultFolder } from './compare.ts';
import { quote, textOf } from './plan/command.ts';
import { planRows, refuseImpossible } from './plan/rows.ts';
import { withStepFloor } from './plan/step-floor.ts';
import { childBytes, workIn, workSeconds } from './plan/workers.ts';
import { benchesOf, openWorkbench, type ExperimentSource, type Workbench } from './plan/workbench.ts';
import { readIndex } from './run/run-index.ts';
import { cellsIn } from './run/shards.ts';

export type SlurmOptions = Omit<ExperimentSource, 'recipe'> & {
  /** The recipe's file: every task of the job reads it. */
  readonly recipe: string;
  /** Run folder of the whole; default as in `compare`. */
  readonly out?: string | undefined;
  /** Tasks of the job array; default: from the work there is. */
  readonly tasks?: number | undefined;
  /** Tasks at a time at most; default 16. */
  readonly throttle?: number | undefined;
  /** CPUs of a task; default: 4, or the threads of a cell where these are more. */
  readonly cpus?: number | undefined;
  /** Time limit of a task, as Slurm reads it; default four hours. */
  readonly time?: string | undefined;
};

/** A job array and the job that merges what it draws, as files for `sbatch`. */
export type SlurmJob = {
  readonly tasks: number;
  readonly array: string;
  readonly merge: string;
  /** The name of both files without ending. */
  readonly name: string;
};

const MOST_TASKS = 64;
/** What a cluster allows unless it says otherwise: Slurm's default of MaxArraySize, less one. */
const USUAL_ARRAY = 1000;
/** Seconds of work that a task has at least: what a scheduler takes for it is then little. */
const LEAST_WORK = 600;
const CPUS = 4;
const THROTTLE = 16;
const TIME = '4:00:00';
/** Bytes of the process that stores what its child processes draw. */
const PARENT = 600e6;

/** The most tasks that this cluster takes in one array, where it can be asked. */
const arrayLimit = (): number => {
  try {
    const config = execFileSync('scontrol', ['show', 'config'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [, size] = /^MaxArraySize\s*=\s*(\d+)/m.exec(config) ?? [];
    return size === undefined ? USUAL_ARRAY : Math.max(1, Number(size) - 1);
  } catch {
    return USUAL_ARRAY;
  }
};

/** The share of the cells that the run folder lacks, where a run is in it. */
const missingShare = async (folder: string, warn: (message: string) => void): Promise<number> => {
  if (!existsSync(join(folder, 'run.json'))) return 1;
  const keys = new Set(readIndex(folder).rows.flatMap(({ cells }) => cells.flat()));
  const stored = await cellsIn(folder, warn);
  return [...keys].filter((key) => !stored.has(key)).length / Math.max(1, keys.size);
};

/** The arguments of `tweedie compare` for a shard. */
const compareCommand = (
  { recipe, overrides = {}, registries = [], localRegistries }: SlurmOptions,
  folder: string,
): string =>
  [
    'npx tweedie compare',
    quote(recipe),
    ...Object.entries(overrides).map(([name, value]) => `--${name} ${quote(textOf(value))}`),
    ...registries.map((file) => `--registry ${quote(file)}`),
    ...(localRegistries === false ? ['--no-local-registry'] : []),
    `--out ${quote(folder)}`,
  ].join(' ');

const positive = (value: number | undefined, name: string): void => {
  if (value !== undefined && !(Number.isInteger(value) && value >= 1))
    throw new ConfigError(name, `${value} is no number of them.`, 'Give a whole number from 1.');
};

const sizesOf = async (bench: Workbench, options: SlurmOptions, folder: string) => {
  const rows = planRows(bench);
  refuseImpossible(bench, rows);
  const { work, chunks } = workIn(bench, rows);
  const share = await missingShare(folder, bench.container.warn);
  const threads = Math.max(1, ...benchesOf(bench).map((own) => own.threads ?? 1));
  const cpus = options.cpus ?? Math.max(CPUS, threads);
  const workers = Math.max(1, Math.floor(cpus / threads));
  const enough = Math.ceil((share * workSeconds(work)) / workers / LEAST_WORK);
  const limit = arrayLimit();
  const tasks = options.tasks ?? Math.max(1, Math.min(Math.ceil(share * chunks), enough, MOST_TASKS, limit));
  if (tasks > limit)
    throw new ConfigError(
      '--tasks',
      `${tasks} tasks are asked for, this cluster takes ${limit} in an array.`,
      'Take fewer.',
    );
  const memory = Math.ceil((PARENT + workers * Math.max(...benchesOf(bench).map((own) => childBytes(own, 0)))) / 1e6);
  return { tasks, cpus, workers, memory };
};

/**
 * Writes a job array for Slurm, each task of which draws one shard of a recipe, and the job that merges them. Their
 * number follows from the cells that are missing and from the cost that the plan counts; nothing is timed or submitted.
 */
export const slurmJob = async (options: SlurmOptions): Promise<SlurmJob> => {
  for (const name of ['tasks', 'throttle', 'cpus'] as const) positive(options[name], `--${name}`);
  const { recipe, throttle = THROTTLE, time = TIME } = options;
  if (!/^\d+(-\d+)?(:\d+){0,2}$/.test(time))
    throw new ConfigError(
      '--time',
      `${JSON.stringify(time)} is no time limit.`,
      'Give hours:minutes:seconds, say 4:00:00.',
    );
  const opened = await openWorkbench(options);
  try {
    const bench = await withStepFloor(opened);
    const whole = resolve(options.out ?? defaultFolder(bench));
    const near = relative(process.cwd(), whole);
    const folder = near.startsWith('..') ? whole : near;
    const name = basename(recipe).replace(/\.\w+$/, '');
    const { tasks, cpus, workers, memory } = await sizesOf(bench, options, whole);
    const head = ['#!/bin/bash', `# ${recipe} in ${tasks} shards, written by tweedie slurm.`];
    const place = `cd ${quote(process.cwd())}`;
    const array = [
      ...head,
      `#SBATCH --job-name=${name}`,
      `#SBATCH --array=0-${tasks - 1}%${Math.min(throttle, tasks)}`,
      `#SBATCH --cpus-per-task=${cpus}`,
      `#SBATCH --mem=${memory}M`,
      `#SBATCH --time=${time}`,
      '#SBATCH --requeue',
      '#SBATCH --signal=B:USR1@60',
      '#SBATCH --open-mode=append',
      `#SBATCH --output=${name}-%A_%a.log`,
      '# Node must be found: load it here, for example "module load node". --mem is an estimate without the weights of',
      '# the model: add four times their size for each worker.',
      '# A process group for the command: npx does not tell it to stop.',
      'set -m',
      place,
      '',
      `${compareCommand(options, folder)} --workers ${workers} --shard "$SLURM_ARRAY_TASK_ID/${tasks}" &`,
      'work=$!',
      '# A minute before the time limit the task stops and goes back into the queue: what has finished is kept.',
      'stopped=0',
      `trap 'stopped=1; kill -TERM -- -"$work"' USR1`,
      'wait "$work"; code=$?',
      'if [ "$stopped" = 1 ]; then',
      '  while kill -0 -- -"$work" 2>/dev/null; do sleep 0.2; done',
      '  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"',
      'fi',
      'exit "$code"',
      '',
    ].join('\n');
    const merge = [
      '#!/bin/bash',
      `# Makes one run of the shards of ${recipe}, and says what is missing.`,
      `#SBATCH --job-name=${name}-merge`,
      '#SBATCH --cpus-per-task=1',
      '#SBATCH --mem=2000M',
      '#SBATCH --time=1:00:00',
      `#SBATCH --output=${name}-merge-%j.log`,
      place,
      '',
      `npx tweedie merge ${quote(folder)}-shard-*-of-${tasks} --out ${quote(folder)}`,
      '',
    ].join('\n');
    return { tasks, array, merge, name };
  } finally {
    opened.dispose();
  }
};
