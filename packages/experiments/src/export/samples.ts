/** The samples of each row of a run as one safetensors file, beside the images and measurements they belong to. */
import { join } from 'node:path';
import { at, disposeProblem, encodeSafetensors, type SafetensorsInput, sizeOf } from '@tweedie/core';
import { OTHER_OUT } from './place.ts';
import { writeWhole } from '@tweedie/files';
import type { Results } from '../run/results.ts';
import type { IndexRow, RunIndex } from '../run/run-index.ts';
import { loadProblem } from '../run/problems.ts';

/** Clean images (where they are known) and measurements of a row, an entry per image. */
const problemsOf = (folder: string, { problems }: IndexRow, known: boolean): Map<string, SafetensorsInput> => {
  const all = problems.map((hash) => {
    const problem = loadProblem(folder, hash);
    const read = {
      x0: problem.x0.dataSync() as Float32Array,
      y: problem.y.dataSync() as Float32Array,
      shapes: { x0: problem.x0.shape, y: problem.y.shape },
    };
    disposeProblem(problem);
    return read;
  });
  const stacked = (name: 'x0' | 'y'): SafetensorsInput => {
    const shape = at(all, 0, 'problem').shapes[name];
    const data = new Float32Array(all.length * sizeOf(shape));
    all.forEach((problem, i) => data.set(problem[name], i * sizeOf(shape)));
    return { dtype: 'F32', shape: [all.length, ...shape], data };
  };
  return new Map([...(known ? [['x0', stacked('x0')] as const] : []), ['y', stacked('y')] as const]);
};

/**
 * Writes `samples/<number> <label>.safetensors` for every row that ran: `samples` [images, samples, H, W, C], NaN where
 * one failed or is not there, `x0` [images, H, W, C] and `y`; its metadata name row and images. One row is in memory
 * at a time.
 */
export const exportSamples = async (index: RunIndex, results: Results, folder: string): Promise<readonly string[]> => {
  const cells = await results.cells();
  const paths: string[] = [];
  for (const [position, row] of index.rows.entries()) {
    if (row.cells.flat().length === 0) continue;
    const { imageShape, images } = index;
    const each = sizeOf(imageShape);
    const data = new Float32Array(row.cells.length * index.samples * each).fill(NaN);
    for (const [image, keys] of row.cells.entries()) {
      for (const [sample, key] of keys.entries()) {
        const cell = cells.get(key);
        if (cell === undefined || cell.failure !== undefined) continue;
        data.set(await results.readSample(key), (image * index.samples + sample) * each);
      }
    }
    const shape = [row.cells.length, index.samples, ...imageShape];
    const tensors = new Map<string, SafetensorsInput>([
      ['samples', { dtype: 'F32', shape, data }],
      ...problemsOf(results.folder, row, index.truthUnknown !== true),
    ]);
    const metadata = {
      operator: row.operator,
      sigmaY: String(row.sigmaY),
      method: row.method,
      label: row.label,
      options: row.options,
      images: JSON.stringify(images),
    };
    const name = `${String(position + 1).padStart(2, '0')} ${row.operator} ${row.label}`.replace(/[^\w.=-]+/g, '-');
    const path = join(folder, 'samples', `${name}.safetensors`);
    writeWhole(path, encodeSafetensors(tensors, metadata), OTHER_OUT);
    paths.push(path);
  }
  return paths;
};
