import type { AdmConfig } from '../src/index.ts';

/** FFHQ 256 and unconditional ImageNet 256 (docs/methods.md 7.1). */
export const ffhq: AdmConfig = {
  image_size: 256,
  num_channels: 128,
  num_res_blocks: 1,
  channel_mult: '',
  attention_resolutions: 16,
  num_heads: 4,
  num_head_channels: 64,
  learn_sigma: true,
  use_scale_shift_norm: true,
  resblock_updown: true,
  use_new_attention_order: false,
};
export const imagenet: AdmConfig = { ...ffhq, num_channels: 256, num_res_blocks: 2, attention_resolutions: '32,16,8' };

/** The smallest without attention: images of any size. */
export const convolutional: AdmConfig = {
  image_size: 8,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1,2',
  attention_resolutions: 'none',
};

/** The smallest that has everything: two levels, attention, resampling both ways. */
export const smallest: AdmConfig = {
  image_size: 4,
  num_channels: 32,
  num_res_blocks: 1,
  channel_mult: '1,2',
  attention_resolutions: '2',
  num_heads: 4,
  learn_sigma: true,
};
