import { at, type ImageShape } from '@tweedie/core';
import type { NewCell } from './cells.ts';
import { workOf, type CellIndex, type ChunkResult, type ChunkTask } from './chunk.ts';
import type { RunIndex } from './run-index.ts';
import type { Store } from './store.ts';
import { writeTrace } from './traces.ts';

/** Puts what was drawn of a task into the store of its run: traces, samples, then the cells and scores at once. */
export const saveChunk = async (
  {
    index,
    store,
  }: { readonly index: CellIndex & Pick<RunIndex, 'rows'>; readonly store: Pick<Store, 'folder' | 'save'> },
  task: ChunkTask,
  result: ChunkResult,
  imageShape: ImageShape,
): Promise<void> => {
  const row = at(index.rows, task.row, 'row of the index');
  const work = workOf(index, task);
  for (const [i, trace] of result.traces) {
    if (trace.frames.length > 0) writeTrace(store.folder, at(work, i, 'traced sample').key, trace, imageShape);
  }
  const { started, finished, size, seconds, compileSeconds, peakMemory, cost } = result;
  const cells = work.map(({ key, problem, image, sample }, i): NewCell => {
    const drawn = at(result.samples, i, 'sample of a chunk');
    return {
      key,
      problem,
      image,
      sample,
      started,
      finished,
      chunk: size,
      operator: row.operator,
      sigmaY: row.sigmaY,
      label: row.label,
      method: row.method,
      seconds: seconds / size,
      compileSeconds,
      peakMemory,
      cost,
      ...(drawn instanceof Float32Array ? { x: drawn } : { failure: drawn }),
    };
  });
  await store.save(cells, result.scores, imageShape);
};
