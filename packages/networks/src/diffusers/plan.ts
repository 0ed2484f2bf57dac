/** The layers of a UNet2DModel and its tensors, by their names in its state dict. */
import { ConfigError } from '@tweedie/core';
import type { Resampling } from '../adm-config.ts';
import { type Parameter, weightAndBias } from '../parameters.ts';
import type { BlockKind, DiffusersConfig } from './config.ts';

export type ResnetLayer = {
  readonly kind: 'resnet';
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly resample: Resampling;
  /** What the sum of both ways is divided by. */
  readonly divisor: number;
};
export type AttentionLayer = {
  readonly kind: 'attention';
  readonly name: string;
  readonly channels: number;
  readonly heads: number;
  /** Without it there is no norm. */
  readonly groups?: number;
  readonly divisor: number;
};
type SamplingLayer = {
  readonly kind: 'down' | 'up';
  readonly name: string;
  readonly channels: number;
};
export type DiffusersLayer = ResnetLayer | AttentionLayer | SamplingLayer;

export type DiffusersPlan = {
  /** Width of the learned time embedding. */
  readonly embedding: number;
  /** Each leaves its state for the way up. */
  readonly down: readonly (readonly DiffusersLayer[])[];
  readonly middle: readonly DiffusersLayer[];
  /** `joins`: the state of the way down is appended first. */
  readonly up: readonly { readonly joins: boolean; readonly layers: readonly DiffusersLayer[] }[];
};

/** The layers in the order they run. Throws ConfigError where the configuration makes none. */
export function diffusersPlan(config: DiffusersConfig, where: string): DiffusersPlan {
  const { channels, depth, groups, headChannels } = config;
  const resnet = (name: string, inputs: number, outputs: number, resample: Resampling = 'none', divisor = 1) =>
    ({ kind: 'resnet', name, inputs, outputs, resample, divisor }) as const;
  const attention = (name: string, width: number, norm: number | undefined, divisor = 1): AttentionLayer => {
    const heads = headChannels === undefined ? 1 : width / headChannels;
    if (!Number.isInteger(heads))
      throw new ConfigError(
        where,
        `${name} has ${width} channels, which heads of ${headChannels} (attention_head_dim) do not divide.`,
        'Correct the file: attention_head_dim is channels a head, null is one head.',
      );
    return {
      kind: 'attention',
      name,
      channels: width,
      heads,
      ...(norm === undefined ? {} : { groups: norm }),
      divisor,
    };
  };
  const sampler = (block: string, kind: BlockKind, to: 'down' | 'up', width: number): DiffusersLayer => {
    const type = to === 'down' ? config.downType : config.upType;
    const name = `${block}.${to}samplers.0`;
    const inResnet = kind === 'resnet' || (kind === 'attention' && type === 'resnet');
    return inResnet ? resnet(name, width, width, to) : { kind: to, name: `${name}.conv`, channels: width };
  };
  const body = (block: string, j: number, kind: BlockKind, inputs: number, outputs: number): DiffusersLayer[] => [
    resnet(`${block}.resnets.${j}`, inputs, outputs),
    ...(kind === 'attention' ? [attention(`${block}.attentions.${j}`, outputs, groups)] : []),
  ];

  let width = channels[0] ?? 0;
  const skips = [width];
  const down: DiffusersLayer[][] = [];
  config.down.forEach((kind, level) => {
    const [block, outputs] = [`down_blocks.${level}`, channels[level] ?? 0];
    for (let j = 0; j < depth; j++) {
      down.push(body(block, j, kind, width, outputs));
      skips.push((width = outputs));
    }
    if (level === channels.length - 1) return;
    down.push([sampler(block, kind, 'down', width)]);
    skips.push(width);
  });

  const ofMiddle = config.middleNormGroups ?? (config.scaleShift ? undefined : groups);
  const middle = config.middle
    ? [
        resnet('mid_block.resnets.0', width, width, 'none', config.middleScale),
        ...(config.middleAttention ? [attention('mid_block.attentions.0', width, ofMiddle, config.middleScale)] : []),
        resnet('mid_block.resnets.1', width, width, 'none', config.middleScale),
      ]
    : [];

  const up: { joins: boolean; layers: DiffusersLayer[] }[] = [];
  config.up.forEach((kind, index) => {
    const [block, level] = [`up_blocks.${index}`, channels.length - 1 - index];
    const outputs = channels[level] ?? 0;
    for (let j = 0; j <= depth; j++) {
      up.push({ joins: true, layers: body(block, j, kind, width + (skips.pop() ?? 0), outputs) });
      width = outputs;
    }
    if (level > 0) up.push({ joins: false, layers: [sampler(block, kind, 'up', width)] });
  });
  return { embedding: config.timeWidth ?? 4 * (channels[0] ?? 0), down, middle, up };
}

/** All tensors of the network, with today's names. */
export function diffusersParameters(config: DiffusersConfig, where: string): readonly Parameter[] {
  const plan = diffusersPlan(config, where);
  const [first = 0] = config.channels;
  const layers = [...plan.down.flat(), ...plan.middle, ...plan.up.flatMap((step) => step.layers)];
  return [
    ...weightAndBias('time_embedding.linear_1', [plan.embedding, first]),
    ...weightAndBias('time_embedding.linear_2', [plan.embedding, plan.embedding]),
    ...(config.classes === undefined
      ? []
      : [{ name: 'class_embedding.weight', shape: [config.classes, plan.embedding] }]),
    ...weightAndBias('conv_in', [first, config.inChannels, 3, 3]),
    ...layers.flatMap((layer) => ofLayer(layer, plan.embedding, config.scaleShift)),
    ...weightAndBias('conv_norm_out', [first]),
    ...weightAndBias('conv_out', [config.outChannels, first, 3, 3]),
  ];
}

function ofLayer(layer: DiffusersLayer, embedding: number, scaleShift: boolean): Parameter[] {
  const { name } = layer;
  switch (layer.kind) {
    case 'down':
    case 'up':
      return weightAndBias(name, [layer.channels, layer.channels, 3, 3]);
    case 'attention':
      return [
        ...(layer.groups === undefined ? [] : weightAndBias(`${name}.group_norm`, [layer.channels])),
        ...['to_q', 'to_k', 'to_v', 'to_out.0'].flatMap((part) =>
          weightAndBias(`${name}.${part}`, [layer.channels, layer.channels]),
        ),
      ];
    case 'resnet': {
      const { inputs, outputs } = layer;
      return [
        ...weightAndBias(`${name}.norm1`, [inputs]),
        ...weightAndBias(`${name}.conv1`, [outputs, inputs, 3, 3]),
        ...weightAndBias(`${name}.time_emb_proj`, [scaleShift ? 2 * outputs : outputs, embedding]),
        ...weightAndBias(`${name}.norm2`, [outputs]),
        ...weightAndBias(`${name}.conv2`, [outputs, outputs, 3, 3]),
        ...(inputs === outputs ? [] : weightAndBias(`${name}.conv_shortcut`, [outputs, inputs, 1, 1])),
      ];
    }
  }
}
