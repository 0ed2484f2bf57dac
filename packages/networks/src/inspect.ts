/** What a checkpoint is, and the part of a recipe that uses it. */
import { type Files, sizeOf } from '@tweedie/core';
import { usualMultipliers } from './adm-config.ts';
import { inferredAdm } from './adm-inferred.ts';
import { fileHash, openCheckpoint } from './checkpoint.ts';
import { isTorchFile, openTorchFile } from './checkpoints/torch-file.ts';
import { openDiffusers } from './diffusers/model.ts';
import { openEdm } from './edm/file.ts';
import { isTrainedFile } from './trained-model.ts';

export type Inspection = {
  /** What it is, in words. */
  readonly format: string;
  readonly network: string;
  /** SHA-256 of the file; a folder has none. */
  readonly sha256?: string;
  /** Numbers of the network's tensors. */
  readonly parameters?: number;
  /** Which weights of several were taken, and what was left out. */
  readonly notes: readonly string[];
  /** What the tensors tell, for comparing with what is known of published checkpoints (`recognised`). */
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  /** For a recipe: `model`. */
  readonly model: { readonly id: string; readonly options: Readonly<Record<string, unknown>> };
  /** Options that the file does not tell, with what is known of them. */
  readonly asked: readonly (readonly [option: string, why: string])[];
};

const formats = {
  zip: 'zip archive of PyTorch',
  legacy: 'pickles of PyTorch, the layout before 1.6',
  pickle: 'pickle of NVlabs/edm',
  safetensors: 'safetensors',
} as const;

const numbersIn = (shapes: ReadonlyMap<string, readonly number[]>): number =>
  [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);

/**
 * Recognises a file or a folder of diffusers by its tensors. Nothing in it is run, and its numbers are not read but for
 * the hash. Throws ConfigError where it is no checkpoint, or of no family that can be read.
 */
export async function inspectCheckpoint(path: string, files: Files, imageSize?: number): Promise<Inspection> {
  const model = (id: string, options: Readonly<Record<string, unknown>>) => ({ id, options });
  if (await isFolder(path, files)) {
    const { config, prediction, found } = await openDiffusers(path, files);
    const { height, width, inChannels, classes } = config;
    const { shapes, notes } = await openCheckpoint(found.weights, files);
    return {
      format: 'folder of diffusers',
      network: `UNet2DModel, images ${height} x ${width} x ${inChannels}, predicts ${prediction}`,
      parameters: numbersIn(shapes),
      notes,
      facts: { family: 'diffusers', size: height, channels: inChannels, predicts: prediction },
      model: model('diffusers', { folder: path }),
      asked: classes === undefined ? [] : [['label', `0 to ${classes - 1}`]],
    };
  }
  const head = await files.readRange(path, 0, Math.min(16, await files.size(path)));
  const layout = isTorchFile(head) ? (await openTorchFile(path, files)).layout : 'safetensors';
  const sha256 = await fileHash(path, files);
  const edm = layout === 'pickle' ? await openEdm(path, files) : undefined;
  const checkpoint = edm?.checkpoint ?? (await openCheckpoint(path, files));
  const { shapes, notes, metadata } = checkpoint;
  const kept = keptOf(metadata);
  const card = kept.card === undefined ? {} : { card: kept.card };
  const facts = { format: formats[layout], sha256, parameters: numbersIn(shapes), notes };
  if (isTrainedFile(metadata))
    return {
      ...facts,
      network: 'U-Net that tweedie train made',
      facts: {},
      model: model('trained', { weights: path }),
      asked: [],
    };
  if (shapes.has('map_layer0.weight')) {
    const { config, preconditioning, kind } = edm ?? (await openEdm(path, files));
    const told = preconditioning?.kind ?? kind;
    const known = told ?? kept.options['preconditioning'];
    const type = config.type === 'song' ? 'SongUNet' : 'DhariwalUNet';
    return {
      ...facts,
      network: `${type} of NVlabs/edm, images ${config.size} x ${config.size} x ${config.inChannels}${known ? `, preconditioning ${known}` : ''}`,
      facts: {
        ...card,
        family: 'edm',
        type: config.type,
        size: config.size,
        channels: config.inChannels,
        classes: config.classes,
        embedding: config.embedding,
      },
      model: model('edm', { weights: path, ...(told === undefined ? kept.options : {}) }),
      asked: [
        ...(known ? [] : [['preconditioning', 'edm (most conversions), vp, ve or iddpm: not in the tensors'] as const]),
        ...(config.classes ? [['label', `0 to ${config.classes - 1}, or none`] as const] : []),
      ],
    };
  }
  const { config, attentionFactors: factors } = inferredAdm(shapes, path);
  const usual = Object.entries(usualMultipliers).find(([, list]) => list === config.channel_mult)?.[0];
  const size = imageSize ?? (usual === undefined ? undefined : Number(usual));
  const pixels = factors.map((factor) => (size === undefined ? `image_size/${factor}` : String(size / factor)));
  return {
    ...facts,
    network: `U-Net of guided diffusion, ${config.num_channels} channels, levels ${config.channel_mult}`,
    facts: {
      ...card,
      family: 'adm',
      ...config,
      classes: config.num_classes ?? 0,
      attention: factors.join(','),
    },
    model: model('ddpm-vp', {
      weights: path,
      ...(size === undefined ? {} : { image_size: size }),
      ...config,
      attention_resolutions: factors.length === 0 ? 'none' : pixels.join(','),
    }),
    asked: [
      ...(imageSize !== undefined
        ? []
        : [['image_size', usual ? `${usual} is usual for this channel_mult` : 'not in the tensors'] as const]),
      ['num_heads or num_head_channels', 'not in the tensors (FFHQ and ImageNet 256: num_head_channels 64)'],
      ['use_new_attention_order', 'not in the tensors; mostly false'],
      ['noise_schedule, diffusion_steps, rescale_timesteps', 'of the training; mostly linear, 1000, false'],
      ...(config.class_cond ? [['label', `0 to ${(config.num_classes ?? 1) - 1}`] as const] : []),
    ],
  };
}

/** What `convertCheckpoint` wrote of the file that it read: the card, and options that tensors do not tell. */
function keptOf(metadata: Readonly<Record<string, string>>): {
  readonly card?: string;
  readonly options: Readonly<Record<string, unknown>>;
} {
  try {
    const { card, model } = JSON.parse(metadata['tweedie_checkpoint'] ?? '{}') as {
      readonly card?: unknown;
      readonly model?: { readonly options?: Readonly<Record<string, unknown>> };
    };
    return { ...(typeof card === 'string' && { card }), options: model?.options ?? {} };
  } catch {
    return { options: {} };
  }
}

async function isFolder(path: string, files: Files): Promise<boolean> {
  return files.list(path).then(
    () => true,
    () => false,
  );
}
