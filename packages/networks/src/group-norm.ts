import { type Image, type Tensor, tf } from '@tweedie/core';
import { normGroups } from './adm-config.ts';

/** In how many groups a norm divides the channels, and what it adds to their variances. */
export type NormKind = { readonly groups: number; readonly epsilon: number };
const usual: NormKind = { groups: normGroups, epsilon: 1e-5 };

export type Affine = { readonly weight: Tensor; readonly bias: Tensor };

/**
 * Group norm, of 32 groups unless told otherwise, then y (1 + scale) + shift where they are given. x [B, H, W, C];
 * scale, shift [B or 1, C].
 */
export function groupNorm(
  x: Image,
  { weight, bias }: Affine,
  modulation?: { readonly scale: Tensor; readonly shift: Tensor },
  kind = usual,
): Image {
  const perChannel = (parameter: Tensor): Tensor => parameter.reshape([1, -1]);
  const normalise = normaliser(kind);
  if (modulation === undefined) return normalise(x, perChannel(weight), perChannel(bias));
  const gain = modulation.scale.add(1);
  return normalise(x, gain.mul(weight), gain.mul(bias).add(modulation.shift));
}

/**
 * Computes gain (x - mean) / std + offset with mean and std of the group; x [B, H, W, C]; gain, offset [B or 1, C]. One
 * multiplication and one addition per number, y = x a + b, with a = gain / std and b = offset - mean a from the
 * channels' sums of x and x^2.
 *
 * The gradient is written out, with S = sum of dy and T = sum of dy x over height and width, n numbers in a group:
 *   dx = dy a + x p + q
 *   p = -(sum a T - mean sum a S) / (n std^2),   q = -sum a S / n - mean p       (sums over the group's channels)
 *   dgain = (T - mean S) / std,   doffset = S
 */
const normaliser = (kind: NormKind) =>
  tf.customGrad((x, gain, offset, save) =>
    normalised(x as Image, gain as Tensor, offset as Tensor, save as tf.GradSaveFunc, kind),
  );

function normalised(
  x: Image,
  gain: Tensor,
  offset: Tensor,
  save: tf.GradSaveFunc,
  { groups, epsilon }: NormKind,
): { value: Image; gradFunc: (dy: Tensor, saved: Tensor[]) => Tensor[] } {
  const [batch, height, width, channels] = x.shape;
  const perGroup = channels / groups;
  const count = height * width * perGroup;
  /** The sum over the channels of each group times `factor`: [B, G, C / G] becomes [B, G, 1]. */
  const overGroup = (perChannel: Tensor, factor: number): Tensor =>
    perChannel.matMul(tf.fill([1, perGroup, 1], factor));
  const grouped = (perChannel: Tensor): Tensor => perChannel.reshape([-1, groups, perGroup]);
  const channelSums = (image: Tensor): Tensor => grouped(image.sum([1, 2]));
  const perImage = (value: Tensor): Image => value.reshape([-1, 1, 1, channels]);

  const mean = overGroup(channelSums(x), 1 / count);
  const inverse = overGroup(channelSums(x.square()), 1 / count)
    .sub(mean.square())
    .relu()
    .add(epsilon)
    .rsqrt();
  const a = grouped(gain).mul(inverse);
  const b = grouped(offset).sub(mean.mul(a));
  save([x, mean, inverse, a]);

  return {
    value: x.mul(perImage(a)).add(perImage(b)),
    gradFunc(dy, saved) {
      const [x, mean, inverse, a] = saved as [Image, Tensor, Tensor, Tensor];
      const [s, t] = [channelSums(dy), channelSums(dy.mul(x))];
      const shared = overGroup(a.mul(s), 1 / count);
      const p = mean
        .mul(shared)
        .sub(overGroup(a.mul(t), 1 / count))
        .mul(inverse.square());
      const q = shared.add(mean.mul(p)).neg();
      const spread = (perGroupValue: Tensor): Image => perImage(perGroupValue.tile([1, 1, perGroup]));
      const ofParameter = (value: Tensor, { shape: [rows] }: Tensor): Tensor =>
        rows === batch ? value.reshape([batch, channels]) : value.reshape([batch, channels]).sum(0, true);
      return [
        dy
          .mul(perImage(a))
          .add(x.mul(spread(p)))
          .add(spread(q)),
        ofParameter(t.sub(mean.mul(s)).mul(inverse), gain),
        ofParameter(s, offset),
      ];
    },
  };
}
