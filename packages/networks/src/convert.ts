/** A checkpoint of any format as safetensors, tensor by tensor. */
import { type Card, ConfigError, type Files, numberToHalf, safetensorsHead } from '@tweedie/core';
import { type Checkpoint, fileHash, openCheckpoint } from './checkpoint.ts';
import { isTorchFile, openTorchFile } from './checkpoints/torch-file.ts';
import { openEdm } from './edm/file.ts';
import { type Preconditioning, usualPreconditioning } from './edm/preconditioning.ts';
import type { Inspection } from './inspect.ts';

export type ConvertSettings = {
  /** Half floats: half the bytes, three to four digits. */
  readonly half?: boolean;
  /** The published checkpoint that it is, where that is known. */
  readonly card?: Card;
};
export type Conversion = {
  /** The bytes of the file, in order; each part is made when it is asked for. */
  readonly parts: AsyncIterable<Uint8Array>;
  /** For a recipe: `model`, to which the place of the file is still to be added. */
  readonly model: { readonly id: string; readonly options: Readonly<Record<string, unknown>> };
  readonly notes: readonly string[];
};

/** Options for what a pickle says of its denoiser and tensors do not. */
function preconditioningOptions(known: Preconditioning, path: string): Readonly<Record<string, unknown>> {
  if (known.kind === 'edm') return { preconditioning: 'edm', sigma_data: known.sigmaData };
  if (JSON.stringify(known) === JSON.stringify(usualPreconditioning[known.kind]))
    return { preconditioning: known.kind };
  throw new ConfigError(
    path,
    `its preconditioning ${known.kind} has numbers of its own (${JSON.stringify(known)}), which safetensors cannot keep.`,
    'Use the file as it is: model/edm reads it.',
  );
}

async function opened(
  path: string,
  files: Files,
): Promise<{ checkpoint: Checkpoint; options: Conversion['model']['options'] }> {
  const head = await files.readRange(path, 0, Math.min(16, await files.size(path)));
  const layout = isTorchFile(head) ? (await openTorchFile(path, files)).layout : 'safetensors';
  const checkpoint = layout === 'pickle' ? undefined : await openCheckpoint(path, files);
  if (checkpoint && !checkpoint.shapes.has('map_layer0.weight')) return { checkpoint, options: {} };
  const { whole, preconditioning, kind } = await openEdm(path, files);
  if (preconditioning) return { checkpoint: whole, options: preconditioningOptions(preconditioning, path) };
  return { checkpoint: whole, options: kind === undefined ? {} : { preconditioning: kind } };
}

/**
 * What was read of a file (`openCheckpoint`: averaged weights, prefixes taken off), as float32 or half floats, with
 * what is known of it as JSON under `tweedie_checkpoint` of the metadata. One tensor is in memory at a time. Throws
 * ConfigError where the file is not sound or a number does not fit half floats.
 */
export async function convertCheckpoint(
  path: string,
  files: Files,
  { model, facts }: Pick<Inspection, 'model' | 'facts'>,
  { half = false, card }: ConvertSettings = {},
): Promise<Conversion> {
  const { checkpoint, options: told } = await opened(path, files);
  const dtype = half ? ('F16' as const) : ('F32' as const);
  const names = [...checkpoint.shapes].sort(([a], [b]) => (a < b ? -1 : 1));
  const { weights: _, folder: __, ...own } = { ...model.options, ...told };
  const described = {
    ...(card && { card: card.id, title: card.title, page: card.page, licence: card.licence }),
    source: { name: path.split(/[\\/]/).at(-1), sha256: await fileHash(path, files) },
    weights: checkpoint.notes,
    ...(Object.keys(facts).length > 0 && { model: { id: model.id, options: own } }),
  };
  const head = safetensorsHead(
    names.map(([name, shape]) => [name, { dtype, shape }] as const),
    { format: 'pt', ...checkpoint.metadata, tweedie_checkpoint: JSON.stringify(described) },
  );
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    yield head;
    for (const [name] of names) {
      const values = await checkpoint.read(name);
      const written = half ? halves(values, name, path) : values;
      yield new Uint8Array(written.buffer, written.byteOffset, written.byteLength);
    }
  };
  return {
    parts: parts(),
    model: card ? { id: card.id, options: told } : { id: model.id, options: own },
    notes: checkpoint.notes,
  };
}

/** The largest number that is not rounded to infinity. */
const largestHalf = 65_519;

function halves(values: Float32Array, name: string, path: string): Uint16Array {
  const beyond = values.find((value) => Math.abs(value) > largestHalf);
  if (beyond !== undefined)
    throw new ConfigError(
      path,
      `tensor "${name}" holds ${beyond}, beyond what half floats hold.`,
      'Convert it to float32.',
    );
  return Uint16Array.from(values, numberToHalf);
}
