import { disposeProblem, type ImageShape } from '@tweedie/core';
import { loadProblem } from '../run/problems.ts';
import type { ReportSignal } from './data.ts';
import { rounded } from '../results/numbers.ts';
import { problemsOf } from '../results/problems.ts';
import type { RunIndex } from '../run/run-index.ts';
import { soundOf } from '../run/cells.ts';
import type { Results } from '../run/results.ts';
import type { RowSummary } from '../results/summary.ts';

/** The number of signals that a report draws, and of samples of each. */
const DRAWN = 4;
const SAMPLES = 4;

export const isSignal = (shape: readonly number[]): shape is ImageShape =>
  shape.length === 3 && shape[0] === 1 && (shape[1] ?? 0) > 1 && shape[2] === 1;

/** Numbers with four digits, which are finer than a line. */
const numbers = (values: ArrayLike<number>): readonly number[] => Array.from(values, (value) => rounded(value, 4));

/** The first signals with their measurements and samples. */
export const signalsOf = async (
  index: RunIndex,
  rows: readonly RowSummary[],
  store: Results,
): Promise<readonly ReportSignal[]> => {
  const cells = await store.cells();
  const signals: ReportSignal[] = [];
  for (const [position, name] of index.images.slice(0, DRAWN).entries()) {
    const problems: ReportSignal['problems'][number][] = [];
    let truth: readonly number[] = [];
    for (const { operator, sigmaY, rows: table } of problemsOf(rows)) {
      const hash = table[0]?.problems[position];
      if (hash === undefined) continue;
      const problem = loadProblem(store.folder, hash);
      if (!index.truthUnknown) truth = numbers(problem.x0.dataSync());
      const measurement = isSignal(problem.y.shape) ? numbers(problem.y.dataSync()) : undefined;
      disposeProblem(problem);
      const results = [];
      for (const { label, cells: keys } of table) {
        const sound = soundOf(keys[position] ?? [], cells).slice(0, SAMPLES);
        if (sound.length > 0)
          results.push({ label, samples: (await Promise.all(sound.map((key) => store.readSample(key)))).map(numbers) });
      }
      problems.push({ operator, sigmaY, ...(measurement ? { measurement } : {}), results });
    }
    signals.push({ name, ...(index.truthUnknown ? {} : { truth }), problems });
  }
  return signals;
};
