/** Copies what is stored in a run folder into the store of another: cells with samples, scores, problems, films. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, writeWhole } from '@tweedie/files';
import { LOST, type Cell, type NewCell, type Score } from './cells.ts';
import { openResults } from './results.ts';
import { shapeAt, type RunIndex } from './run-index.ts';
import type { Store } from './store.ts';

/** How good it is to have a cell: sound, failed, or lost with its process. */
const worth = (cell: Cell | undefined): number =>
  cell === undefined ? 0 : cell.failure === undefined ? 3 : cell.failure.reason.startsWith(LOST) ? 1 : 2;

/** Copies files that are not there. What they hold is checked by whoever reads them. */
const copyFiles = (from: string, to: string, isWanted: (name: string) => boolean = () => true): void => {
  if (!existsSync(from)) return;
  makeFolder(to);
  for (const name of readdirSync(from))
    if (name.endsWith('.safetensors') && isWanted(name) && !existsSync(join(to, name)))
      writeWhole(join(to, name), readFileSync(join(from, name)));
};

/** What came of a folder: cells that were taken, and cells that were there already with other bits. */
export type Taken = { readonly taken: number; readonly different: number };

/** Takes the cells of an index that a folder has and the store lacks, or has only failed. */
export const mergeFolder = async (
  store: Store,
  index: RunIndex,
  folder: string,
  warn: (message: string) => void,
): Promise<Taken> => {
  const shapes = new Map(
    index.rows.flatMap(({ cells }) =>
      cells.flatMap((samples, position) => samples.map((key) => [key, shapeAt(index, position)] as const)),
    ),
  );
  const results = await openResults(folder, warn);
  try {
    const there = await store.cells();
    const found = [...(await results.cells()).values()].filter(({ key }) => shapes.has(key));
    const wanted = found.filter((cell) => worth(cell) > worth(there.get(cell.key)));
    const different = found.filter(
      ({ key, sampleHash }) => sampleHash !== undefined && (there.get(key)?.sampleHash ?? sampleHash) !== sampleHash,
    ).length;
    copyFiles(join(folder, 'problems'), join(store.folder, 'problems'));
    const names = new Set(wanted.map(({ key }) => `${key}.safetensors`));
    copyFiles(join(folder, 'traces'), join(store.folder, 'traces'), (name) => names.has(name));
    const scores = await results.allScores();
    const own = new Map<string, Score[]>();
    for (const score of scores) own.set(score.cell, [...(own.get(score.cell) ?? []), score]);
    // One file of samples stays one; those that failed have none.
    const files = new Map<string, Cell[]>();
    for (const cell of wanted) {
      const file = cell.file ?? (cell.failure ? 'failed' : cell.key);
      files.set(file, [...(files.get(file) ?? []), cell]);
    }
    for (const cells of files.values()) {
      const [first] = cells;
      const shape = first && shapes.get(first.key);
      if (shape === undefined) continue;
      const made: NewCell[] = [];
      for (const { sampleHash: _, file: __, ...cell } of cells)
        made.push(cell.failure ? cell : { ...cell, x: await results.readSample(cell.key) });
      await store.save(
        made,
        cells.flatMap(({ key }) => own.get(key) ?? []),
        shape,
      );
    }
    // Scores of means, of sets of samples and of independent draws, which belong to no single cell.
    const rest = scores.filter(({ cell }) => !shapes.has(cell));
    if (rest.length > 0) await store.save([], rest, index.imageShape);
    return { taken: wanted.length, different };
  } finally {
    results.close();
  }
};
