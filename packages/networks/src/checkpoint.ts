import { createHash } from 'node:crypto';
import { ConfigError, type Files, openSafetensors, type SafetensorsEntry } from '@tweedie/core';
import { networkNames } from './checkpoints/network-names.ts';
import { isKind } from './checkpoints/pickle-names.ts';
import { stateDictOf } from './checkpoints/state-dict.ts';
import { isTorchFile, openTorchFile } from './checkpoints/torch-file.ts';
import { readTorchTensor } from './checkpoints/torch-tensor.ts';

/** Tensors in PyTorch's layout, read one at a time: the largest networks do not fit into memory twice. */
export interface Checkpoint {
  /** The path of the file, which errors begin with. */
  readonly source: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Free text that the file carries. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Which weights of several were taken, which prefix was taken off, what was left out: for the user. */
  readonly notes: readonly string[];
  read(name: string): Promise<Float32Array>;
}

/** The tensors of a file as it names them. */
export type StoredTensors = {
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  read(name: string): Promise<SafetensorsEntry>;
};

/**
 * The tensors of a file of any format: safetensors, or what torch.save writes, as a zip archive or as pickles
 * (`.pt`, `.pth`, `.ckpt`, `.bin`). Of a training checkpoint the weights, averaged before running ones. No code of a
 * file is run. Throws ConfigError where it is not sound, saying what it is.
 */
export async function openTensors(path: string, files: Files): Promise<StoredTensors> {
  const head = await files.readRange(path, 0, Math.min(16, await files.size(path)));
  if (!isTorchFile(head)) {
    const { entries, metadata, read } = await openSafetensors(path, files);
    return { shapes: shapesOf(entries), metadata, notes: [], read };
  }
  const { layout, value } = await openTorchFile(path, files);
  if (layout === 'pickle' && value instanceof Map && isKind(value.get('ema'), 'object'))
    throw new ConfigError(path, 'is a network snapshot of NVlabs/edm, not a state dict.', 'Take model/edm for it.');
  const { tensors, notes } = stateDictOf(value, path);
  return {
    shapes: shapesOf(tensors),
    metadata: {},
    notes,
    async read(name) {
      const tensor = tensors.get(name);
      if (tensor === undefined)
        throw new ConfigError(path, `has no tensor "${name}".`, 'Correct the name, or take the file that has it.');
      return readTorchTensor(tensor);
    },
  };
}

const shapesOf = (
  tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>,
): ReadonlyMap<string, readonly number[]> => new Map([...tensors].map(([name, { shape }]) => [name, shape]));

/**
 * The network in a file (`openTensors`), under its own names: what stands before them (`module.`,
 * `model.diffusion_model.`) is taken off, averaged weights go before running ones. Half and double precision become
 * float32. Throws ConfigError where the file is not sound, or holds several networks.
 */
export const openCheckpoint = async (path: string, files: Files): Promise<Checkpoint> =>
  networkIn(await openTensors(path, files), path);

/** The same of tensors that are open already. */
export function networkIn({ shapes, metadata, notes, read }: StoredTensors, path: string): Checkpoint {
  const names = networkNames([...shapes.keys()], path);
  const own = new Map([...names.stored].map(([name, stored]) => [name, shapes.get(stored) ?? []]));
  return {
    ...checkpointOf(path, own, (name) => read(names.stored.get(name) ?? name)),
    metadata,
    notes: [...notes, ...names.notes],
  };
}

/** Tensors by their names as a checkpoint, whose numbers are float32. */
export const checkpointOf = (
  source: string,
  shapes: Checkpoint['shapes'],
  read: (name: string) => Promise<SafetensorsEntry>,
): Checkpoint => ({
  source,
  shapes,
  metadata: {},
  notes: [],
  async read(name) {
    const { dtype, data } = await read(name);
    if (data instanceof Float32Array) return data;
    if (data instanceof Float64Array) return Float32Array.from(data);
    throw new ConfigError(
      source,
      `tensor "${name}" holds ${dtype}, not floating-point numbers.`,
      'Store weights as F32, F16, BF16 or F64.',
    );
  },
});

const bytesAtOnce = 1 << 26;

/** SHA-256 of a file of any size. */
export async function fileHash(path: string, files: Files): Promise<string> {
  const hash = createHash('sha256');
  const size = await files.size(path);
  for (let begin = 0; begin < size; begin += bytesAtOnce)
    hash.update(await files.readRange(path, begin, Math.min(size, begin + bytesAtOnce)));
  return hash.digest('hex');
}
