import { join } from 'node:path';
import { toStandardError, type ImageShape } from '@tweedie/core';
import { makeFolder, sweepPartials } from '../machine/write.ts';
import type { Cell, NewCell, Score } from './cells.ts';
import { openDatabase } from './database.ts';
import { resultsIn, type Results } from './results.ts';
import { sampleFiles } from './samples.ts';
import { CELLS, SCORES, type RowOf } from './tables.ts';

/** Results of one run folder, to which results are added. Whoever opens it first keeps it until `close`. */
export interface Store extends Results {
  /**
   * Stores samples of one row as one file, then the rest in one transaction: a cell in the table has its sample on
   * disk.
   */
  save(cells: readonly NewCell[], scores: readonly Score[], imageShape: ImageShape): Promise<void>;
  /** Notes a start of the command with what it ran on. */
  begin(provenance: Readonly<Record<string, unknown>>): Promise<void>;
}

const sqlTime = (time: Date): string => time.toISOString().replace('T', ' ').replace('Z', '');

/** Opens the results of a run folder, creating both where they are not there. */
export const openStore = async (folder: string, warn: (message: string) => void = toStandardError): Promise<Store> => {
  makeFolder(folder);
  const database = await openDatabase(folder);
  const { read, write } = database;
  const samples = sampleFiles(folder, warn);
  let run: number;
  try {
    for (const place of ['', 'problems', 'samples', 'traces']) sweepPartials(join(folder, place));
    const [last] = await read('SELECT coalesce(max(run), 0) AS run FROM runs');
    run = Number(last?.['run'] ?? 0);
  } catch (error) {
    database.close();
    throw error;
  }

  /** Inserts all rows as one value: a statement for each would cost more than small samples do. */
  const insert = async <C extends Readonly<Record<string, string>>>(
    table: string,
    types: C,
    rows: readonly RowOf<C>[],
  ): Promise<void> => {
    if (rows.length === 0) return;
    await write(
      `INSERT OR REPLACE INTO ${table} SELECT unnest(from_json($1, '${JSON.stringify([types])}'), recursive := true)`,
      [JSON.stringify(rows)],
    );
  };
  const toRow = ({
    failure,
    cost,
    sigmaY,
    ...cell
  }: NewCell & Pick<Cell, 'sampleHash' | 'file'>): RowOf<typeof CELLS> => ({
    key: cell.key,
    run,
    problem: cell.problem,
    image: cell.image,
    operator: cell.operator,
    sigma_y: sigmaY,
    label: cell.label,
    method: cell.method,
    sample: cell.sample,
    status: failure ? 'failed' : 'done',
    started: sqlTime(cell.started),
    finished: sqlTime(cell.finished),
    seconds: cell.seconds,
    compile_seconds: cell.compileSeconds,
    sample_hash: cell.sampleHash ?? null,
    failure: failure?.reason ?? null,
    failed_step: failure?.step ?? null,
    forwards: cost.forwards,
    vjps: cost.vjps,
    operator_calls: cost.operatorCalls,
    chunk: cell.chunk,
    peak_memory: cell.peakMemory,
    file: cell.file ?? null,
  });

  const results = resultsIn(folder, database, samples);
  // Nobody else writes here: what was read stays true until something is saved. A run asks four times.
  let known: ReturnType<Results['cells']> | undefined;
  return {
    ...results,
    cells: () => (known ??= results.cells()),
    async save(cells, scores, imageShape) {
      known = undefined;
      const rows = samples.write(cells, imageShape).map(toRow);
      await write('BEGIN');
      try {
        await insert('cells', CELLS, rows);
        await insert(
          'scores',
          SCORES,
          scores.filter(({ value }) => Number.isFinite(value)),
        );
        await write('COMMIT');
      } catch (error) {
        await write('ROLLBACK').catch(() => undefined);
        throw error;
      }
    },
    async begin(provenance) {
      run += 1;
      await write('INSERT INTO runs VALUES ($1, $2::TIMESTAMP, $3)', [
        run,
        sqlTime(new Date()),
        JSON.stringify(provenance),
      ]);
    },
  };
};
