import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { bindableRows } from './run/bindable.ts';
import { commandOf, quote } from './plan/command.ts';
import { comparisonJson, type ComparisonJson } from './results/comparison-json.ts';
import { comparisonTable } from './results/comparison-table.ts';
import { completeModes } from './run/complete-modes.ts';
import { drawAndScore } from './run/draw-and-score.ts';
import { freeEnergyTables, freeEnergyText } from './results/free-energy.ts';
import { identify } from './run/identity.ts';
import { imageRange, makeMetrics } from './run/image-range.ts';
import { isDropped, planRows, refuseImpossible, type PlannedRow } from './plan/rows.ts';
import { withStepFloor } from './plan/step-floor.ts';
import { engineOn } from './plan/threads.ts';
import { checkWorkers, workersFor } from './plan/workers.ts';
import type { DrawElsewhere } from './run/elsewhere.ts';
import { prepareRun } from './run/prepare.ts';
import type { Watch } from './machine/progress.ts';
import { reportData } from './report/collect.ts';
import { missingRun, readIndex, titleIn, writeIndex, type IndexRow, type RunIndex } from './run/run-index.ts';
import { openResults, type Results } from './run/results.ts';
import { cellsIn, cellsOfShard, parseShard, shardFolder, type Shard } from './run/shards.ts';
import { openStore } from './run/store.ts';
import { crewOf } from './run/crew.ts';
import type { Run } from './run/runner.ts';
import { nothingSound, summariseRun, type Failure } from './results/summary.ts';
import { openWorkbench, type ExperimentSource, type Workbench } from './plan/workbench.ts';
import { checkPlace, writeWhole } from '@tweedie/files';

export type CompareOptions = ExperimentSource &
  Watch & {
    /**
     * Run folder; default `runs/<name of the recipe>-<hash>` in the working folder, so that the same command resumes.
     */
    readonly out?: string;
    /**
     * Child processes that draw the cells; 0 draws in this one. Default: what the plan says. The numbers do not depend
     * on it.
     */
    readonly workers?: number | undefined;
    /** Draws the cells in place of this process and its children, on other machines say. */
    readonly elsewhere?: DrawElsewhere | undefined;
    /**
     * `i/n`: draws one of n parts of equal cost of what the run folder lacks, into a folder of its own beside it, for
     * `merge`. Which cells are in a part follows from recipe and run folder alone.
     */
    readonly shard?: string | undefined;
  };

/** A run, as a program, a terminal and a browser show it. */
export type Comparison = {
  readonly json: ComparisonJson;
  /** The tables for a terminal. */
  readonly table: string;
  /** Path of the HTML report. */
  readonly report: string;
  readonly failures: readonly Failure[];
  /** The closing sentence of a run whose every sample failed. */
  readonly failed?: string;
};

/**
 * Warns where the folder holds the run of another recipe: samples may share it, kept by what they depend on, but
 * table and report are those of the last one.
 */
const tellOther = (folder: string, { title }: RunIndex, warn: (message: string) => void): void => {
  const before = titleIn(folder);
  if (before === undefined || before === title) return;
  warn(
    `[${folder}] is the run folder of ${JSON.stringify(before)}. Its samples are kept, but the report there is now that of ${JSON.stringify(title)}; with another --out each has its own.`,
  );
};

const PAGE = 'report.html';
const OTHER_PAGE = 'Say with --out where the page is to go, for example --out report.html.';

/** Tables of what is stored, and the report at `path`. */
export const present = async (index: RunIndex, results: Results, path: string, watch: Watch): Promise<Comparison> => {
  const rows = await summariseRun(index, results);
  // The plotting library takes a second to load: only those who draw a report wait for it.
  const { renderReport } = await import('./report/render.ts');
  const freeEnergy = await freeEnergyTables(index, results);
  writeWhole(path, renderReport({ ...(await reportData(index, rows, results, watch)), freeEnergy }));
  const json = comparisonJson(results.folder, path, index, rows, freeEnergy);
  const table = [comparisonTable(index, rows), ...(freeEnergy.length > 0 ? [freeEnergyText(freeEnergy)] : [])].join(
    '\n\n',
  );
  const failed = nothingSound(rows);
  return { json, table, report: path, failures: json.failures, ...(failed === undefined ? {} : { failed }) };
};

/**
 * The run folder unless one is given, the same for the same question: methods, metrics, images and samples may be
 * added to it.
 */
export const defaultFolder = ({ recipe, experiment, chunk }: Workbench): string => {
  const { model, images, operators, sigmaY, poisson, scheduler, engine, seed, budget } = experiment;
  const question = {
    model,
    dataset: images.dataset,
    measurements: images.measurements,
    ...(images.measured ? { measured: true } : {}),
    offset: images.offset,
    operators: operators.map(({ id, options }) => ({ id, options })),
    sigmaY,
    ...(poisson === undefined ? {} : { poisson }),
    ...(budget === undefined ? {} : { budget }),
    scheduler,
    engine,
    seed,
    chunk,
  };
  return join('runs', `${recipe.name}-${identify(question).slice(0, 8)}`);
};

/** A row of the index, without cells where it cannot run after all. */
const withReason = (row: IndexRow, reason: string | undefined): IndexRow =>
  reason === undefined ? row : { ...row, cells: [], skipped: reason };

const runExperiment = async (
  bench: Workbench,
  asked: readonly PlannedRow[],
  {
    store,
    command,
    watch,
    onlyOf,
    ...drawing
  }: Pick<Run, 'store' | 'watch' | 'crew' | 'workers' | 'elsewhere'> & {
    readonly command: string;
    /** The cells that are asked for, once the index is made. */
    readonly onlyOf: (run: Pick<Run, 'bench' | 'index' | 'rows'>) => Run['only'];
  },
): Promise<{ readonly index: RunIndex; readonly only: Run['only'] }> => {
  const { container, model } = bench;
  const engine = await container.plugin('engine', engineOn(bench));
  await model.load?.();
  const images = await imageRange(bench);
  const metrics = await makeMetrics(bench, images);
  const planned = await prepareRun({ bench, rows: asked, engine, metrics, images, command, watch }, store.folder);
  // What is stored was drawn by a method that did bind.
  const stored = await store.cells();
  const isMissing = (row: number): boolean => (planned.rows[row]?.cells ?? []).flat().some((key) => !stored.has(key));
  const rows = await bindableRows(bench, engine, asked, watch, isMissing);
  const kept = rows.map((row) => !isDropped(row));
  const index = {
    ...planned,
    rows: planned.rows.map((row, i) => withReason(row, rows[i]?.impossible)).filter((_, i) => kept[i]),
  };
  const left = rows.filter((_, i) => kept[i]);
  const only = onlyOf({ bench, index, rows: left });
  await drawAndScore({ bench, engine, index, rows: left, metrics, store, watch, only, ...drawing }, async () => {
    tellOther(store.folder, index, container.warn);
    writeIndex(store.folder, index);
    await store.begin({
      command,
      experiment: bench.recipe.input,
      facts: Object.fromEntries(index.provenance.map(({ name, value }) => [name, value])),
    });
  });
  await completeModes({ bench, engine, index, store, watch });
  return { index, only };
};

/** What a shard is of the run, and what comes next. */
const showShard = (
  { index: i, count }: Shard,
  { rows }: RunIndex,
  only: ReadonlySet<string>,
  whole: string,
): string => {
  const all = new Set(rows.flatMap(({ cells }) => cells.flat())).size;
  const folder = relative(process.cwd(), whole);
  const shown = quote(folder.startsWith('..') ? whole : folder);
  return `Shard ${i} of ${count}: ${only.size} of the ${all} samples of the run. When all are done: npx tweedie merge ${shown}-shard-*-of-${count} --out ${shown}`;
};

/**
 * Runs an experiment: every method on the same stored measurements, resumed where it was stopped. Throws ConfigError
 * for anything wrong with the experiment, and CancelledError when `signal` aborts; what had finished is kept in both
 * cases.
 */
export const compare = async (options: CompareOptions): Promise<Comparison> => {
  const { signal, onProgress, workers, elsewhere } = options;
  const watch = { signal, onProgress };
  checkWorkers(workers);
  const shard = options.shard === undefined ? undefined : parseShard(options.shard);
  const crew = crewOf();
  const opened = await openWorkbench(options);
  try {
    const bench = await withStepFloor(opened);
    const rows = planRows(bench);
    refuseImpossible(bench, rows);
    const whole = resolve(options.out ?? defaultFolder(bench));
    const stored = shard && (await cellsIn(whole, bench.container.warn));
    const store = await openStore(shard ? shardFolder(whole, shard) : whole);
    try {
      const own = elsewhere === undefined && workersFor(bench, rows, { asked: workers }).count > 0;
      if (own && (await store.cells()).size === 0) crew.warm();
      const command = commandOf('compare', options);
      const onlyOf = (run: Parameters<typeof cellsOfShard>[0]) => shard && stored && cellsOfShard(run, shard, stored);
      const { index, only } = await runExperiment(bench, rows, {
        store,
        command,
        watch,
        crew,
        workers,
        elsewhere,
        onlyOf,
      });
      const shown = await present(index, store, join(store.folder, PAGE), watch);
      return shard && only ? { ...shown, table: `${shown.table}\n\n${showShard(shard, index, only, whole)}` } : shown;
    } finally {
      crew.dispose();
      store.close();
    }
  } finally {
    opened.dispose();
  }
};

export type ReportOptions = Watch & {
  /** The HTML file to write; default `report.html` in the run folder, of which the rest is only read. */
  readonly out?: string | undefined;
};

/**
 * Table and report of a run folder again, of as much as has finished: also while a comparison is at work there, and
 * with `out` of a folder that may not be written.
 */
export const report = async (folder: string, { out, ...watch }: ReportOptions = {}): Promise<Comparison> => {
  if (!existsSync(folder)) throw missingRun(folder);
  const index = readIndex(folder);
  const results = await openResults(resolve(folder));
  try {
    const path = out === undefined ? join(results.folder, PAGE) : resolve(out);
    checkPlace(path, OTHER_PAGE);
    return await present(index, results, path, watch);
  } finally {
    results.close();
  }
};
