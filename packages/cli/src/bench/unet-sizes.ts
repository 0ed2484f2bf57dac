import type { AdmConfig } from '@tweedie/networks';

const shared = {
  attention_resolutions: '16',
  num_head_channels: 64,
  learn_sigma: true,
  resblock_updown: true,
} as const;

export type UnetSize = {
  readonly config: AdmConfig & { readonly channel_mult: string; readonly num_head_channels: number };
  readonly batches: readonly number[];
  /** How often a call is timed at batch 1. */
  readonly repeats: number;
};

/**
 * What `bench unet` measures; large is the configuration for FFHQ 256, imagenet the unconditional one for ImageNet 256
 * (docs/methods.md 7.1).
 */
export const unetSizes = {
  small: {
    config: {
      ...shared,
      image_size: 32,
      num_channels: 64,
      num_res_blocks: 1,
      channel_mult: '1,2,2',
      num_head_channels: 32,
    },
    batches: [1, 4, 16],
    repeats: 30,
  },
  medium: {
    config: { ...shared, image_size: 64, num_channels: 128, num_res_blocks: 2, channel_mult: '1,2,2,2' },
    batches: [1, 4],
    repeats: 12,
  },
  large: {
    config: { ...shared, image_size: 256, num_channels: 128, num_res_blocks: 1, channel_mult: '1,1,2,2,4,4' },
    batches: [1, 4],
    repeats: 5,
  },
  imagenet: {
    config: {
      ...shared,
      image_size: 256,
      num_channels: 256,
      num_res_blocks: 2,
      channel_mult: '1,1,2,2,4,4',
      attention_resolutions: '32,16,8',
    },
    batches: [1],
    repeats: 3,
  },
} satisfies Readonly<Record<string, UnetSize>>;

export type UnetSizeName = keyof typeof unetSizes;

/** How often a call is timed at a batch size: fewer times where it takes longer, but enough for a median. */
export const repeatsOf = (size: UnetSizeName, batch: number): number =>
  Math.max(3, Math.round(unetSizes[size].repeats / batch));

/** Describes a network in a line. */
export function describeUnet({
  image_size: pixels,
  num_channels: channels,
  channel_mult: multipliers,
  num_res_blocks: blocks,
  attention_resolutions: attention,
  num_head_channels: head,
}: UnetSize['config']): string {
  return `${pixels}x${pixels}, ${channels} channels times ${multipliers}, ${blocks} residual block${blocks === 1 ? '' : 's'} a level, attention at ${attention} with heads of ${head}`;
}
