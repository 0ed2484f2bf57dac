import type { Files } from '@tweedie/core';

/** Bytes that are read by their place, so that a file of any size is never in memory as a whole. */
export interface ByteSource {
  readonly size: number;
  /** Bytes begin .. end - 1; both lie within `size`. */
  read(begin: number, end: number): Promise<Uint8Array>;
}

export const fileSource = async (path: string, files: Pick<Files, 'size' | 'readRange'>): Promise<ByteSource> => ({
  size: await files.size(path),
  read: (begin, end) => files.readRange(path, begin, end),
});

export const bytesSource = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: async (begin, end) => bytes.subarray(begin, end),
});

export const sliceOf = (source: ByteSource, begin: number, end: number): ByteSource => ({
  size: end - begin,
  read: (from, to) => source.read(begin + from, begin + to),
});
