import { disposeProblem, type ImageShape } from '@tweedie/core';
import { loadProblem } from '../run/problems.ts';
import type { ReportSignal } from './data.ts';
import { tablesOf, type RunIndex } from '../run/run-index.ts';
import { soundOf, type Store } from '../run/store.ts';
import type { RowSummary } from '../results/summary.ts';

/** Signals drawn in a report, and samples of each. */
const DRAWN = 4;
const SAMPLES = 4;

export const isSignal = (shape: readonly number[]): shape is ImageShape => shape.length === 3 && shape[0] === 1 && (shape[1] ?? 0) > 1 && shape[2] === 1;

/** Four digits are finer than a line. */
const numbers = (values: ArrayLike<number>): readonly number[] => Array.from(values, (value) => Number(value.toPrecision(4)));

/** The first signals with their measurements and samples. */
export const signalsOf = async (index: RunIndex, rows: readonly RowSummary[], store: Store): Promise<readonly ReportSignal[]> => {
  const cells = await store.cells();
  const signals: ReportSignal[] = [];
  for (const [position, name] of index.images.slice(0, DRAWN).entries()) {
    const problems: ReportSignal['problems'][number][] = [];
    let truth: readonly number[] = [];
    for (const table of tablesOf(rows, ({ row }) => row)) {
      const [first] = table;
      const hash = first?.row.problems[position];
      if (first === undefined || hash === undefined) continue;
      const problem = loadProblem(store.folder, hash);
      if (!index.truthUnknown) truth = numbers(problem.x0.dataSync());
      const measurement = isSignal(problem.y.shape) ? numbers(problem.y.dataSync()) : undefined;
      disposeProblem(problem);
      const results = [];
      for (const { row } of table) {
        const sound = soundOf(row.cells[position] ?? [], cells).slice(0, SAMPLES);
        if (sound.length > 0) results.push({ label: row.label, samples: (await Promise.all(sound.map((key) => store.readSample(key)))).map(numbers) });
      }
      problems.push({ operator: first.row.operator, sigmaY: first.row.sigmaY, ...(measurement ? { measurement } : {}), results });
    }
    signals.push({ name, ...(index.truthUnknown ? {} : { truth }), problems });
  }
  return signals;
};
