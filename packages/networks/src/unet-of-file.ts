import type { Context, ImageShape, ScoreModel } from '@tweedie/core';
import type { AdmConfig } from './adm-config.ts';
import { type AdmUnet, admUnet } from './adm-unet.ts';
import { admWeights } from './adm-weights.ts';
import { type Checkpoint, fileHash, openCheckpoint } from './checkpoint.ts';
import { loadedOnce } from './loaded-once.ts';

/** Tells the user which of several weights of a file were taken. */
export const noteTaken = ({ notes, source }: Checkpoint, { files, note }: Pick<Context, 'files' | 'note'>): void => {
  if (notes.length > 0) note?.(`[${files.resolve(source)}] ${notes.join('; ')}.`);
};

/**
 * A network of guided diffusion whose weights are read once, when they are wanted. Which of several weights were taken
 * is noted.
 */
export function unetOfFile(
  config: AdmConfig,
  path: string,
  context: Pick<Context, 'files' | 'note'>,
): { readonly unet: AdmUnet } & Required<Pick<ScoreModel, 'load' | 'weightsHash' | 'dispose'>> {
  const { network, ...file } = loadedOnce(async () => {
    const checkpoint = await openCheckpoint(path, context.files);
    const weights = await admWeights(config, checkpoint);
    noteTaken(checkpoint, context);
    return {
      network: admUnet(config, weights),
      hash: await fileHash(path, context.files),
      tensors: weights.values(),
    };
  });
  return { unet: (x, t, labels) => network()(x, t, labels), ...file };
}

/** The model that takes images of any size where its network does: one of another shape shares its weights. */
export function withSizes(model: ScoreModel, multipleOf: number | undefined): ScoreModel {
  if (multipleOf === undefined) return model;
  return { ...model, sizes: { multipleOf, forShape: (imageShape: ImageShape) => ({ ...model, imageShape }) } };
}
