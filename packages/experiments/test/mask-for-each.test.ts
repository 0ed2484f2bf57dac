import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disposeProblem, encodeSafetensors, type Tensor } from '@tweedie/core';
import { afterAll, describe, expect, it } from 'vitest';
import { compare, type ExperimentInput } from '../src/index.ts';
import { loadProblem } from '../src/run/problems.ts';
import { readIndex } from '../src/run/run-index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tweedie-masks-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, values: readonly number[]): void =>
  writeFileSync(
    join(folder, name),
    encodeSafetensors(new Map([['mask', { dtype: 'F32', shape: [1, 2], data: Float32Array.from(values) }]])),
  );
write('a.safetensors', [1, 0]);
write('b.safetensors', [0, 1]);

const recipe = (count: number): ExperimentInput => ({
  folder,
  model: { id: 'gmm', options: { shape: [1, 2, 1], means: [[-1, 0]], variances: 0.1 } },
  images: { from: 'prior', count },
  operators: [{ id: 'inpaint', options: { pattern: 'files', files: ['a.safetensors', 'b.safetensors'] } }],
  sigmaY: 0.1,
  methods: ['none'],
  scheduler: { id: 'ddpm', options: { steps: 2 } },
  engine: 'eager',
  metrics: [],
});
/** The masks of the stored problems of a run, and the keys of its samples. */
const stored = (out: string) => {
  const [row] = readIndex(out).rows;
  const masks = row?.problems.map((hash) => {
    const problem = loadProblem(out, hash);
    const mask = [...(problem.drawn as { readonly mask: Tensor }).mask.dataSync()];
    disposeProblem(problem);
    return mask;
  });
  return { masks, cells: row?.cells };
};

describe('a mask for each image of a run', () => {
  it('is in the problem of that image, and what a sample is stored under depends on it', async () => {
    const out = join(folder, 'run');
    await compare({ recipe: recipe(2), out });
    const before = stored(out);
    expect(before.masks).toEqual([
      [1, 0],
      [0, 1],
    ]);
    write('b.safetensors', [1, 1]);
    await compare({ recipe: recipe(2), out });
    const after = stored(out);
    expect(after.masks?.[1]).toEqual([1, 1]);
    expect(after.cells?.[0]).toEqual(before.cells?.[0]);
    expect(after.cells?.[1]).not.toEqual(before.cells?.[1]);
  });

  it('is asked for before anything is drawn', async () => {
    await expect(compare({ recipe: recipe(3), out: join(folder, 'more') })).rejects.toThrow(
      'there are 2 masks in the list of masks, and none for the image "prior 2", which is number 3 of its source.',
    );
  });
});
