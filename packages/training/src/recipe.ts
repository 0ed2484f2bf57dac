import { basename, dirname, extname, join, resolve } from 'node:path';
import { asReference, ConfigError, type JsonSchema, type PluginReference, readJson, validate } from '@tweedie/core';
import { readDocument } from '@tweedie/files';
import { type AdmConfig, admPlan } from '@tweedie/networks';

/** What a network sees: crops of images. */
export type TrainingData = {
  readonly dataset: PluginReference;
  /** A crop is so many times the network's size, brought down to it by means. */
  readonly scales: readonly number[];
  readonly flip: 'none' | 'horizontal' | 'dihedral';
};
export type EdmLoss = {
  readonly kind: 'edm';
  readonly sigma_data: number;
  /** Mean and standard deviation of ln sigma. */
  readonly mean: number;
  readonly std: number;
};
export type DdpmLoss = {
  readonly kind: 'ddpm';
  readonly noise_schedule: 'linear' | 'cosine';
  readonly diffusion_steps: number;
};
export type Optimizer = {
  readonly rate: number;
  /** Images over which the rate rises from zero, and the last images, over which it falls to zero. */
  readonly warmup: number;
  readonly cooldown: number;
  readonly betas: readonly [first: number, second: number];
  readonly weightDecay: number;
  readonly clip: number;
};

/** A training file, defaults filled in; `schemas/training.schema.json` describes every key. */
export type TrainingRecipe = {
  readonly title?: string;
  readonly seed: number;
  readonly data: TrainingData;
  readonly validation?: { readonly dataset: PluginReference; readonly count: number; readonly every: number };
  readonly network: AdmConfig;
  readonly loss: EdmLoss | DdpmLoss;
  /** Images seen in all. */
  readonly images: number;
  readonly batch: number;
  readonly optimizer: Optimizer;
  /** Half-life of the averaged weights, in images. */
  readonly ema: number;
  /** How the averaged weights are written. */
  readonly weights: 'F32' | 'F16';
  /** Minutes between checkpoints. */
  readonly checkpoint: number;
};

export type Training = {
  readonly recipe: TrainingRecipe;
  /** The name of the file without its ending. */
  readonly name: string;
  /** Where relative paths in it start. */
  readonly folder: string;
  readonly where: string;
};

type Written = Omit<TrainingRecipe, 'loss' | 'data' | 'validation'> & {
  readonly data: Omit<TrainingData, 'dataset'> & { readonly dataset: string | PluginReference };
  readonly validation?: Omit<Required<TrainingRecipe>['validation'], 'dataset'> & {
    readonly dataset: string | PluginReference;
  };
  readonly loss: { readonly kind: 'edm' | 'ddpm' } & Partial<Omit<EdmLoss, 'kind'> & Omit<DdpmLoss, 'kind'>>;
};

const schema = readJson(join(import.meta.dirname, '../schemas/training.schema.json')) as JsonSchema;

/** Reads a training file. Throws ConfigError with file, line and remedy. */
export function readTraining(file: string): Training {
  const { content, locating } = readDocument(file, {
    noun: 'training',
    keys: '"data" and "network"',
    start: 'Start from plugins/model-photo/photographs.train.yaml.',
  });
  return locating(() => {
    const { data, validation, loss, ...rest } = validate<Written>(schema, content(), file);
    const recipe: TrainingRecipe = {
      ...rest,
      data: { ...data, dataset: asReference(data.dataset) },
      ...(validation && { validation: { ...validation, dataset: asReference(validation.dataset) } }),
      loss: lossOf(loss, file),
    };
    admPlan(recipe.network);
    if (recipe.network.learn_sigma === true && recipe.loss.kind === 'edm')
      throw new ConfigError(
        `${file} /network/learn_sigma`,
        'a variance is learned with the DDPM loss alone.',
        'Leave it out, or set loss: { kind: ddpm }.',
      );
    return {
      recipe,
      name: basename(file, extname(file)).replace(/\.train$/, ''),
      folder: resolve(dirname(file)),
      where: file,
    };
  });
}

const usual = {
  edm: { sigma_data: 0.5, mean: -1.2, std: 1.2 },
  ddpm: { noise_schedule: 'linear', diffusion_steps: 1000 },
} as const;

function lossOf({ kind, ...given }: Written['loss'], file: string): EdmLoss | DdpmLoss {
  const other = Object.keys(given).find((key) => !Object.hasOwn(usual[kind], key));
  if (other !== undefined)
    throw new ConfigError(
      `${file} /loss/${other}`,
      `belongs to the ${kind === 'edm' ? 'ddpm' : 'edm'} loss, the kind is ${kind}.`,
      'Remove it, or change the kind.',
    );
  return { kind, ...usual[kind], ...given } as EdmLoss | DdpmLoss;
}
