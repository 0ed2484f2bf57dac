import type { Cost } from '@tweedie/core';

/** One finished unit of work: a sample of a problem by a method. */
export type Cell = {
  /** Hash of everything that the sample depends on. */
  readonly key: string;
  readonly problem: string;
  readonly image: string;
  readonly operator: string;
  readonly sigmaY: number;
  readonly label: string;
  readonly method: string;
  readonly sample: number;
  readonly started: Date;
  readonly finished: Date;
  /** Wall clock of sampling, compilation left out: the chunk's time over the chunk's size. */
  readonly seconds: number;
  readonly cost: Cost;
  /** Compilation while the chunk ran; 0 for most chunks. */
  readonly compileSeconds: number;
  readonly chunk: number;
  /** Largest resident memory seen while the chunk ran, bytes. */
  readonly peakMemory: number;
  /** SHA-256 of the float32 sample; absent where it failed. */
  readonly sampleHash?: string;
  /** Key of the file that the sample is in; absent where it has a file of its own, as in format 1. */
  readonly file?: string;
  readonly failure?: { readonly step: number; readonly reason: string };
};
export type NewCell = Omit<Cell, 'sampleHash' | 'file'> & { readonly x?: Float32Array };

/** The keys of those cells that are there and did not fail. */
export const soundOf = (keys: readonly string[], cells: ReadonlyMap<string, Cell>): readonly string[] =>
  keys.filter((key) => {
    const cell = cells.get(key);
    return cell !== undefined && cell.failure === undefined;
  });

/** A score of a cell by the metric whose identity hashes to `metric`. */
export type Score = { readonly cell: string; readonly metric: string; readonly value: number };

/** How the reason of a failure begins where no process could finish the cell: it is drawn again by the next run. */
export const LOST = 'its process ended';
