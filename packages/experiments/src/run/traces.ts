import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeSafetensors, encodeSafetensors, type ImageShape, type StepEvent } from '@tweedie/core';
import { isWhole, writeWhole } from '@tweedie/files';

/** x0hat of one sample on its way: frames [N, H, W, C], levels [N] (sigma, largest first). */
export type Trace = { readonly levels: readonly number[]; readonly frames: readonly Float32Array[] };

/** The steps out of `total` that are kept: evenly spaced, the last one always. */
const tracedSteps = (total: number, count: number): ReadonlySet<number> => {
  const kept = Math.min(count, total);
  return new Set(
    Array.from({ length: kept }, (_, i) => (kept === 1 ? total : 1 + Math.round((i * (total - 1)) / (kept - 1)))),
  );
};

/** Records x0hat of some rows of a batch at some steps. */
export const traceRecorder = (rows: readonly number[], count: number) => {
  const traces = new Map(rows.map((row) => [row, { levels: [] as number[], frames: [] as Float32Array[] }]));
  return {
    traces: traces as ReadonlyMap<number, Trace>,
    async record({ x0hat, step, done, total }: StepEvent): Promise<void> {
      if (rows.length === 0 || x0hat === undefined || !tracedSteps(total, count).has(done)) return;
      const values = await x0hat.data();
      const each = values.length / x0hat.shape[0];
      for (const [row, trace] of traces) {
        trace.levels.push(step.level.sigma);
        trace.frames.push(Float32Array.from(values.slice(row * each, (row + 1) * each)));
      }
    },
  };
};

const pathOf = (folder: string, cell: string): string => join(folder, 'traces', `${cell}.safetensors`);

export const hasTrace = (folder: string, cell: string): boolean => isWhole(pathOf(folder, cell));

export const writeTrace = (folder: string, cell: string, { levels, frames }: Trace, imageShape: ImageShape): void => {
  const each = imageShape[0] * imageShape[1] * imageShape[2];
  const data = new Float32Array(frames.length * each);
  frames.forEach((frame, i) => data.set(frame, i * each));
  writeWhole(
    pathOf(folder, cell),
    encodeSafetensors(
      new Map([
        ['x0hat', { dtype: 'F32', shape: [frames.length, ...imageShape], data }],
        ['sigma', { dtype: 'F64', shape: [levels.length], data: Float64Array.from(levels) }],
      ]),
    ),
  );
};

export const readTrace = async (folder: string, cell: string): Promise<Trace | undefined> => {
  if (!hasTrace(folder, cell)) return undefined;
  const tensors = decodeSafetensors(await readFile(pathOf(folder, cell)), pathOf(folder, cell));
  const levels = Array.from(tensors.get('sigma')?.data ?? [], Number);
  const all = Float32Array.from(tensors.get('x0hat')?.data ?? [], Number);
  const each = all.length / Math.max(1, levels.length);
  return { levels, frames: levels.map((_, i) => all.slice(i * each, (i + 1) * each)) };
};
