import {
  ConfigError,
  type Context,
  fromEpsilonNetwork,
  messageOf,
  type NoiseProcess,
  noiseProcess,
  type ProcessOptions,
  type ScoreModel,
  toVe,
} from '@tweedie/core';
import { type AdmConfig, admPlan } from './adm-config.ts';
import { admPrediction, processOfTable } from './adm-model.ts';
import type { AdmUnet } from './adm-unet.ts';
import { openCheckpoint } from './checkpoint.ts';
import { edmDenoiser } from './edm-denoiser.ts';
import { unetOfFile, withSizes } from './unet-of-file.ts';

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

/** Whether a file says which network its weights belong to, as `tweedie train` writes it. */
export const isTrainedFile = (metadata: Readonly<Record<string, string>>): boolean => metadata[KEY] !== undefined;

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

/** The prediction of a trained network, in the units of any process whose levels it knows. */
export function trainedPredict({ network, prediction }: NetworkCard, unet: AdmUnet): ScoreModel['predict'] {
  const { imageSize, inChannels, outChannels } = admPlan(network);
  if (prediction.kind === 'ddpm')
    return fromEpsilonNetwork({
      imageShape: [imageSize, imageSize, inChannels],
      process: trainedProcess(prediction, {}),
      weightsHash: () => '',
      network: (x, t) => admPrediction(unet(x, t), outChannels > inChannels),
    }).predict;
  const [least, most] = [Math.log(prediction.sigma_min) / 4, Math.log(prediction.sigma_max) / 4];
  const denoise = edmDenoiser((x, t) => unet(x, t.clipByValue(least, most)), prediction.sigma_data);
  return (xt, level) => denoise(toVe(xt, level), level.sigma);
}

/**
 * The process that a trained network is seen through: any for a denoiser of all levels, otherwise the table that it was
 * trained on, as VP or VE.
 */
export function trainedProcess(prediction: TrainedPrediction, options: Partial<ProcessOptions>): NoiseProcess {
  if (prediction.kind === 'edm') return noiseProcess(options);
  const { noise_schedule: schedule, diffusion_steps: trainingSteps } = prediction;
  return processOfTable({ schedule, trainingSteps }, options.kind ?? 'vp');
}

/**
 * A U-Net that `tweedie train` made as a prior, from its file alone: configuration, prediction and levels stand in the
 * metadata. One trained with the EDM loss is a denoiser D(z; sigma) of VE states z = xt / signal at any sigma, so it
 * serves every process; one trained with the DDPM loss keeps its table of levels and takes `kind` alone. Range [-1, 1].
 * Without attention it takes images of any size. Throws ConfigError where the file is not such a file (at once) or its
 * tensors do not fit (at `load`).
 */
export async function trainedModel(
  path: string,
  process: Partial<ProcessOptions>,
  context: Pick<Context, 'files' | 'note'>,
): Promise<ScoreModel> {
  const { files } = context;
  const card = cardOf((await openCheckpoint(path, files)).metadata, files.resolve(path));
  const { imageSize, multipleOf, inChannels, outChannels } = admPlan(card.network);
  const { unet, ...file } = unetOfFile(card.network, path, context);
  const model: ScoreModel = {
    imageShape: [imageSize, imageSize, inChannels],
    process: trainedProcess(card.prediction, process),
    range: [-1, 1],
    predictsVariance: outChannels > inChannels,
    ...file,
    predict: trainedPredict(card, unet),
  };
  return withSizes(model, multipleOf);
}
