import { type Image, type Tensor, tf } from '@tweedie/core';
import { normGroups } from './adm-config.ts';

const epsilon = 1e-5;

export type Affine = { readonly weight: Tensor; readonly bias: Tensor };

/**
 * Group norm with 32 groups, then y (1 + scale) + shift where they are given, as one multiplication and one addition per channel:
 *   y = x * a + b,   a = weight (1 + scale) / std,   b = bias (1 + scale) + shift - mean * a
 * with mean and std of the group, from the channels' sums over height and width. x [B, H, W, C]; scale, shift [B or 1, C].
 */
export function groupNorm(x: Image, { weight, bias }: Affine, modulation?: { readonly scale: Tensor; readonly shift: Tensor }): Image {
  const [, height, width, channels] = x.shape;
  const grouped = (perChannel: Tensor): Tensor => perChannel.reshape([-1, normGroups, channels / normGroups]);
  const meanOf = (image: Tensor): Tensor => grouped(image.sum([1, 2])).sum(2, true).mul(normGroups / (height * width * channels));
  const mean = meanOf(x);
  const variance = meanOf(x.square()).sub(mean.square());

  const gain = modulation === undefined ? undefined : grouped(modulation.scale).add(1);
  const amplified = (parameter: Tensor): Tensor => (gain === undefined ? grouped(parameter) : grouped(parameter).mul(gain));
  const a = amplified(weight).mul(tf.rsqrt(variance.add(epsilon)));
  const offset = modulation === undefined ? amplified(bias) : amplified(bias).add(grouped(modulation.shift));
  const b = offset.sub(mean.mul(a));
  const perImage = (value: Tensor): Image => value.reshape([-1, 1, 1, channels]);
  return x.mul<Image>(perImage(a)).add(perImage(b));
}
