import {
  type Context,
  fromEpsilonNetwork,
  type Image,
  type NoiseProcess,
  noiseProcess,
  type ProcessOptions,
  type ScoreModel,
  type Tensor,
  toVe,
  veProcess,
} from '@tweedie/core';
import { type AdmConfig, admPlan } from './adm-config.ts';
import { classLabels } from './class-labels.ts';
import { preconditioned, usualPreconditioning } from './edm/preconditioning.ts';
import { splitOutput, tablePrediction } from './predictions.ts';
import { unetOfFile, withSizes } from './unet-of-file.ts';

const where = 'adm-unet';

/** The weights of a network and the diffusion it was trained with, by the names of guided diffusion. */
export type AdmTraining = {
  /** A file with the tensors of the state dict: safetensors, or what torch.save wrote. */
  readonly weights: string;
  readonly diffusion_steps: number;
  readonly noise_schedule: 'linear' | 'cosine';
  /** The network is shown t * 1000 / diffusion_steps. */
  readonly rescale_timesteps: boolean;
  /**
   * `vp`: it is shown 999 u(sigma), the continuous time of VPPrecond, in place of the table's t, as InverseBench
   * does.
   */
  readonly preconditioning?: 'table' | 'vp';
  /** The class of a conditional network. */
  readonly label?: number;
};

/** The options of a model plugin, defaults filled in. The last three stand in configuration files and are not used. */
export type AdmModelOptions = Required<Omit<AdmConfig, 'patch_size'>> &
  AdmTraining & {
    readonly in_channels: 1 | 3;
    readonly preconditioning: 'table' | 'vp';
    readonly dropout: number;
    readonly use_checkpoint: boolean;
    readonly use_fp16: boolean;
  };

/**
 * What the output of the network says: epsilon and, in its second half where that is learned, v, the fraction (v + 1) /
 * 2 of the log variance.
 */
export function admPrediction(
  whole: Image,
  learned: boolean,
): { readonly epsilon: Image; readonly varianceFraction?: Image } {
  const { output: epsilon, variance } = splitOutput(whole, learned);
  return { epsilon, ...variance };
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
  const { imageSize, multipleOf, inChannels, outChannels, classes } = admPlan(options);
  const learned = outChannels > inChannels;
  const labels = classLabels(classes, options.label, where);
  const { unet, ...file } = unetOfFile(options, path, context);
  const shown = (t: Tensor): Tensor => (rescale ? t.mul(1000 / trainingSteps) : t);
  const facts = {
    imageShape: [imageSize, imageSize, inChannels] as const,
    process: processOfTable({ schedule, trainingSteps }, kind),
    range: [-1, 1] as const,
    ...labels.facts,
    ...file,
  };
  if (options.preconditioning === 'vp') {
    const predict: ScoreModel['predict'] = (xt, level, condition) => {
      const network = (x: Image, time: Tensor) => splitOutput(unet(x, time, labels.rows(condition)), learned).output;
      return preconditioned(network, usualPreconditioning.vp)(toVe(xt, level), level.sigma);
    };
    return withSizes({ ...facts, predict }, multipleOf);
  }
  const predict: ScoreModel['predict'] =
    classes === undefined
      ? fromEpsilonNetwork({ ...facts, network: (x, t) => admPrediction(unet(x, shown(t)), learned) }).predict
      : (xt, level, condition) =>
          tablePrediction({ type: 'epsilon', learned, network: (x, t) => unet(x, shown(t), labels.rows(condition)) })(
            xt,
            level,
          );
  return withSizes({ ...facts, predict, predictsVariance: learned }, multipleOf);
}
