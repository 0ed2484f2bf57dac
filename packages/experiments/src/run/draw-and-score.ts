import { completeMeasures } from './complete-measures.ts';
import { completeScores, tryMetrics } from './complete-scores.ts';
import { misfitMeter } from './misfit.ts';
import { runRows, type Run } from './runner.ts';

/**
 * Draws and scores what the index of a run names and what is not there yet. `begin` is called when the metrics are seen
 * to work, before anything is drawn.
 */
export const drawAndScore = async (parts: Omit<Run, 'misfit'>, begin?: () => Promise<void>): Promise<void> => {
  const misfit = misfitMeter(parts.engine);
  const run: Run = { ...parts, misfit };
  try {
    await tryMetrics(run);
    await begin?.();
    await runRows(run);
    await completeScores(run);
    await completeMeasures(run);
  } finally {
    misfit.dispose();
  }
};
