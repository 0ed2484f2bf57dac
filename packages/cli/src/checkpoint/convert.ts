import { existsSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Card, ConfigError } from '@tweedie/core';
import { createFiles, OTHER_FILE, writeParts, writeWhole } from '@tweedie/files';
import { convertCheckpoint, inspectCheckpoint, openDiffusers, recognised } from '@tweedie/networks';

type Request = {
  readonly path: string;
  readonly out: string;
  readonly half: boolean;
  readonly cards: readonly Card[];
  /** The card that the user names. */
  readonly given: Card | undefined;
  readonly signal: AbortSignal;
};
type Converted = {
  readonly written: string;
  readonly notes: readonly string[];
  readonly model: { readonly id: string; readonly options: Readonly<Record<string, unknown>> };
};

/** Writes a checkpoint as safetensors; of a folder of diffusers a folder, with its two configurations. */
export async function convertFile({ path, out, half, cards, given, signal }: Request): Promise<Converted> {
  const files = createFiles(process.cwd());
  const [source, target] = [files.resolve(path), resolve(out)];
  if (existsSync(target) && existsSync(source) && realpathSync(target) === realpathSync(source))
    throw new ConfigError(out, 'is the file that is to be converted.', OTHER_FILE);
  const inspection = await inspectCheckpoint(path, files);
  const [found, ...others] = recognised(inspection, path, cards);
  const card = given ?? (others.length === 0 ? found : undefined);
  const settings = { half, ...(card && { card }) };
  if (statSync(source).isDirectory()) {
    const { found: parts } = await openDiffusers(path, files);
    const { parts: bytes, notes } = await convertCheckpoint(parts.weights, files, inspection, settings);
    await writeParts(join(target, 'diffusion_pytorch_model.safetensors'), bytes, signal);
    writeWhole(join(target, 'config.json'), parts.unet.text, OTHER_FILE);
    writeWhole(join(target, 'scheduler_config.json'), parts.scheduler.text, OTHER_FILE);
    return { written: target, notes, model: { id: card?.id ?? 'diffusers', options: { folder: out } } };
  }
  const { parts, model, notes } = await convertCheckpoint(path, files, inspection, settings);
  await writeParts(target, parts, signal);
  return {
    written: `${target}, ${statSync(target).size.toLocaleString('en-US')} bytes`,
    notes,
    model: { id: model.id, options: { weights: out, ...model.options } },
  };
}
