/** The configuration files of diffusers: a UNet2DModel and its scheduler. */
import { ConfigError, suggest } from '@tweedie/core';
import { betaKinds, type BetaTable } from '../beta-tables.ts';
import { type PredictionType, predictionTypes } from '../predictions.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A UNet2DModel, with the defaults of the class where its file is silent. */
export type DiffusersConfig = {
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly center: boolean;
  readonly sineFirst: boolean;
  readonly frequencyShift: number;
  readonly timeWidth?: number;
  readonly down: readonly BlockKind[];
  readonly up: readonly BlockKind[];
  readonly middle: boolean;
  readonly middleAttention: boolean;
  readonly middleScale: number;
  readonly middleNormGroups?: number;
  readonly channels: readonly number[];
  readonly depth: number;
  readonly downPadding: number;
  readonly downType: 'conv' | 'resnet';
  readonly upType: 'conv' | 'resnet';
  /** Channels of one attention head; without it there is one head. */
  readonly headChannels?: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly scaleShift: boolean;
  readonly classes?: number;
};
export type BlockKind = 'plain' | 'attention' | 'resnet';

const blocks: Readonly<Record<string, BlockKind>> = {
  DownBlock2D: 'plain',
  AttnDownBlock2D: 'attention',
  ResnetDownsampleBlock2D: 'resnet',
  UpBlock2D: 'plain',
  AttnUpBlock2D: 'attention',
  ResnetUpsampleBlock2D: 'resnet',
};

/** Fields of a configuration by their names; an absent one has the default of its class, null is a value of its own. */
function reader(fields: Fields, where: string) {
  const wrong = (name: string, wanted: string): ConfigError =>
    new ConfigError(
      where,
      `${name} is ${JSON.stringify(fields[name])}, ${wanted}.`,
      'Only networks with it can be read: give another checkpoint, or correct the file.',
    );
  const given = (name: string, usual: unknown): unknown => (Object.hasOwn(fields, name) ? fields[name] : usual);
  const number = (name: string, usual: number | undefined, least = 0): number => {
    const value = given(name, usual);
    if (typeof value !== 'number' || !(value >= least)) throw wrong(name, `not a number from ${least} up`);
    return value;
  };
  const count = (name: string, usual: number | undefined): number => {
    const value = number(name, usual, 1);
    if (!Number.isInteger(value) || value > 1e6) throw wrong(name, 'not a whole number');
    return value;
  };
  const optional = (name: string, usual: number | undefined): number | undefined =>
    given(name, usual ?? null) === null ? undefined : count(name, usual);
  const flag = (name: string, usual: boolean): boolean => {
    const value = given(name, usual);
    if (typeof value !== 'boolean') throw wrong(name, 'neither true nor false');
    return value;
  };
  const oneOf = <T extends string>(name: string, usual: T, valid: readonly T[]): T => {
    const value = given(name, usual);
    const found = valid.find((each) => each === value);
    if (found === undefined) throw wrong(name, `and read are ${valid.join(', ')}`);
    return found;
  };
  const list = <T>(name: string, is: (value: unknown) => value is T): readonly T[] => {
    const value = given(name, undefined);
    if (!Array.isArray(value) || value.length === 0 || !value.every(is))
      throw wrong(name, 'not a list as it should be');
    return value;
  };
  return { given, number, count, optional, flag, oneOf, list, wrong };
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 1e6;
const isText = (value: unknown): value is string => typeof value === 'string';

/** The network of a config.json. Throws ConfigError, naming the field, where it is one that is not implemented. */
export function diffusersConfig(fields: Fields, where: string): DiffusersConfig {
  const read = reader(fields, where);
  read.oneOf('_class_name', 'UNet2DModel', ['UNet2DModel']);
  read.oneOf('time_embedding_type', 'positional', ['positional']);
  read.oneOf('act_fn', 'silu', ['silu']);
  if (read.given('class_embed_type', null) !== null) throw read.wrong('class_embed_type', 'only null is read');
  const channels = read.list('block_out_channels', isCount);
  const kinds = (name: 'down_block_types' | 'up_block_types', part: 'Down' | 'Up'): readonly BlockKind[] => {
    const names = read.list(name, isText).map((each) => each.replace(/^UNetRes/, ''));
    const valid = Object.keys(blocks).filter((each) => each.includes(part));
    const unknown = names.find((each) => !valid.includes(each));
    if (unknown !== undefined)
      throw new ConfigError(
        where,
        `${name} names ${JSON.stringify(unknown)}, which is not implemented.`,
        suggest(unknown, valid),
      );
    if (names.length !== channels.length)
      throw read.wrong(name, `of another length than the ${channels.length} levels of block_out_channels`);
    return names.map((each) => blocks[each] ?? 'plain');
  };
  const size = read.given('sample_size', null);
  const [height, width] = isCount(size) ? [size, size] : Array.isArray(size) && size.every(isCount) ? size : [];
  if (height === undefined || width === undefined)
    throw read.wrong('sample_size', 'not the size of an image: write it into the file as [height, width]');
  const [groups, epsilon] = [read.count('norm_num_groups', 32), read.number('norm_eps', 1e-5)];
  const narrow = channels.find((each) => each % groups !== 0);
  if (narrow !== undefined)
    throw read.wrong('norm_num_groups', `which do not divide the ${narrow} channels of a level`);
  const odd = [height, width].find((side) => side % 2 ** (channels.length - 1) !== 0);
  if (odd !== undefined) throw read.wrong('sample_size', `which cannot be halved ${channels.length - 1} times`);
  const downPadding = read.number('downsample_padding', 1);
  if (downPadding !== 0 && downPadding !== 1) throw read.wrong('downsample_padding', 'and read are 0, 1');
  const scale = read.oneOf('resnet_time_scale_shift', 'default', ['default', 'scale_shift']);
  const headChannels = read.optional('attention_head_dim', 8);
  const middleType = read.given('mid_block_type', 'UNetMidBlock2D');
  if (middleType !== 'UNetMidBlock2D' && middleType !== null)
    throw read.wrong('mid_block_type', 'which is not implemented');
  const middleNormGroups = read.optional('attn_norm_num_groups', undefined);
  const timeWidth = read.optional('time_embedding_dim', undefined);
  const classes = read.optional('num_class_embeds', undefined);
  return {
    height,
    width,
    inChannels: read.count('in_channels', 3),
    outChannels: read.count('out_channels', 3),
    center: read.flag('center_input_sample', false),
    sineFirst: !read.flag('flip_sin_to_cos', true),
    frequencyShift: read.number('freq_shift', 0),
    down: kinds('down_block_types', 'Down'),
    up: kinds('up_block_types', 'Up'),
    middle: middleType !== null,
    middleAttention: read.flag('add_attention', true),
    middleScale: read.number('mid_block_scale_factor', 1, 1e-6),
    ...(middleNormGroups === undefined ? {} : { middleNormGroups }),
    channels,
    depth: read.count('layers_per_block', 2),
    downPadding,
    downType: read.oneOf('downsample_type', 'conv', ['conv', 'resnet']),
    upType: read.oneOf('upsample_type', 'conv', ['conv', 'resnet']),
    ...(headChannels === undefined ? {} : { headChannels }),
    groups,
    epsilon,
    scaleShift: scale === 'scale_shift',
    ...(timeWidth === undefined ? {} : { timeWidth }),
    ...(classes === undefined ? {} : { classes }),
  };
}

/** Table of betas and prediction type of a scheduler_config.json; what its sampler does is of no concern. */
export function schedulerConfig(
  fields: Fields,
  where: string,
): { readonly table: BetaTable; readonly prediction: PredictionType } {
  const read = reader(fields, where);
  if (['num_train_timesteps', 'beta_schedule', 'trained_betas'].every((name) => fields[name] === undefined))
    throw new ConfigError(
      where,
      `the scheduler ${JSON.stringify(fields['_class_name'])} has no table of betas, which the network was trained on.`,
      'Give the scheduler_config.json of the training: a DDPMScheduler or one like it.',
    );
  const betas = read.given('trained_betas', null) === null ? undefined : read.list('trained_betas', isNumber);
  return {
    table: {
      kind: read.oneOf('beta_schedule', 'linear', betaKinds),
      steps: betas?.length ?? read.count('num_train_timesteps', 1000),
      start: read.number('beta_start', 1e-4),
      end: read.number('beta_end', 0.02),
      ...(betas ? { betas } : {}),
      zeroSnr: read.flag('rescale_betas_zero_snr', false),
    },
    prediction: read.oneOf('prediction_type', 'epsilon', predictionTypes),
  };
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
