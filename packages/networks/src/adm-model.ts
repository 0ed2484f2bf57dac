import {
  type Context,
  fromEpsilonNetwork,
  type Image,
  type NoiseProcess,
  noiseProcess,
  type ProcessOptions,
  type ScoreModel,
  tf,
  veProcess,
} from '@tweedie/core';
import { type AdmConfig, admPlan } from './adm-config.ts';
import { unetOfFile, withSizes } from './unet-of-file.ts';

/** The weights of a network and the diffusion it was trained with, by the names of guided diffusion. */
export type AdmTraining = {
  /** A file with the tensors of the state dict: safetensors, or what torch.save wrote. */
  readonly weights: string;
  readonly diffusion_steps: number;
  readonly noise_schedule: 'linear' | 'cosine';
  /** The network is shown t * 1000 / diffusion_steps. */
  readonly rescale_timesteps: boolean;
};

/** The options of a model plugin, defaults filled in. The last four stand in configuration files and are not used. */
export type AdmModelOptions = Required<Omit<AdmConfig, 'patch_size'>> &
  AdmTraining & {
    readonly in_channels: 1 | 3;
    readonly class_cond: false;
    readonly dropout: number;
    readonly use_checkpoint: boolean;
    readonly use_fp16: boolean;
  };

/**
 * What the output of the network says: epsilon and, in its second half where that is learned, v, the fraction (v + 1) /
 * 2 of the log variance.
 */
export function admPrediction(
  output: Image,
  learned: boolean,
): { readonly epsilon: Image; readonly varianceFraction?: Image } {
  if (!learned) return { epsilon: output };
  const [epsilon, v] = tf.split(output, 2, 3) as [Image, Image];
  return { epsilon, varianceFraction: v.add(1).div(2) };
}

/** The noise levels of a table of betas, seen as a VP or as a VE process. */
export function processOfTable(
  table: Pick<ProcessOptions, 'schedule' | 'trainingSteps'>,
  kind: 'vp' | 've',
): NoiseProcess {
  const trained = noiseProcess(table);
  return kind === 'vp' ? trained : veProcess(trained.table.map(({ sigma }) => sigma));
}

/**
 * A network of guided diffusion as a prior. It predicts epsilon from VP states; `kind` is the process that methods see
 * it through, with the same table of noise levels: as a VE model it is shown xt / sqrt(1 + sigma^2)
 * (docs/methods.md 1.5, 1.6). With `learn_sigma` the second half of its output v gives the fraction (v + 1) / 2 of the
 * log variance (docs/methods.md 2.3). x0hat has the range [-1, 1]. Without attention it takes images of any size.
 * Throws ConfigError where the configuration makes no network (at once) or the weights do not fit it (at `load`, naming
 * the tensor).
 */
export function admModel(
  options: AdmConfig & AdmTraining,
  context: Pick<Context, 'files' | 'note'>,
  kind: 'vp' | 've',
): ScoreModel {
  const {
    weights: path,
    diffusion_steps: trainingSteps,
    noise_schedule: schedule,
    rescale_timesteps: rescale,
  } = options;
  const { imageSize, multipleOf, inChannels, outChannels } = admPlan(options);
  const learned = outChannels > inChannels;
  const { unet, load, weightsHash, dispose } = unetOfFile(options, path, context);

  const model = fromEpsilonNetwork({
    imageShape: [imageSize, imageSize, inChannels],
    process: processOfTable({ schedule, trainingSteps }, kind),
    range: [-1, 1],
    weightsHash,
    network: (x, t) => admPrediction(unet(x, rescale ? t.mul(1000 / trainingSteps) : t), learned),
  });
  return withSizes({ ...model, predictsVariance: learned, load, dispose }, multipleOf);
}
