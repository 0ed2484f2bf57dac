import { join, resolve } from 'node:path';
import { canonicalJson, ConfigError, disposeProblem, showShape, type Engine, type Problem } from '@tweedie/core';
import { commandOf } from './plan/command.ts';
import { createInstruments, type Instruments } from './explain/instruments.ts';
import { explainRow, type ExplainedRow } from './explain/row.ts';
import type { ExplanationJson } from './explain/explanation.ts';
import { explanationTable } from './explain/table.ts';
import { planRows, refuseImpossible, type PlannedRow } from './plan/rows.ts';
import { bindableRows } from './run/bindable.ts';
import { cleanImage, problemOf } from './run/problems.ts';
import type { Watch } from './machine/progress.ts';
import type { OperatorPart } from './plan/parts.ts';
import { openWorkbench, type ExperimentSource, type Workbench } from './plan/workbench.ts';
import { checkPlace, writeWhole } from '@tweedie/files';

export type ExplainOptions = ExperimentSource &
  Watch & {
    /** Folder of the report; default `runs/explain-<name of the recipe>` in the working folder. */
    readonly out?: string;
  };

export type Explanation = {
  readonly json: ExplanationJson;
  /** The explanation for a terminal. */
  readonly table: string;
  /** Path of the HTML report. */
  readonly report: string;
};

const ELSEWHERE = 'Choose another folder with --out.';

/**
 * Samples and images of an explanation unless told otherwise: enough for means, for each costs about three times what
 * it costs the method.
 */
const FEW = { samples: 16, limit: 2 };

/** The problems of one operator and noise level, the same as a comparison makes; they are not stored. */
const problemsOf = async (bench: Workbench, part: OperatorPart, sigmaY: number): Promise<readonly Problem[]> => {
  const problems: Problem[] = [];
  for (let position = 0; position < bench.experiment.images.count; position++) {
    problems.push(problemOf(bench, part, sigmaY, await cleanImage(bench, position)));
  }
  return problems;
};

/** The rows that can run. */
const refuseEmpty = ({ recipe }: Workbench, rows: readonly PlannedRow[]): readonly PlannedRow[] => {
  const possible = rows.filter(({ impossible }) => impossible === undefined);
  if (possible.length === 0)
    throw new ConfigError(recipe.where, 'has no method that can run.', 'Run tweedie plan to see why.');
  return possible;
};

/** Curves are means over images, taken with the instruments of one shape. */
const refuseSeveralShapes = ({ recipe, shapes, experiment }: Workbench): void => {
  if (shapes.length === 1) return;
  throw new ConfigError(
    `${recipe.where} /images`,
    `the first ${experiment.images.count} images have ${shapes.length} shapes (${shapes.map(({ model }) => showShape(model.imageShape)).join(', ')}); one is looked into at a time.`,
    'Say --limit 1, or choose images of one shape.',
  );
};

const explainRows = async (
  bench: Workbench,
  engine: Engine,
  rows: readonly PlannedRow[],
  watch: Watch,
): Promise<{ rows: readonly ExplainedRow[]; images: readonly string[] }> => {
  const total = rows.reduce((sum, { method }) => sum + method.steps.length, 0) * bench.experiment.images.count;
  const explained: ExplainedRow[] = [];
  let images: readonly string[] = [];
  let done = 0;
  let instruments: { readonly key: string; readonly made: Instruments } | undefined;
  try {
    for (const row of rows) {
      const {
        operator: { reference: operator },
        method: { reference: method },
      } = row;
      const key = canonicalJson({ operator, scheduler: method.scheduler });
      if (instruments?.key !== key) {
        instruments?.made.dispose();
        instruments = { key, made: await createInstruments(bench, row, engine) };
      }
      const problems = await problemsOf(bench, row.operator, row.sigmaY);
      images = problems.map(({ name }) => name);
      const label = `${operator.label}, sigmaY ${row.sigmaY}, ${method.label}`;
      const onStep = (): void => watch.onProgress?.({ phase: 'sampling', done: Math.min(++done, total), total, label });
      try {
        explained.push(
          await explainRow(row, { bench, engine, instruments: instruments.made, problems, watch, onStep }),
        );
      } finally {
        problems.forEach(disposeProblem);
      }
    }
  } finally {
    instruments?.made.dispose();
  }
  return { rows: explained, images };
};

/**
 * Looks into every method of an experiment, step by step: what its guidance is, beside the exact score where that is
 * known. Runs a few samples of a few images (16 of 2 unless `overrides` says otherwise), all samples of an image at
 * once, and stores nothing but the report. Throws ConfigError for anything wrong with the experiment, and
 * CancelledError when `signal` aborts.
 */
export const explain = async (options: ExplainOptions): Promise<Explanation> => {
  const { signal, onProgress } = options;
  const bench = await openWorkbench({ ...options, overrides: { ...FEW, ...options.overrides } });
  try {
    refuseSeveralShapes(bench);
    const asked = planRows(bench);
    refuseImpossible(bench, asked);
    refuseEmpty(bench, asked);
    const path = join(resolve(options.out ?? join('runs', `explain-${bench.recipe.name}`)), 'report.html');
    checkPlace(path, ELSEWHERE);
    const engine = await bench.container.plugin('engine', bench.experiment.engine);
    await bench.model.load?.();
    const planned = await bindableRows(bench, engine, asked, { signal });
    const { rows, images } = await explainRows(bench, engine, refuseEmpty(bench, planned), { signal, onProgress });
    const json: ExplanationJson = {
      title: bench.experiment.title,
      command: commandOf('explain', options),
      images,
      samples: bench.experiment.samples,
      rows,
      skipped: planned.flatMap(({ operator, sigmaY, method, impossible }) =>
        impossible === undefined
          ? []
          : [{ operator: operator.reference.label, sigmaY, label: method.reference.label, reason: impossible }],
      ),
    };
    // The plotting library takes a second to load.
    const { renderExplanation } = await import('./explain/page.ts');
    writeWhole(path, renderExplanation(json), ELSEWHERE);
    return { json, table: explanationTable(json), report: path };
  } finally {
    bench.dispose();
  }
};
