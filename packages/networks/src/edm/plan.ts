/** The parts of a SongUNet or a DhariwalUNet and its tensors, by their names in the state dict. */
import { ConfigError } from '@tweedie/core';
import type { Resampling } from '../adm-config.ts';
import { type Parameter, weightAndBias } from '../parameters.ts';

/** A network of NVlabs/edm; the names of its arguments there are in comments where they differ. */
export type EdmConfig = {
  readonly type: 'song' | 'dhariwal';
  /** img_resolution */
  readonly size: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** label_dim; 0: no classes. */
  readonly classes: number;
  /** model_channels */
  readonly width: number;
  /** channel_mult */
  readonly multipliers: readonly number[];
  /** channel_mult_emb */
  readonly embeddingMultiplier: number;
  /** num_blocks */
  readonly depth: number;
  /** attn_resolutions */
  readonly attentionAt: readonly number[];
  /** embedding_type */
  readonly embedding: 'positional' | 'fourier';
  /** channel_mult_noise */
  readonly noiseMultiplier: number;
  /** encoder_type */
  readonly encoder: 'standard' | 'residual' | 'skip';
  /** decoder_type */
  readonly decoder: 'standard' | 'skip';
  /** resample_filter, not normalised */
  readonly filter: readonly number[];
};

export type EdmBlock = {
  readonly kind: 'block';
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly resample: Resampling;
  /** 0: no attention. */
  readonly heads: number;
  /** How the input comes to the sum: as it is, or through a 1 x 1 convolution. */
  readonly projects: boolean;
};
type EncoderStep =
  | EdmBlock
  | { readonly kind: 'stem'; readonly name: string; readonly inputs: number; readonly outputs: number }
  /** The picture, convolved and halved on a way of its own, is added. */
  | { readonly kind: 'residual'; readonly name: string; readonly inputs: number; readonly outputs: number }
  /** The picture, halved on a way of its own, is added through a 1 x 1 convolution. */
  | { readonly kind: 'skip'; readonly name: string; readonly inputs: number; readonly outputs: number };
type DecoderStep =
  | (EdmBlock & { readonly joins: boolean })
  /** An output of this level, added to that of the deeper ones. */
  | { readonly kind: 'output'; readonly norm: string; readonly conv: string; readonly channels: number };

export type EdmPlan = { readonly encoder: readonly EncoderStep[]; readonly decoder: readonly DecoderStep[] };

const channelsOfHead = 64;
/** min(32, C / 4) groups, so that each has at least four channels. */
export const groupsOf = (channels: number): number => Math.min(32, Math.floor(channels / 4));

/** The parts in the order they run. Throws ConfigError where the configuration makes no network. */
export function edmPlan(config: EdmConfig, where: string): EdmPlan {
  const { type, size, width, multipliers, depth } = config;
  if (multipliers.length === 0 || size % 2 ** (multipliers.length - 1) !== 0)
    throw new ConfigError(
      where,
      `a network of ${multipliers.length} levels cannot take images of ${size} pixels.`,
      'Fetch the file again, or give the configuration that the network was trained with.',
    );
  const widths = multipliers.map((multiplier) => width * multiplier);
  const narrow = [width, ...widths].find((each) => each < 4 || each % groupsOf(each) !== 0);
  if (narrow !== undefined)
    throw new ConfigError(
      where,
      `a level has ${narrow} channels, which norm groups of at least four do not divide.`,
      'Fetch the file again, or give the configuration that the network was trained with.',
    );
  const block = (
    name: string,
    inputs: number,
    outputs: number,
    attention: boolean,
    resample: Resampling = 'none',
  ): EdmBlock => ({
    kind: 'block',
    name,
    inputs,
    outputs,
    resample,
    heads: !attention ? 0 : type === 'song' ? 1 : Math.floor(outputs / channelsOfHead),
    projects: inputs !== outputs || (type === 'song' && resample !== 'none'),
  });
  const placeOf = (part: 'enc' | 'dec', level: number): string => {
    const pixels = size / 2 ** level;
    return `${part}.${pixels}x${pixels}`;
  };
  const attends = (level: number): boolean => config.attentionAt.includes(size / 2 ** level);

  const encoder: EncoderStep[] = [];
  let [channels, picture] = [config.inChannels, config.inChannels];
  const skips: number[] = [];
  widths.forEach((outputs, level) => {
    const at = placeOf('enc', level);
    if (level === 0) {
      const stem = type === 'song' ? width : outputs;
      encoder.push({ kind: 'stem', name: `${at}_conv`, inputs: channels, outputs: stem });
      skips.push((channels = stem));
    } else {
      encoder.push(block(`${at}_down`, channels, channels, false, 'down'));
      skips.push(channels);
      if (config.encoder === 'residual') {
        encoder.push({ kind: 'residual', name: `${at}_aux_residual`, inputs: picture, outputs: channels });
        picture = channels;
      }
      if (config.encoder === 'skip')
        encoder.push({ kind: 'skip', name: `${at}_aux_skip`, inputs: picture, outputs: channels });
    }
    for (let j = 0; j < depth; j++) {
      encoder.push(block(`${at}_block${j}`, channels, outputs, attends(level)));
      skips.push((channels = outputs));
    }
  });

  const decoder: DecoderStep[] = [];
  for (const [level, outputs] of [...widths.entries()].reverse()) {
    const at = placeOf('dec', level);
    if (level === widths.length - 1) {
      decoder.push({ ...block(`${at}_in0`, channels, channels, true), joins: false });
      decoder.push({ ...block(`${at}_in1`, channels, channels, false), joins: false });
    } else decoder.push({ ...block(`${at}_up`, channels, channels, false, 'up'), joins: false });
    for (let j = 0; j <= depth; j++) {
      const attention = attends(level) && (type === 'dhariwal' || j === depth);
      const inputs = channels + (skips.pop() ?? 0);
      decoder.push({ ...block(`${at}_block${j}`, inputs, outputs, attention), joins: true });
      channels = outputs;
    }
    if (type === 'dhariwal' && level === 0)
      decoder.push({ kind: 'output', norm: 'out_norm', conv: 'out_conv', channels });
    if (type === 'song' && (level === 0 || config.decoder === 'skip'))
      decoder.push({ kind: 'output', norm: `${at}_aux_norm`, conv: `${at}_aux_conv`, channels });
  }
  return { encoder, decoder };
}

/** Numbers of the embedding of the noise level, and of what is learned from it. */
export const embeddingWidths = ({ type, width, noiseMultiplier, embeddingMultiplier }: EdmConfig) => ({
  noise: type === 'song' ? width * noiseMultiplier : width,
  embedding: width * embeddingMultiplier,
});

/** All tensors that the network computes with: no filters, and not those of augmentation. */
export function edmParameters(config: EdmConfig, where: string): readonly Parameter[] {
  const { encoder, decoder } = edmPlan(config, where);
  const { noise, embedding } = embeddingWidths(config);
  const { classes } = config;
  const label = !classes
    ? []
    : config.type === 'song'
      ? weightAndBias('map_label', [noise, classes])
      : [{ name: 'map_label.weight', shape: [embedding, classes] }];
  return [
    ...(config.embedding === 'fourier' ? [{ name: 'map_noise.freqs', shape: [noise / 2] }] : []),
    ...label,
    ...weightAndBias('map_layer0', [embedding, noise]),
    ...weightAndBias('map_layer1', [embedding, embedding]),
    ...encoder.flatMap((step) => {
      if (step.kind === 'block') return ofBlock(step, embedding, config.type);
      const taps = step.kind === 'skip' ? 1 : 3;
      return weightAndBias(step.name, [step.outputs, step.inputs, taps, taps]);
    }),
    ...decoder.flatMap((step) =>
      step.kind === 'block'
        ? ofBlock(step, embedding, config.type)
        : [
            ...weightAndBias(step.norm, [step.channels]),
            ...weightAndBias(step.conv, [config.outChannels, step.channels, 3, 3]),
          ],
    ),
  ];
}

function ofBlock(block: EdmBlock, embedding: number, type: EdmConfig['type']): Parameter[] {
  const { name, inputs, outputs, heads, projects } = block;
  return [
    ...weightAndBias(`${name}.norm0`, [inputs]),
    ...weightAndBias(`${name}.conv0`, [outputs, inputs, 3, 3]),
    ...weightAndBias(`${name}.affine`, [type === 'song' ? outputs : 2 * outputs, embedding]),
    ...weightAndBias(`${name}.norm1`, [outputs]),
    ...weightAndBias(`${name}.conv1`, [outputs, outputs, 3, 3]),
    ...(projects ? weightAndBias(`${name}.skip`, [outputs, inputs, 1, 1]) : []),
    ...(heads === 0
      ? []
      : [
          ...weightAndBias(`${name}.norm2`, [outputs]),
          ...weightAndBias(`${name}.qkv`, [3 * outputs, outputs, 1, 1], { rows: rowsByRole(outputs) }),
          ...weightAndBias(`${name}.proj`, [outputs, outputs, 1, 1]),
        ]),
  ];
}

/** The places of the rows all q, all k, all v among rows that are q, k, v of one channel after the other. */
const rowsByRole = (channels: number): readonly number[] =>
  Array.from({ length: 3 * channels }, (_, row) => (row % channels) * 3 + Math.floor(row / channels));
