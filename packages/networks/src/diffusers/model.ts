import { ConfigError, type Context, type Files, messageOf, type ScoreModel, sha256 } from '@tweedie/core';
import { processOfBetas } from '../beta-tables.ts';
import { type Checkpoint, fileHash, openCheckpoint } from '../checkpoint.ts';
import { classLabels } from '../class-labels.ts';
import { loadedOnce } from '../loaded-once.ts';
import { readWeights } from '../parameters.ts';
import { tablePrediction } from '../predictions.ts';
import { noteTaken } from '../unet-of-file.ts';
import { diffusersConfig, schedulerConfig } from './config.ts';
import { diffusersParameters } from './plan.ts';
import { diffusersUnet } from './unet.ts';

export type DiffusersOptions = {
  /** The folder that `save_pretrained` wrote. */
  readonly folder: string;
  /** The process that methods see the prior through. */
  readonly kind: 'vp' | 've';
  /** The class of a conditional network. */
  readonly label?: number;
};

type Text = { readonly path: string; readonly text: string };
/** The files of a folder that make a model. */
type Found = { readonly unet: Text; readonly scheduler: Text; readonly weights: string };

const weightFiles = ['', '.fp16'].flatMap((variant) => [
  `diffusion_pytorch_model${variant}.safetensors`,
  `diffusion_pytorch_model${variant}.bin`,
]);

/** `unet/` and `scheduler/` with their files, or all files side by side. */
async function findFiles(folder: string, files: Files): Promise<Found> {
  const top = await files.list(folder);
  const placeOf = (part: string): string => (top.includes(`${part}/`) ? `${folder}/${part}` : folder);
  const unetFolder = placeOf('unet');
  const names = await files.list(unetFolder);
  const read = async (path: string): Promise<Text> => ({ path, text: await files.readText(path) });
  if (!names.includes('config.json'))
    throw new ConfigError(
      files.resolve(unetFolder),
      'has no config.json: it is not a folder of diffusers, or not a whole one.',
      'Give the folder that holds unet/ and scheduler/, or config.json, scheduler_config.json and the weights.',
    );
  const schedulerFolder = placeOf('scheduler');
  if (!(await files.list(schedulerFolder)).includes('scheduler_config.json'))
    throw new ConfigError(
      files.resolve(schedulerFolder),
      'has no scheduler_config.json, which says what noise the network was trained on.',
      'Fetch it from where the checkpoint is published.',
    );
  const weights = weightFiles.find((name) => names.includes(name));
  if (weights === undefined) {
    const index = names.find((name) => name.endsWith('.index.json'));
    throw new ConfigError(
      files.resolve(unetFolder),
      index === undefined
        ? `has no weights: none of ${weightFiles.join(', ')}.`
        : `holds weights in several files (${index}), which are not read.`,
      'Fetch the weights from where the checkpoint is published, in one file.',
    );
  }
  return {
    unet: await read(`${unetFolder}/config.json`),
    scheduler: await read(`${schedulerFolder}/scheduler_config.json`),
    weights: `${unetFolder}/${weights}`,
  };
}

function fieldsOf({ path, text }: Text): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(path, `is not JSON (${messageOf(cause)}).`, 'Fetch the file again.', { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new ConfigError(path, 'is not a JSON object.', 'Fetch the file again.');
}

/** What attention's maps are called in checkpoints before 2023. */
const oldNames: Readonly<Record<string, string>> = { query: 'to_q', key: 'to_k', value: 'to_v', proj_attn: 'to_out.0' };

/** A checkpoint under today's names; 1 x 1 convolutions of an attention are linear maps. */
export function withTodaysNames(checkpoint: Checkpoint): Checkpoint {
  const stored = new Map(
    [...checkpoint.shapes.keys()].map((name) => [
      name.replace(/(attentions\.\d+\.)(query|key|value|proj_attn)\./, (_, before: string, old: string) => {
        return `${before}${oldNames[old]}.`;
      }),
      name,
    ]),
  );
  const shapeOf = (name: string, old: string): readonly number[] => {
    const shape = checkpoint.shapes.get(old) ?? [];
    const isMap = /attentions\.\d+\.to_/.test(name) && shape.length === 4 && shape[2] === 1 && shape[3] === 1;
    return isMap ? shape.slice(0, 2) : shape;
  };
  return {
    ...checkpoint,
    shapes: new Map([...stored].map(([name, old]) => [name, shapeOf(name, old)])),
    read: (name) => checkpoint.read(stored.get(name) ?? name),
  };
}

/** What the files of a folder say, and where they are. */
export async function openDiffusers(folder: string, files: Files) {
  const found = await findFiles(folder, files);
  return {
    found,
    config: diffusersConfig(fieldsOf(found.unet), found.unet.path),
    ...schedulerConfig(fieldsOf(found.scheduler), found.scheduler.path),
  };
}

/**
 * A UNet2DModel of diffusers as a prior, from the folder that its `save_pretrained` wrote: configuration, table of
 * betas and prediction type are read there. Methods see it as a VP or as a VE model of the same levels. x0hat has the
 * range [-1, 1]. Throws ConfigError where the folder is not whole or asks for what is not implemented (at once), or the
 * weights do not fit (at `load`, naming the tensor).
 */
export async function diffusersModel(
  { folder, kind, label }: DiffusersOptions,
  context: Pick<Context, 'files' | 'note'>,
): Promise<ScoreModel> {
  const { files } = context;
  const { found, config, table, prediction } = await openDiffusers(folder, files);
  const parameters = diffusersParameters(config, found.unet.path);
  const labels = classLabels(config.classes, label, folder);
  const learned = config.outChannels === 2 * config.inChannels;
  if (!learned && config.outChannels !== config.inChannels)
    throw new ConfigError(
      found.unet.path,
      `out_channels is ${config.outChannels}, neither in_channels ${config.inChannels} nor twice that.`,
      'Only a network that gives an image, or an image and its variance, is a prior.',
    );
  const { network, ...file } = loadedOnce(async () => {
    const checkpoint = withTodaysNames(await openCheckpoint(found.weights, files));
    const weights = await readWeights(parameters, checkpoint);
    noteTaken(checkpoint, context);
    const hashes = [await fileHash(found.weights, files), found.unet.text, found.scheduler.text];
    return { network: diffusersUnet(config, weights), hash: sha256(hashes.join('\n')), tensors: weights.values() };
  });
  return {
    imageShape: [config.height, config.width, config.inChannels],
    process: processOfBetas(table, kind, found.scheduler.path),
    range: [-1, 1],
    predictsVariance: learned,
    ...labels.facts,
    ...file,
    predict: (xt, level, condition) =>
      tablePrediction({
        type: prediction,
        learned,
        network: (x, t) => network()(x, t, labels.rows(condition)),
      })(xt, level),
  };
}
