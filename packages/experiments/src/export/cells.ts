/** Every sample of a run as a line of a table, written as CSV and as Parquet by DuckDB. */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { partialOf, writeError } from '@tweedie/files';
import { MISFIT } from '../run/misfit.ts';
import type { Results } from '../run/results.ts';
import type { RunIndex } from '../run/run-index.ts';

type Line = Readonly<Record<string, string | number | null>>;

/** Columns that every run has, with their types; those of its metrics follow, under their names in the recipe. */
const COLUMNS = {
  operator: 'VARCHAR',
  sigma_y: 'DOUBLE',
  label: 'VARCHAR',
  method: 'VARCHAR',
  options: 'VARCHAR',
  steps: 'INTEGER',
  image: 'VARCHAR',
  image_index: 'INTEGER',
  sample: 'INTEGER',
  status: 'VARCHAR',
  failure: 'VARCHAR',
  forwards: 'DOUBLE',
  vjps: 'DOUBLE',
  operator_calls: 'DOUBLE',
  seconds: 'DOUBLE',
  misfit: 'DOUBLE',
} as const;

/** The name of a metric's column: its label, with `score_` before it where a column has that name already. */
const columnOf = (id: string): string => (id in COLUMNS ? `score_${id}` : id);

const linesOf = async (index: RunIndex, results: Results): Promise<readonly Line[]> => {
  const cells = await results.cells();
  const misfits = await results.scores(MISFIT);
  const metrics = await Promise.all(
    index.metrics.map(async ({ id, key }) => ({ column: columnOf(id), scores: await results.scores(key) })),
  );
  return index.rows.flatMap(({ operator, sigmaY, label, method, options, steps, cells: keys }) =>
    keys.flatMap((samples, image) =>
      samples.flatMap((key, sample): readonly Line[] => {
        const cell = cells.get(key);
        if (cell === undefined) return [];
        const { failure, cost, seconds } = cell;
        return [
          {
            operator,
            sigma_y: sigmaY,
            label,
            method,
            options,
            steps,
            image: index.images[image] ?? null,
            image_index: image,
            sample,
            status: failure ? 'failed' : 'done',
            failure: failure ? `step ${failure.step}: ${failure.reason}` : null,
            forwards: cost.forwards,
            vjps: cost.vjps,
            operator_calls: cost.operatorCalls,
            seconds,
            misfit: misfits.get(key) ?? null,
            ...Object.fromEntries(metrics.map(({ column, scores }) => [column, scores.get(key) ?? null])),
          },
        ];
      }),
    ),
  );
};

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Writes `cells.csv` and `cells.parquet` into a folder; gives their paths. */
export const exportCells = async (index: RunIndex, results: Results, folder: string): Promise<readonly string[]> => {
  const types = {
    ...COLUMNS,
    ...Object.fromEntries(index.metrics.map(({ id }) => [columnOf(id), 'DOUBLE'])),
  };
  const lines = await linesOf(index, results);
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    const columns = Object.entries(types).map(([name, type]) => `"${name.replaceAll('"', '""')}" ${type}`);
    await connection.run(`CREATE TABLE cells (${columns.join(', ')})`);
    await connection.run(
      `INSERT INTO cells SELECT unnest(from_json($1, ${quoted(JSON.stringify([types]))}), recursive := true)`,
      [JSON.stringify(lines)],
    );
    const write = async (name: string, format: string): Promise<string> => {
      const path = join(folder, name);
      const partial = partialOf(path);
      try {
        await connection.run(`COPY cells TO ${quoted(partial)} (${format})`);
        renameSync(partial, path);
      } catch (error) {
        rmSync(partial, { force: true });
        throw writeError(path, error, 'Choose another folder with --out.');
      }
      return path;
    };
    const paths = [await write('cells.csv', 'FORMAT csv, HEADER'), await write('cells.parquet', 'FORMAT parquet')];
    connection.closeSync();
    return paths;
  } finally {
    instance.closeSync();
  }
};
