/** Large models: the weights go to a file, from which ONNX Runtime maps or reads them; then it is removed. */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '@tweedie/core';
import { constantBytes, encode } from './encode.ts';
import type { Value } from './graph.ts';

/** A model of more constants than this is read from files; smaller ones stay in memory. A model in memory may have 2 GB at most. */
const IN_MEMORY = 2 ** 22;
/** What is mapped into memory has to start at a page. */
const PAGE = 2 ** 12;

/** The model as bytes or as the path of a file, for as long as `use` runs. */
export async function withModel<T>(inputs: readonly Value[], outputs: readonly Value[], use: (model: Uint8Array | string) => Promise<T>): Promise<T> {
  if (constantBytes(outputs) < IN_MEMORY) return use(encode(inputs, outputs));
  const folder = mkdtempSync(join(tmpdir(), 'tweedie-model-'));
  try {
    return await use(writeModel(inputs, outputs, folder, 'model'));
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Writes `<name>.onnx` and, beside it, `<name>.weights`; gives the path of the first. */
export function writeModel(inputs: readonly Value[], outputs: readonly Value[], folder: string, name: string): string {
  const weights = `${name}.weights`;
  const path = join(folder, `${name}.onnx`);
  let file: number | undefined;
  let end = 0;
  const append = (bytes: Uint8Array): number => {
    file ??= openSync(join(folder, weights), 'w');
    const place = Math.ceil(end / PAGE) * PAGE;
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, place + done);
    end = place + bytes.length;
    return place;
  };
  try {
    writeFileSync(path, encode(inputs, outputs, { name: weights, append }));
    return path;
  } catch (cause) {
    throw new Error(`jit: the compiled model could not be written to ${folder}: ${messageOf(cause)}. Make room there, or name another folder in TMPDIR.`, { cause });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
