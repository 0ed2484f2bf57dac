import {
  ConfigError,
  type Files,
  messageOf,
  noiseProcess,
  type ProcessOptions,
  type ScoreModel,
  toVe,
} from '@tweedie/core';
import { type AdmConfig, admPlan } from './adm-config.ts';
import { admModel } from './adm-model.ts';
import type { AdmUnet } from './adm-unet.ts';
import { openCheckpoint } from './checkpoint.ts';
import { edmDenoiser } from './edm-denoiser.ts';
import { unetOfFile } from './unet-of-file.ts';

/** How a network that `tweedie train` made says x0, and at which levels it was trained. */
export type TrainedPrediction =
  | {
      readonly kind: 'edm';
      /** Standard deviation of the data that the preconditioning takes for granted. */
      readonly sigma_data: number;
      /** The noise levels seen in training; beyond them the network is shown the nearest. */
      readonly sigma_min: number;
      readonly sigma_max: number;
    }
  | { readonly kind: 'ddpm'; readonly noise_schedule: 'linear' | 'cosine'; readonly diffusion_steps: number };

/** What a file of trained weights says of itself, as JSON under the key `tweedie` of its metadata. */
export type NetworkCard = { readonly network: AdmConfig; readonly prediction: TrainedPrediction };

const KEY = 'tweedie';

/** The metadata that `trainedModel` reads. */
export const cardMetadata = (card: NetworkCard): Readonly<Record<string, string>> => ({ [KEY]: JSON.stringify(card) });

function cardOf(metadata: Readonly<Record<string, string>>, source: string): NetworkCard {
  const text = metadata[KEY];
  if (text === undefined)
    throw new ConfigError(
      source,
      'does not say which network its weights belong to: it was not written by tweedie train.',
      'Take model/ddpm-vp or model/ddpm-ve and give the configuration as options.',
    );
  try {
    return JSON.parse(text) as NetworkCard;
  } catch (cause) {
    throw new ConfigError(source, `its card is not JSON (${messageOf(cause)}).`, 'Write the file again.', { cause });
  }
}

/**
 * A U-Net that `tweedie train` made as a prior, from its file alone: configuration, prediction and levels stand in the
 * metadata. One trained with the EDM loss is a denoiser D(z; sigma) of VE states z = xt / signal at any sigma, so it
 * serves every process; one trained with the DDPM loss keeps its table of levels and takes `kind` alone. Range [-1, 1].
 * Throws ConfigError where the file is not such a file (at once) or its tensors do not fit (at `load`).
 */
export async function trainedModel(
  path: string,
  process: Partial<ProcessOptions>,
  { files }: { readonly files: Files },
): Promise<ScoreModel> {
  const { network, prediction } = cardOf((await openCheckpoint(path, files)).metadata, files.resolve(path));
  if (prediction.kind === 'ddpm')
    return admModel(
      { ...network, ...prediction, weights: path, rescale_timesteps: false },
      { files },
      process.kind ?? 'vp',
    );

  const { imageSize, inChannels } = admPlan(network);
  const { unet, ...file } = unetOfFile(network, path, files);
  return {
    imageShape: [imageSize, imageSize, inChannels],
    process: noiseProcess(process),
    range: [-1, 1],
    ...file,
    predict(xt, level) {
      const seen: AdmUnet = (x, t) =>
        unet(x, t.clipByValue(Math.log(prediction.sigma_min) / 4, Math.log(prediction.sigma_max) / 4));
      return edmDenoiser(seen, prediction.sigma_data)(toVe(xt, level), level.sigma);
    },
  };
}
