/** The configuration of a network of guided diffusion from the names and shapes of its tensors. */
import { ConfigError } from '@tweedie/core';
import type { AdmConfig } from './adm-config.ts';
import { sizesIn } from './parameters.ts';

export type InferredAdm = {
  /** What the tensors tell. They tell no image size, heads, or order of attention's rows. */
  readonly config: Pick<AdmConfig, 'num_channels' | 'num_res_blocks'> &
    Required<
      Pick<
        AdmConfig,
        'channel_mult' | 'learn_sigma' | 'use_scale_shift_norm' | 'resblock_updown' | 'conv_resample' | 'in_channels'
      >
    > &
    Pick<AdmConfig, 'class_cond' | 'num_classes'>;
  /** How much smaller than the image the states are that attention follows; none where there is no attention. */
  readonly attentionFactors: readonly number[];
};

/**
 * Reads a state dict's shapes: widths and numbers of blocks, where attention is, how it resamples, what it gives.
 * Throws ConfigError where a tensor that tells is absent.
 */
export function inferredAdm(shapes: ReadonlyMap<string, readonly number[]>, where: string): InferredAdm {
  const sizeAt = sizesIn(shapes, where, 'a U-Net of guided diffusion');
  const names = [...shapes.keys()];
  const count = (part: string): number =>
    new Set(names.flatMap((name) => new RegExp(`^${part}\\.(\\d+)\\.`).exec(name)?.[1] ?? [])).size;
  const width = sizeAt('time_embed.0.weight', 1);
  const blocks = count('input_blocks');
  // The first block of the way up that enlarges is the last of its level. A bare enlargement has no tensors.
  const enlarges = (k: number): boolean =>
    [1, 2].some((layer) =>
      ['conv', 'in_layers.0'].some((part) => shapes.has(`output_blocks.${k}.${layer}.${part}.weight`)),
    );
  const first = Array.from({ length: blocks }, (_, k) => k).find(enlarges);
  // Without it there is one level, or its resampling has no tensors: then blocks without any are missing in between.
  const numbered = Array.from({ length: blocks }, (_, k) => k).every((k) =>
    names.some((name) => name.startsWith(`input_blocks.${k}.`)),
  );
  const gap = Array.from({ length: 1000 }, (_, k) => k + 1).find(
    (k) => !names.some((name) => name.startsWith(`input_blocks.${k}.`)),
  );
  const bare = first === undefined && !numbered;
  const depth = first ?? (bare ? (gap ?? 1) - 1 : blocks - 1);
  const last = Math.max(...names.map((name) => Number(/^input_blocks\.(\d+)\./.exec(name)?.[1] ?? 0)));
  const levels = (last + 1) / (depth + 1);
  if (!Number.isInteger(levels))
    throw new ConfigError(
      where,
      `its ${last + 1} input blocks do not make levels of ${depth} residual blocks.`,
      'Give the whole state dict of a U-Net of guided diffusion.',
    );
  const firstOf = (level: number): string => `input_blocks.${level * (depth + 1) + 1}`;
  const all = Array.from({ length: levels }, (_, level) => level);
  const outputs = sizeAt(`${firstOf(0)}.0.out_layers.3.weight`, 0);
  const classes = shapes.get('label_emb.weight')?.[0];
  const inChannels = sizeAt('input_blocks.0.0.weight', 1);
  return {
    config: {
      num_channels: width,
      num_res_blocks: depth,
      channel_mult: all.map((level) => sizeAt(`${firstOf(level)}.0.out_layers.3.weight`, 0) / width).join(','),
      learn_sigma: sizeAt('out.2.weight', 0) === 2 * inChannels,
      use_scale_shift_norm: sizeAt(`${firstOf(0)}.0.emb_layers.1.weight`, 0) === 2 * outputs,
      resblock_updown: levels > 1 && !bare && !names.some((name) => /^input_blocks\.\d+\.0\.op\./.test(name)),
      conv_resample: !bare,
      in_channels: inChannels,
      ...(classes === undefined ? {} : { class_cond: true, num_classes: classes }),
    },
    attentionFactors: all.filter((level) => shapes.has(`${firstOf(level)}.1.qkv.weight`)).map((level) => 2 ** level),
  };
}
