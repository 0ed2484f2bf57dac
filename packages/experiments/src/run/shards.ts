/** Shards: which of the cells that are missing one of several processes draws that know nothing of each other. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { at, ConfigError } from '@tweedie/core';
import { equivalentsOf } from '../plan/workers.ts';
import { bySetting, rowOn } from '../plan/rows.ts';
import { benchesOf } from '../plan/workbench.ts';
import { LOST, type Cell } from './cells.ts';
import { openResults } from './results.ts';
import type { Run } from './runner.ts';

/** One of `count` shards, counted from 0. */
export type Shard = { readonly index: number; readonly count: number };

const MOST = 10_000;

/** Reads `i/n`. Throws ConfigError, which names `where`, for what is no shard. */
export const parseShard = (text: string, where = '--shard'): Shard => {
  const [, first = '', second = ''] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [index, count] = [Number(first), Number(second)];
  const example = 'Give i/n with i from 0 to n - 1: --shard 0/4 to --shard 3/4 are the four shards of a run.';
  if (first === '') throw new ConfigError(where, `${JSON.stringify(text)} is no shard.`, example);
  if (count < 1 || count > MOST) throw new ConfigError(where, `a run has 1 to ${MOST} shards, not ${count}.`, example);
  if (index >= count) throw new ConfigError(where, `there is no shard ${index} of ${count}: they begin at 0.`, example);
  return { index, count };
};

/** The folder of a shard: beside that of the whole run, so that none waits for another to write. */
export const shardFolder = (folder: string, { index, count }: Shard): string => `${folder}-shard-${index}-of-${count}`;

/** What is stored in the folder of the whole run, where it is there. */
export const cellsIn = async (folder: string, warn: (message: string) => void): Promise<ReadonlyMap<string, Cell>> => {
  if (!existsSync(join(folder, 'results.duckdb'))) return new Map();
  const results = await openResults(folder, warn);
  try {
    return await results.cells();
  } finally {
    results.close();
  }
};

/** Images of one row that are drawn together: as many as fill a chunk, each with all of its samples. */
type Unit = { readonly cells: readonly string[]; readonly cost: number };

/** All units of which something is missing, those of one setting after the other. */
const unitsOf = ({ bench, index, rows }: Pick<Run, 'bench' | 'index' | 'rows'>, missing: ReadonlySet<string>) => {
  const seen = new Set<string>();
  const jobs = index.rows.flatMap(({ cells }, r) =>
    benchesOf(bench).map((own) => {
      const planned = rowOn(own, at(rows, r, 'planned row'));
      const [height, width, channels] = own.model.imageShape;
      const together = Math.max(1, Math.floor(own.chunk / index.samples));
      const units: Unit[] = [];
      const positions = own.positions.filter((position) => (cells[position] ?? []).length > 0);
      for (let first = 0; first < positions.length; first += together) {
        const images = positions
          .slice(first, first + together)
          .map((position) => at(cells, position, 'image of a row'));
        const asked = images.flat().filter((key) => missing.has(key) && !seen.has(key));
        if (asked.length === 0) continue;
        for (const key of asked) seen.add(key);
        const padded = Math.ceil(asked.length / own.chunk) * own.chunk;
        units.push({ cells: images.flat(), cost: padded * equivalentsOf(planned) * height * width * channels });
      }
      return { planned, units };
    }),
  );
  return bySetting(jobs, ({ planned }) => planned).flatMap((members) => members.flatMap(({ units }) => units));
};

/**
 * The cells of a shard: those that `stored` lacks, cut into parts of equal cost as the plan counts it (network calls
 * times entries of an image, no timing), so that every process that reads the same folder comes to the same parts. All
 * samples of an image stay together, for what is measured of them as a set, and rows that share a compilation do as far
 * as they can.
 */
export const cellsOfShard = (
  run: Pick<Run, 'bench' | 'index' | 'rows'>,
  { index, count }: Shard,
  stored: ReadonlyMap<string, Cell>,
): ReadonlySet<string> => {
  const isStored = (key: string): boolean => {
    const cell = stored.get(key);
    return cell !== undefined && cell.failure?.reason.startsWith(LOST) !== true;
  };
  const missing = new Set(run.index.rows.flatMap(({ cells }) => cells.flat()).filter((key) => !isStored(key)));
  const units = unitsOf(run, missing);
  const total = units.reduce((sum, { cost }) => sum + cost, 0);
  const own = new Set<string>();
  let before = 0;
  for (const { cells, cost } of units) {
    const part = Math.min(count - 1, Math.floor(((before + cost / 2) / total) * count));
    before += cost;
    if (part === index) for (const key of cells) if (missing.has(key)) own.add(key);
  }
  return own;
};
