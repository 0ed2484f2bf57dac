import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ConfigError,
  decodeSafetensors,
  encodeSafetensors,
  sha256,
  type ImageShape,
  type SafetensorsEntry,
} from '@tweedie/core';
import { writeWhole } from '@tweedie/files';
import type { Cell, NewCell } from './cells.ts';
import { identify } from './identity.ts';

/** What is to be known of a sample to find it and to see that it is whole. */
type Stored = Pick<Cell, 'key' | 'image' | 'problem' | 'sample' | 'sampleHash' | 'file'>;
type Drawn = NewCell & { readonly x: Float32Array };

/**
 * Samples of a run folder, one file for each row and chunk: written once, and seen to be what was drawn whenever it is
 * read.
 */
export interface SampleFiles {
  /** Writes the samples of one row as one file. Gives the cells as they are stored. */
  write(cells: readonly NewCell[], imageShape: ImageShape): readonly (NewCell & Stored)[];
  /**
   * Those whose sample is there; given file by file, each is read once. One that is damaged is not there, which is said
   * once.
   */
  whole<S extends Stored>(cells: readonly S[]): readonly S[];
  /** Whether a sample has been written or asked for, so that its place and hash are known. */
  knows(key: string): boolean;
  /** The numbers of a sample that is known; throws ConfigError where they no longer have its hash. */
  read(key: string): Float32Array;
}

const sampleHash = (x: Float32Array): string => sha256(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));

/** The name of a sample in its file. In format 1 each had a file of its own. */
const nameOf = ({ problem, sample, file }: Stored): string =>
  file === undefined ? 'x' : `${problem}/sample ${sample}`;

/** The bytes of the samples of one row; the metadata say which row it is and of which image each problem was made. */
const encodeSamples = (drawn: readonly (Drawn & Stored)[], imageShape: ImageShape): Uint8Array => {
  const [{ operator, sigmaY, method, label } = { operator: '', sigmaY: 0, method: '', label: '' }] = drawn;
  return encodeSafetensors(
    new Map(drawn.map((cell) => [nameOf(cell), { dtype: 'F32', shape: [...imageShape], data: cell.x }])),
    {
      operator,
      sigmaY: String(sigmaY),
      method,
      label,
      images: JSON.stringify(Object.fromEntries(drawn.map(({ problem, image }) => [problem, image]))),
    },
  );
};

/** The names of samples for a message: the first ones. */
const listOf = (cells: readonly Stored[]): string => {
  const names = cells.slice(0, 3).map(({ image, sample }) => `sample ${sample} of ${image}`);
  return [...names, ...(cells.length > names.length ? [`${cells.length - names.length} more`] : [])].join(', ');
};

export const sampleFiles = (folder: string, warn: (message: string) => void): SampleFiles => {
  const pathOf = ({ file, key }: Stored): string => join(folder, 'samples', `${file ?? key}.safetensors`);
  const known = new Map<string, Stored>();
  const sound = new Set<string>();
  const told = new Set<string>();
  /** The file that was read last: those who read want its samples one after the other. */
  let last: { readonly path: string; readonly tensors: ReadonlyMap<string, SafetensorsEntry> } | undefined;

  const tensorsIn = (path: string): ReadonlyMap<string, SafetensorsEntry> => {
    try {
      if (last?.path !== path) last = { path, tensors: decodeSafetensors(readFileSync(path), path) };
      return last.tensors;
    } catch {
      return new Map();
    }
  };
  /** The numbers of a sample; undefined where they are not those that were stored. */
  const soundIn = (cell: Stored): Float32Array | undefined => {
    const x = tensorsIn(pathOf(cell)).get(nameOf(cell));
    return x?.dtype === 'F32' && sampleHash(x.data) === cell.sampleHash ? x.data : undefined;
  };
  const isSound = (cell: Stored): boolean => {
    if (!sound.has(cell.key) && soundIn(cell)) sound.add(cell.key);
    return sound.has(cell.key);
  };

  return {
    write(cells, imageShape) {
      const drawn = cells.filter((cell): cell is Drawn => cell.x !== undefined);
      if (drawn.length === 0) return cells;
      const file = identify(drawn.map(({ key }) => key).sort());
      const stored = cells.map((cell) => (cell.x ? { ...cell, file, sampleHash: sampleHash(cell.x) } : cell));
      const [path = ''] = drawn.map((cell) => pathOf({ ...cell, file }));
      writeWhole(
        path,
        encodeSamples(
          drawn.map((cell) => ({ ...cell, file })),
          imageShape,
        ),
      );
      if (last?.path === path) last = undefined;
      for (const { x, ...cell } of stored) {
        if (!x) continue;
        known.set(cell.key, cell);
        sound.add(cell.key);
      }
      return stored;
    },
    whole(cells) {
      for (const cell of cells) known.set(cell.key, cell);
      const there = new Set([...new Set(cells.map(pathOf))].filter((path) => existsSync(path)));
      const damaged = cells.filter((cell) => there.has(pathOf(cell)) && !isSound(cell));
      for (const path of new Set(damaged.map(pathOf))) {
        if (told.has(path)) continue;
        told.add(path);
        const names = listOf(damaged.filter((cell) => pathOf(cell) === path));
        warn(`[${path}] is damaged, and counts as not drawn: ${names}. The command of the run draws that again.`);
      }
      return cells.filter((cell) => there.has(pathOf(cell)) && sound.has(cell.key));
    },
    knows: (key) => known.has(key),
    read(key) {
      const cell = known.get(key);
      const x = cell && soundIn(cell);
      if (x !== undefined) return x.slice();
      throw new ConfigError(
        cell ? pathOf(cell) : join(folder, 'samples', key),
        'no longer holds the sample that was stored there.',
        'Run the command of the run again: it draws this sample anew.',
      );
    },
  };
};
