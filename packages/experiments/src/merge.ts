import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError, toStandardError } from '@tweedie/core';
import { present, type Comparison } from './compare.ts';
import { checkSignal, type Watch } from './machine/progress.ts';
import { plural } from './machine/text-table.ts';
import { mergeFolder } from './run/merge-runs.ts';
import { missingRun, readIndex, rowTitle, writeIndex, type RunIndex } from './run/run-index.ts';
import { checkSameRun, cpuOf, machinesOf, mergedIndex, type FolderIndex } from './run/same-run.ts';
import { openStore } from './run/store.ts';

export type MergeOptions = Watch & {
  /** Run folders, those of shards say; they are only read. */
  readonly folders: readonly string[];
  /** Run folder that takes all of them; it may hold a part already. */
  readonly out: string;
};

/** The whole run as far as it is there. */
export type Merged = Comparison & {
  /** Samples that no folder had, of all. */
  readonly missing: number;
  readonly samples: number;
  /** Kinds of CPU that cells were drawn on: of several, last bits may differ. */
  readonly cpus: readonly string[];
  /** Samples that two folders had with different bits, of which the first was taken. */
  readonly different: number;
};

/** How many samples of each row are missing, in words. */
const showMissing = (index: RunIndex, stored: ReadonlySet<string>): string =>
  index.rows
    .flatMap((row) => {
      const lacking = row.cells.flat().filter((key) => !stored.has(key)).length;
      return lacking === 0 ? [] : [`  ${rowTitle(row)}: ${lacking} of ${row.cells.flat().length}`];
    })
    .join('\n');

/** A folder once, however it is written. */
const unique = (folders: readonly string[]): readonly string[] => {
  const known = new Map<string, string>();
  for (const folder of folders) {
    if (!existsSync(folder)) throw missingRun(folder);
    known.set(realpathSync(folder), folder);
  }
  return [...known.values()];
};

/**
 * Merges run folders of one recipe, which machines that share nothing have drawn, into one with its table and report.
 * Throws ConfigError, and writes nothing, where they differ in recipe, code, engine or rows; says what is missing, and
 * which kinds of CPU were mixed.
 */
export const merge = async ({ folders, out, signal, onProgress }: MergeOptions): Promise<Merged> => {
  if (folders.length === 0)
    throw new ConfigError('merge', 'no run folder is given.', 'Give the folders of the shards, and --out.');
  const target = resolve(out);
  const sources = unique(folders).filter(
    (folder) => !existsSync(target) || realpathSync(folder) !== realpathSync(target),
  );
  const indices = sources.map((folder): FolderIndex => ({ folder, index: readIndex(folder) }));
  const before = existsSync(resolve(target, 'run.json')) ? [{ folder: target, index: readIndex(target) }] : [];
  const [first] = [...before, ...indices];
  if (first === undefined)
    throw new ConfigError(out, 'is the only folder, and it has no run.json.', 'Give the folders of the shards.');
  checkSameRun([...before, ...indices]);
  const machines = machinesOf([...before, ...indices]);
  const index = mergedIndex(first, machines, out);
  const store = await openStore(target);
  try {
    writeIndex(store.folder, index);
    let different = 0;
    for (const [i, { folder }] of indices.entries()) {
      checkSignal(signal);
      different += (await mergeFolder(store, index, folder, toStandardError)).different;
      onProgress?.({ phase: 'merging', done: i + 1, total: indices.length, label: folder });
    }
    await store.begin({ command: `npx tweedie merge`, folders: sources, machines });
    const stored = new Set((await store.cells()).keys());
    const keys = new Set(index.rows.flatMap(({ cells }) => cells.flat()));
    const missing = [...keys].filter((key) => !stored.has(key)).length;
    const cpus = [...new Set(machines.map(cpuOf))];
    const shown = await present(index, store, resolve(store.folder, 'report.html'), { signal, onProgress });
    const notes = [
      ...(cpus.length > 1
        ? [`Drawn on ${cpus.length} kinds of CPU, whose last bits may differ: ${cpus.join('; ')}.`]
        : []),
      ...(different > 0
        ? [`${plural(different, 'sample')} had other bits in another folder: the first was taken.`]
        : []),
      ...(missing > 0
        ? [
            `Missing: ${missing} of ${plural(keys.size, 'sample')}.\n${showMissing(index, stored)}\nTo draw them: ${index.command}`,
          ]
        : []),
    ];
    const table = [shown.table, ...notes].join('\n\n');
    return { ...shown, table, missing, samples: keys.size, cpus, different };
  } finally {
    store.close();
  }
};
