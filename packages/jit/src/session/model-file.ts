/**
 * Writes models to files. The weights of large ones go to a file of their own, from which ONNX Runtime maps or reads
 * them.
 */
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { messageOf, temporaryFolder } from '@tweedie/core';
import { constantBytes } from '../passes/fixed.ts';
import { encode, type Model } from './encode.ts';

/**
 * A model of more constants than this is read from files; smaller ones stay in memory. A model in memory may have 2 GB
 * at most.
 */
const IN_MEMORY = 2 ** 22;
const isLarge = ({ outputs }: Model): boolean => constantBytes(outputs) >= IN_MEMORY;
/** The size of a page in bytes: a tensor that is mapped into memory has to start at one. */
const PAGE = 2 ** 12;

/** Hands the model to `use`, as bytes or as the path of a file that exists for as long as `use` runs. */
export async function withModel<T>(model: Model, use: (model: Uint8Array | string) => Promise<T>): Promise<T> {
  if (!isLarge(model)) return use(encode(model));
  const folder = written(tmpdir(), () => temporaryFolder('model'));
  try {
    return await use(written(folder, () => writeWithWeights(model, folder, 'model').path));
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

function written<T>(folder: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    throw new Error(
      `jit: the compiled model could not be written to ${folder}: ${messageOf(cause)}. Make room there, or name another folder in TMPDIR.`,
      { cause },
    );
  }
}

export type ModelFiles = { readonly path: string; readonly weights: string | undefined };

/** Writes `<name>.onnx` and, where there are many constants, `<name>.weights` beside it. */
export function writeModel(model: Model, folder: string, name: string): ModelFiles {
  if (isLarge(model)) return writeWithWeights(model, folder, name);
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, encode(model));
  return { path, weights: undefined };
}

function writeWithWeights(model: Model, folder: string, name: string): ModelFiles {
  const path = join(folder, `${name}.onnx`);
  const weights = join(folder, `${name}.weights`);
  const file = openSync(weights, 'w');
  let end = 0;
  const append = (bytes: Uint8Array): number => {
    const place = Math.ceil(end / PAGE) * PAGE;
    for (let done = 0; done < bytes.length;) done += writeSync(file, bytes, done, bytes.length - done, place + done);
    end = place + bytes.length;
    return place;
  };
  try {
    writeFileSync(path, encode(model, { name: basename(weights), append }));
    return { path, weights };
  } finally {
    closeSync(file);
  }
}
