/** A chunk: samples of one row that are drawn at once, what was drawn of them, and how both are named. */
import { at, type Cost, type SampleFailure } from '@tweedie/core';
import type { Score } from './cells.ts';
import { identify } from './identity.ts';
import type { IndexRow, RunIndex } from './run-index.ts';
import type { Trace } from './traces.ts';

/** Which cells to draw together. JSON of less than 2 kB, whatever the images: no tensor is in it. */
export type ChunkTask = {
  /** Hash of the keys of its cells: the same cells have the same name in every process. */
  readonly key: string;
  /** Position of the row in the index of the run. */
  readonly row: number;
  /** Which of the shapes that the images have, in the order of the first image of each. */
  readonly shape: number;
  /** Places of its cells in the row, position of the image times samples of an image plus sample: `0-15,18`. */
  readonly cells: string;
};

/** What was drawn of a task, in the order of its cells: plain numbers, so that it may cross a process. */
export type ChunkResult = {
  readonly task: string;
  readonly started: Date;
  readonly finished: Date;
  /** Samples computed at once, padding included. */
  readonly size: number;
  /** Cost of one sample. */
  readonly cost: Cost;
  /** Wall clock without compilation, whole chunk. */
  readonly seconds: number;
  readonly compileSeconds: number;
  /** Largest resident memory seen, bytes. */
  readonly peakMemory: number;
  /** Each sample, or why it failed. */
  readonly samples: readonly (Float32Array | SampleFailure)[];
  readonly scores: readonly Score[];
  /** x0hat on its way of the samples that are traced, by their place in the chunk. */
  readonly traces: ReadonlyMap<number, Trace>;
};

/** One sample to draw. */
export type Work = {
  readonly key: string;
  readonly problem: string;
  readonly image: string;
  readonly sample: number;
  /** Place of the image in the experiment. */
  readonly position: number;
  readonly traced: boolean;
};

/** What tasks are read by: the part of an index that names cells. */
export type CellIndex = Pick<RunIndex, 'images' | 'samples' | 'traced'> & {
  readonly rows: readonly Pick<IndexRow, 'problems' | 'cells'>[];
};

const workAt = ({ rows, images, samples, traced }: CellIndex, row: number, place: number): Work => {
  const { problems, cells } = at(rows, row, 'row of the index');
  const [position, sample] = [Math.floor(place / samples), place % samples];
  return {
    key: at(at(cells, position, 'cells of an image'), sample, 'cell'),
    sample,
    position,
    traced: position < traced && sample === 0,
    problem: at(problems, position, 'problem of a row'),
    image: at(images, position, 'image'),
  };
};

/** Every sample of a row; none where the row is skipped. */
export const workOfRow = (index: CellIndex, row: number): readonly Work[] =>
  at(index.rows, row, 'row of the index').cells.flatMap((samples, position) =>
    samples.map((_, sample) => workAt(index, row, position * index.samples + sample)),
  );

/** The samples of a task, in its order. */
export const workOf = (index: CellIndex, { row, cells }: Pick<ChunkTask, 'row' | 'cells'>): readonly Work[] =>
  cells.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => workAt(index, row, first + i));
  });

const rangesOf = (places: readonly number[]): string => {
  const ranges: [first: number, last: number][] = [];
  for (const place of places) {
    const range = ranges.at(-1);
    if (range?.[1] === place - 1) range[1] = place;
    else ranges.push([place, place]);
  }
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join();
};

/** The name of a chunk of cells, in any order. */
const chunkKey = (keys: readonly string[]): string => identify([...keys].sort());

/** Work of one row on images of one shape, as tasks of at most `size` samples. */
export const tasksOf = (
  { samples }: CellIndex,
  { row, shape }: Pick<ChunkTask, 'row' | 'shape'>,
  work: readonly Work[],
  size: number,
): readonly ChunkTask[] =>
  Array.from({ length: Math.ceil(work.length / size) }, (_, i) => {
    const items = work.slice(i * size, (i + 1) * size);
    return {
      key: chunkKey(items.map(({ key }) => key)),
      row,
      shape,
      cells: rangesOf(items.map(({ position, sample }) => position * samples + sample)),
    };
  });
