import {
  at,
  bindGuidance,
  canonicalJson,
  disposeProblem,
  drawBatch,
  type Engine,
  type JsonSchema,
} from '@tweedie/core';
import { bindableRows } from './bindable.ts';
import { rowOn, type PlannedRow } from '../plan/rows.ts';
import { engineOn } from '../plan/threads.ts';
import { cleanImage, problemOf, type CleanImage } from './problems.ts';
import { median, stopwatch } from './stopwatch.ts';
import { benchesOf, type Workbench } from '../plan/workbench.ts';

/** Steps that are run: the first compiles, the others are timed. */
const STEPS = 4;
/** Rows that take less are timed until this has gone by: the first runs of anything are slow. */
const MILLISECONDS = 200;

/**
 * Seconds that a row would take here on the images of one shape, compilation left out: a few steps of one chunk, times
 * the steps and chunks of the row.
 */
const estimateRow = async (
  bench: Workbench,
  engine: Engine,
  { operator, method, sigmaY }: PlannedRow,
  image: CleanImage,
): Promise<number> => {
  const { experiment, model, chunk, positions } = bench;
  const { imageShape } = model;
  const problem = problemOf(bench, operator, sigmaY, image);
  const bound = await bindGuidance(method.guidance, {
    engine,
    model,
    operator: operator.operator,
    scheduler: method.scheduler,
  });
  try {
    const steps = bound.steps.slice(0, STEPS);
    const samples = Array.from({ length: chunk }, (_, sample) => sample);
    const timed: number[] = [];
    const started = performance.now();
    do {
      const clock = stopwatch(bound);
      const { seconds } = await drawBatch(
        {
          bound: { ...bound, steps },
          imageShape,
          problems: samples.map(() => problem),
          samples,
          seed: experiment.seed,
          onStep: clock.lap,
        },
        clock.stop,
      );
      timed.push(seconds);
    } while (performance.now() - started < MILLISECONDS);
    const chunks = Math.ceil((positions.length * experiment.samples) / chunk);
    return (median(timed) / steps.length) * bound.steps.length * chunks;
  } finally {
    bound.dispose();
    disposeProblem(problem);
  }
};

/**
 * What the time of a row hangs on. The values of options of type `number` are not in it: they are inputs of what a
 * method compiles, and where they change its calls of the network its `cost` says so. Whole numbers, which count
 * levels, moves or particles, are.
 */
const paceOf = (
  { registry }: Workbench,
  { operator, sigmaY, method: { reference, steps }, cost }: PlannedRow,
): string => {
  const { properties = {} } = registry.find('guidance', reference.id).options as {
    readonly properties?: Readonly<Record<string, JsonSchema>>;
  };
  const options = Object.entries(reference.options).map(([name, value]) =>
    properties[name]?.['type'] === 'number' ? [name] : [name, value],
  );
  const { scheduler, id } = reference;
  return canonicalJson({
    operator: operator.reference.label,
    sigmaY,
    id,
    options,
    scheduler,
    steps: steps.length,
    cost,
  });
};

/**
 * The rows with the seconds of each that can run, and the reason of each that does not bind. Rows of one pace are timed
 * once (`paceOf`); the others name the row that was. Reads the weights.
 */
export const estimateSeconds = async (
  bench: Workbench,
  rows: readonly PlannedRow[],
): Promise<readonly PlannedRow[]> => {
  const engine = await bench.container.plugin('engine', engineOn(bench));
  await bench.model.load?.();
  const shapes: { own: Workbench; image: CleanImage }[] = [];
  for (const own of benchesOf(bench))
    shapes.push({ own, image: await cleanImage(own, at(own.positions, 0, 'image of a shape')) });
  const timeOf = async (row: PlannedRow): Promise<number> => {
    let seconds = 0;
    for (const { own, image } of shapes)
      seconds += await estimateRow(own, await bench.container.plugin('engine', engineOn(own)), rowOn(own, row), image);
    return seconds;
  };
  const timed = new Map<string, { readonly label: string; readonly seconds: number }>();
  const estimated: PlannedRow[] = [];
  for (const row of await bindableRows(bench, engine, rows, {})) {
    if (row.impossible !== undefined) {
      estimated.push(row);
      continue;
    }
    const pace = paceOf(bench, row);
    const like = timed.get(pace);
    const { label } = row.method.reference;
    const { seconds } = like ?? { seconds: await timeOf(row) };
    if (like === undefined) timed.set(pace, { label, seconds });
    estimated.push({ ...row, seconds, ...(like === undefined ? {} : { timedAs: like.label }) });
  }
  return estimated;
};
