import { at, ConfigError } from '@tweedie/core';

/**
 * The configuration of a guided-diffusion U-Net, with the names and defaults of its files; what only training needs is
 * left out.
 */
export type AdmConfig = {
  readonly image_size: number;
  readonly num_channels: number;
  readonly num_res_blocks: number;
  /** Channels of each level in units of `num_channels`, as '1,2,2'; '' is the usual list of the image size. */
  readonly channel_mult?: string;
  /** Sizes in pixels, 16 or '32,16,8', at which attention follows a residual block; 'none': there is none. */
  readonly attention_resolutions: string | number;
  readonly num_heads?: number;
  /** Channels of one head; -1: as many heads as `num_heads`. */
  readonly num_head_channels?: number;
  /** Heads on the way up; -1: as `num_heads`. */
  readonly num_heads_upsample?: number;
  /** The output carries a second half, the fraction of the log variance. */
  readonly learn_sigma?: boolean;
  /** The time embedding scales and shifts the second norm of a block; otherwise it is added before it. */
  readonly use_scale_shift_norm?: boolean;
  /** Residual blocks resample; otherwise layers of their own do. */
  readonly resblock_updown?: boolean;
  /** Layers that resample convolve: with stride 2 down, after enlarging up. */
  readonly conv_resample?: boolean;
  /** The rows of the attention projection are all q, all k, all v; otherwise q, k, v head by head. */
  readonly use_new_attention_order?: boolean;
  readonly in_channels?: number;
  /** The network is told one of `num_classes` classes, which is added to the time embedding. */
  readonly class_cond?: boolean;
  readonly num_classes?: number;
  /** Blocks of so many pixels squared become channels before the first layer, and pixels again behind the last one. */
  readonly patch_size?: number;
};

export type Resampling = 'none' | 'down' | 'up';
type Convolution = {
  readonly kind: 'convolution';
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
};
export type ResBlock = {
  readonly kind: 'residual';
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly resample: Resampling;
};
type Attention = {
  readonly kind: 'attention';
  readonly name: string;
  readonly channels: number;
  readonly heads: number;
};
type Resample = {
  readonly kind: 'resample';
  readonly name: string;
  readonly channels: number;
  readonly to: 'down' | 'up';
  readonly convolve: boolean;
};
export type Layer = Convolution | ResBlock | Attention | Resample;
/**
 * A block of layers that run one after the other. Each block of the way down leaves its state for a block of the way
 * up.
 */
export type Block = { readonly name: string; readonly layers: readonly Layer[] };

export type AdmPlan = {
  readonly imageSize: number;
  /** What the sides of an image must be whole multiples of, where there is no attention; else they are `imageSize`. */
  readonly multipleOf?: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Side of the blocks of pixels that the layers see as channels. */
  readonly patch: number;
  /** Width of the sinusoidal embedding; the learned one is four times as wide. */
  readonly timeWidth: number;
  readonly scaleShift: boolean;
  /** How many classes a conditional network knows. */
  readonly classes?: number;
  /** Whether the rows of qkv are grouped by head. */
  readonly headByHead: boolean;
  readonly down: readonly Block[];
  readonly middle: readonly Block[];
  readonly up: readonly Block[];
  /** Channels of the state that the output is made from. */
  readonly lastChannels: number;
};

export const normGroups = 32;
/** The usual `channel_mult` of an image size. */
export const usualMultipliers: Readonly<Record<number, string>> = {
  512: '0.5,1,1,2,2,4,4',
  256: '1,1,2,2,4,4',
  128: '1,1,2,3,4',
  64: '1,2,3,4',
};
const where = 'adm-unet';

/** The blocks of a configuration (docs/methods.md 7.2). Throws ConfigError where it makes no network. */
export function admPlan(config: AdmConfig): AdmPlan {
  const { image_size: imageSize, num_channels: width, num_res_blocks: depth, in_channels: inChannels = 3 } = config;
  const { num_heads: heads = 4, num_head_channels: headChannels = -1, num_heads_upsample: headsUp = -1 } = config;
  const { patch_size: patch = 1, num_classes: classes = 1000 } = config;
  const { learn_sigma: learnSigma = false, resblock_updown: inBlocks = false, conv_resample: convolve = true } = config;
  for (const [name, value] of Object.entries({
    image_size: imageSize,
    num_channels: width,
    num_res_blocks: depth,
    in_channels: inChannels,
    ...(headChannels === -1 ? { num_heads: heads } : {}),
    patch_size: patch,
    num_classes: classes,
  })) {
    if (!Number.isInteger(value) || value < 1)
      throw new ConfigError(
        where,
        `${name} is ${value}, not a whole number above 0.`,
        'Copy it from the configuration that the network was trained with.',
      );
  }
  const levels = multipliers(config).map((multiplier) => Math.trunc(multiplier * width));
  const attends = config.attention_resolutions !== 'none';
  const attentionAt = attends
    ? numbers('attention_resolutions', String(config.attention_resolutions), '16,8').map((pixels) =>
        Math.floor(imageSize / pixels),
      )
    : [];
  const multipleOf = patch * 2 ** (levels.length - 1);
  if (imageSize % multipleOf !== 0) {
    const divided = patch === 1 ? '' : ` divided by patch_size ${patch}`;
    throw new ConfigError(
      where,
      `image_size ${imageSize}${divided} cannot be halved ${levels.length - 1} times.`,
      `Give an image size for the ${levels.length} levels of channel_mult, or fewer levels.`,
    );
  }
  for (const channels of levels) {
    if (channels < 1 || channels % normGroups !== 0)
      throw new ConfigError(
        where,
        `a level has ${channels} channels, which ${normGroups} norm groups do not divide.`,
        'Choose num_channels and channel_mult accordingly.',
      );
  }

  const residual = (name: string, inputs: number, outputs: number, resample: Resampling = 'none'): ResBlock => ({
    kind: 'residual',
    name,
    inputs,
    outputs,
    resample,
  });
  const attention = (name: string, channels: number, count: number): Attention => {
    const own = headChannels === -1 ? count : channels / headChannels;
    if (!Number.isInteger(own) || own < 1 || channels % own !== 0) {
      throw new ConfigError(
        where,
        `${name} has ${channels} channels, which ${headChannels === -1 ? `${count} heads` : `heads of ${headChannels}`} do not divide.`,
        'Correct num_heads or num_head_channels.',
      );
    }
    return { kind: 'attention', name, channels, heads: own };
  };
  const resample = (name: string, channels: number, to: 'down' | 'up'): Layer =>
    inBlocks ? residual(name, channels, channels, to) : { kind: 'resample', name, channels, to, convolve };

  let channels = levels[0] ?? width;
  let downsampling = patch;
  const down: Block[] = [
    {
      name: 'input_blocks.0',
      layers: [{ kind: 'convolution', name: 'input_blocks.0.0', inputs: inChannels * patch ** 2, outputs: channels }],
    },
  ];
  const skips = [channels];
  levels.forEach((outputs, level) => {
    for (let i = 0; i < depth; i++) {
      const name = `input_blocks.${down.length}`;
      const first = residual(`${name}.0`, channels, outputs);
      down.push({
        name,
        layers: attentionAt.includes(downsampling) ? [first, attention(`${name}.1`, outputs, heads)] : [first],
      });
      channels = outputs;
      skips.push(channels);
    }
    if (level === levels.length - 1) return;
    const name = `input_blocks.${down.length}`;
    down.push({ name, layers: [resample(`${name}.0`, channels, 'down')] });
    skips.push(channels);
    downsampling *= 2;
  });

  const layers = [
    residual('middle_block.0', channels, channels),
    ...(attends ? [attention('middle_block.1', channels, heads)] : []),
    residual('middle_block.2', channels, channels),
  ];
  const middle = layers.map((layer) => ({ name: layer.name, layers: [layer] }));

  const up: Block[] = [];
  for (const [level, outputs] of [...levels.entries()].reverse()) {
    for (let i = 0; i <= depth; i++) {
      const name = `output_blocks.${up.length}`;
      const own: Layer[] = [
        residual(`${name}.0`, channels + at(skips.splice(-1), 0, 'state of the way down'), outputs),
      ];
      if (attentionAt.includes(downsampling))
        own.push(attention(`${name}.1`, outputs, headsUp === -1 ? heads : headsUp));
      if (level > 0 && i === depth) {
        own.push(resample(`${name}.${own.length}`, outputs, 'up'));
        downsampling /= 2;
      }
      up.push({ name, layers: own });
      channels = outputs;
    }
  }
  return {
    imageSize,
    ...(attends ? {} : { multipleOf }),
    inChannels,
    outChannels: learnSigma ? 2 * inChannels : inChannels,
    patch,
    timeWidth: width,
    scaleShift: config.use_scale_shift_norm ?? true,
    ...(config.class_cond ? { classes } : {}),
    headByHead: !(config.use_new_attention_order ?? false),
    down,
    middle,
    up,
    lastChannels: channels,
  };
}

function multipliers({ image_size: imageSize, channel_mult: list = '' }: AdmConfig): readonly number[] {
  const text = list === '' ? usualMultipliers[imageSize] : list;
  if (text === undefined) {
    throw new ConfigError(
      where,
      `channel_mult is not given, and image_size ${imageSize} has no usual one; ${Object.entries(usualMultipliers)
        .map(([size, usual]) => `${size} has '${usual}'`)
        .join(', ')}.`,
      "Copy channel_mult from the configuration that the network was trained with, or correct image_size; '1,2,2' is three levels, each half the size of the one before.",
    );
  }
  return numbers('channel_mult', text, '1,2,2');
}

function numbers(name: string, text: string, example: string): readonly number[] {
  const list = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (!list.every((value) => value > 0 && Number.isFinite(value)))
    throw new ConfigError(where, `${name} '${text}' is not a list of numbers above 0.`, `Write it as '${example}'.`);
  return list;
}
