import { type Context, type ImageShape, type ScoreModel, tf } from '@tweedie/core';
import type { AdmConfig } from './adm-config.ts';
import { type AdmUnet, admUnet } from './adm-unet.ts';
import { admWeights } from './adm-weights.ts';
import { fileHash, openCheckpoint } from './checkpoint.ts';

/**
 * A network whose weights are read once, when they are wanted: the part of a model that has to do with its file. Which
 * of several weights were taken is noted.
 */
export function unetOfFile(
  config: AdmConfig,
  path: string,
  { files, note }: Pick<Context, 'files' | 'note'>,
): { readonly unet: AdmUnet } & Required<Pick<ScoreModel, 'load' | 'weightsHash' | 'dispose'>> {
  let loaded: { readonly unet: AdmUnet; readonly hash: string; readonly dispose: () => void } | undefined;
  const ready = () => {
    if (loaded === undefined) throw new Error('model: load() has not been called.');
    return loaded;
  };
  return {
    unet: (x, t) => ready().unet(x, t),
    weightsHash: () => ready().hash,
    async load() {
      if (loaded !== undefined) return;
      const checkpoint = await openCheckpoint(path, files);
      const tensors = await admWeights(config, checkpoint);
      if (checkpoint.notes.length > 0) note?.(`[${files.resolve(path)}] ${checkpoint.notes.join('; ')}.`);
      loaded = {
        unet: admUnet(config, tensors),
        hash: await fileHash(path, files),
        dispose: () => tf.dispose([...tensors.values()]),
      };
    },
    dispose() {
      loaded?.dispose();
      loaded = undefined;
    },
  };
}

/** The model that takes images of any size where its network does: one of another shape shares its weights. */
export function withSizes(model: ScoreModel, multipleOf: number | undefined): ScoreModel {
  if (multipleOf === undefined) return model;
  return { ...model, sizes: { multipleOf, forShape: (imageShape: ImageShape) => ({ ...model, imageShape }) } };
}
