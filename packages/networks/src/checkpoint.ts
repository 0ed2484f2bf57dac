import { createHash } from 'node:crypto';
import { ConfigError, type Files, openSafetensors } from '@tweedie/core';

/** Tensors in PyTorch's layout, read one at a time: the largest networks do not fit into memory twice. */
export interface Checkpoint {
  /** The path of the file, which errors begin with. */
  readonly source: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Free text that the file carries. */
  readonly metadata: Readonly<Record<string, string>>;
  read(name: string): Promise<Float32Array>;
}

/**
 * The checkpoint in a safetensors file; half and double precision become float32. Throws ConfigError where the file is
 * not sound.
 */
export async function openCheckpoint(path: string, files: Files): Promise<Checkpoint> {
  const { entries, metadata, read } = await openSafetensors(path, files);
  return {
    source: path,
    shapes: new Map([...entries].map(([name, { shape }]) => [name, shape])),
    metadata,
    async read(name) {
      const { dtype, data } = await read(name);
      if (data instanceof Float32Array) return data;
      if (data instanceof Float64Array) return Float32Array.from(data);
      throw new ConfigError(
        path,
        `tensor "${name}" holds ${dtype}, not floating-point numbers.`,
        'Store weights as F32, F16, BF16 or F64.',
      );
    },
  };
}

const bytesAtOnce = 1 << 26;

/** SHA-256 of a file of any size. */
export async function fileHash(path: string, files: Files): Promise<string> {
  const hash = createHash('sha256');
  const size = await files.size(path);
  for (let begin = 0; begin < size; begin += bytesAtOnce)
    hash.update(await files.readRange(path, begin, Math.min(size, begin + bytesAtOnce)));
  return hash.digest('hex');
}
