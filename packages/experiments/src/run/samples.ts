import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, decodeSafetensors, encodeSafetensors, sha256, type ImageShape } from '@tweedie/core';
import { writeWhole } from '../machine/write.ts';

/** Samples of a run folder, one file each, that are seen to be what was drawn whenever they are read. */
export interface SampleFiles {
  /** Writes a sample and gives its hash. */
  write(key: string, x: Float32Array, imageShape: ImageShape): string;
  /** Whether the sample with this hash is there. One that is damaged is not, which is said once. */
  holds(key: string, hash: string | undefined): boolean;
  /** Whether a sample has been written or asked for, so that its hash is known. */
  knows(key: string): boolean;
  /** The numbers of a sample that is known; throws ConfigError where they no longer have its hash. */
  read(key: string): Float32Array;
}

const sampleHash = (x: Float32Array): string => sha256(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));

export const sampleFiles = (folder: string, warn: (message: string) => void): SampleFiles => {
  const pathOf = (key: string): string => join(folder, 'samples', `${key}.safetensors`);
  const hashes = new Map<string, string | undefined>();
  const whole = new Set<string>();
  const damaged = new Set<string>();

  /** The sample that a file holds; undefined where it is not the one that was stored. */
  const soundIn = (path: string, hash: string | undefined): Float32Array | undefined => {
    try {
      const x = decodeSafetensors(readFileSync(path), path).get('x');
      return x?.dtype === 'F32' && sampleHash(x.data) === hash ? x.data : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    write(key, x, imageShape) {
      writeWhole(pathOf(key), encodeSafetensors(new Map([['x', { dtype: 'F32', shape: [...imageShape], data: x }]])));
      const hash = sampleHash(x);
      hashes.set(key, hash);
      whole.add(key);
      return hash;
    },
    holds(key, hash) {
      const path = pathOf(key);
      hashes.set(key, hash);
      if (!existsSync(path)) return false;
      if (whole.has(key)) return true;
      if (soundIn(path, hash)) whole.add(key);
      else if (!damaged.has(key)) {
        damaged.add(key);
        warn(`[${path}] is damaged and counts as not drawn: the command of the run draws this sample again.`);
      }
      return whole.has(key);
    },
    knows: (key) => hashes.has(key),
    read(key) {
      const x = soundIn(pathOf(key), hashes.get(key));
      if (x !== undefined) return x;
      throw new ConfigError(
        pathOf(key),
        'no longer holds the sample that was stored there.',
        'Run the command of the run again: it draws this sample anew.',
      );
    },
  };
};
