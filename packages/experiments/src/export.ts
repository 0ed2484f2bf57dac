import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { exportCells } from './export/cells.ts';
import { exportFigures, type WrittenFigures } from './export/figures.ts';
import { OTHER_OUT } from './export/place.ts';
import { exportMeasures } from './export/measures.ts';
import { exportSamples } from './export/samples.ts';
import { latexTables, markdownTables } from './export/tables.ts';
import type { Watch } from './machine/progress.ts';
import { checkPlace, writeWhole } from '@tweedie/files';
import { reportData } from './report/collect.ts';
import { freeEnergyTables } from './results/free-energy.ts';
import { summariseRun } from './results/summary.ts';
import { openResults } from './run/results.ts';
import { missingRun, readIndex } from './run/run-index.ts';

export type ExportOptions = Watch & {
  /** The folder to write; default `export` in the run folder. */
  readonly out?: string | undefined;
};

/** What `exportRun` wrote. */
export type Exported = {
  readonly folder: string;
  readonly files: readonly string[];
  /** What a reader of the files must know: characters that the PDFs do not show. */
  readonly notes: readonly string[];
};

const notesOf = ({ missing }: WrittenFigures): readonly string[] =>
  missing.length === 0
    ? []
    : [`The font of the PDFs (DejaVu Sans) lacks ${missing.join(' ')}: boxes there, whole in the SVGs beside them.`];

/**
 * Writes what has finished of a run in the formats of other programs: `table` as `.tex` and as `.md`, every sample as a
 * line of `cells.csv` and `cells.parquet`, measures of sets of samples as `measures.csv`, the samples of each row as
 * one safetensors file, and the report's figures as SVG and PDF. The run folder is only read, but for the default
 * `out`.
 */
export const exportRun = async (folder: string, { out, ...watch }: ExportOptions = {}): Promise<Exported> => {
  if (!existsSync(folder)) throw missingRun(folder);
  const index = readIndex(folder);
  const results = await openResults(resolve(folder));
  try {
    const place = resolve(out ?? join(results.folder, 'export'));
    checkPlace(join(place, 'table.tex'), OTHER_OUT);
    const rows = await summariseRun(index, results);
    const write = (name: string, content: string): string => {
      const path = join(place, name);
      writeWhole(path, content, OTHER_OUT);
      return path;
    };
    const tables = { tex: latexTables(index, rows), md: markdownTables(index, rows) };
    const files = Object.entries(tables).map(([ending, content]) => write(`table.${ending}`, content));
    files.push(...exportMeasures(index, rows, place));
    files.push(...(await exportCells(index, results, place)), ...(await exportSamples(index, results, place)));
    const { renderReport } = await import('./report/render.ts');
    const data = await reportData(index, rows, results, watch);
    const page = renderReport({ ...data, freeEnergy: await freeEnergyTables(index, results) });
    const figures = await exportFigures(page, place);
    return { folder: place, files: [...files, ...figures.files], notes: notesOf(figures) };
  } finally {
    results.close();
  }
};
