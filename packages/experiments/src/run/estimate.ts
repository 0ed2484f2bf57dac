import { at, bindGuidance, disposeProblem, drawBatch, type Engine } from '@tweedie/core';
import { bindableRows } from './bindable.ts';
import { rowOn, type PlannedRow } from '../plan/rows.ts';
import { cleanImage, problemOf, type CleanImage } from './problems.ts';
import { stopwatch } from './stopwatch.ts';
import { benchesOf, type Workbench } from '../plan/workbench.ts';

/** Steps that are run: the first compiles, the others are timed. */
const STEPS = 4;

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
    const clock = stopwatch(bound);
    const steps = bound.steps.slice(0, STEPS);
    const samples = Array.from({ length: chunk }, (_, sample) => sample);
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
    return (seconds / steps.length) * bound.steps.length * Math.ceil((positions.length * experiment.samples) / chunk);
  } finally {
    bound.dispose();
    disposeProblem(problem);
  }
};

/** The rows with the seconds of each that can run, and the reason of each that does not bind. Reads the weights. */
export const estimateSeconds = async (
  bench: Workbench,
  rows: readonly PlannedRow[],
): Promise<readonly PlannedRow[]> => {
  const engine = await bench.container.plugin('engine', bench.experiment.engine);
  await bench.model.load?.();
  const shapes: { own: Workbench; image: CleanImage }[] = [];
  for (const own of benchesOf(bench))
    shapes.push({ own, image: await cleanImage(own, at(own.positions, 0, 'image of a shape')) });
  const estimated: PlannedRow[] = [];
  for (const row of await bindableRows(bench, engine, rows, {})) {
    let seconds = 0;
    if (row.impossible === undefined)
      for (const { own, image } of shapes) seconds += await estimateRow(own, engine, rowOn(own, row), image);
    estimated.push(row.impossible === undefined ? { ...row, seconds } : row);
  }
  return estimated;
};
