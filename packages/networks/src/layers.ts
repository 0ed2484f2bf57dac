/** What the networks of all families are made of. */
import { ConfigError, type Image, type Tensor, tf } from '@tweedie/core';
import type { Affine } from './group-norm.ts';
import type { Weights } from './parameters.ts';

/** The tensors `<name>.weight` and `<name>.bias`. */
export type AffineByName = (name: string) => Affine;

/** One tensor by its name; `where` begins the error. */
export const tensorIn =
  (weights: Weights, where: string) =>
  (name: string): Tensor => {
    const found = weights.get(name);
    if (found === undefined)
      throw new ConfigError(where, `there is no weight "${name}".`, 'Make weights and network from one configuration.');
    return found;
  };

export const affineIn = (weights: Weights, where: string): AffineByName => {
  const tensor = tensorIn(weights, where);
  return (name) => ({ weight: tensor(`${name}.weight`), bias: tensor(`${name}.bias`) });
};

export const silu = <T extends Tensor>(x: T): T => x.mul(x.sigmoid());

/** A convolution with zeros around the image: one pixel for 3 x 3 filters, none for 1 x 1. */
export const convolve = (x: Image, { weight, bias }: Affine, stride = 1): Image =>
  tf.conv2d(x, weight as tf.Tensor4D, stride, ((weight.shape[0] ?? 1) - 1) / 2).add(bias);

/** Scale and shift of a norm from a projected embedding, [B, 2 C] becomes [B, C] twice. */
export const scaleAndShift = (time: Tensor): { readonly scale: Tensor; readonly shift: Tensor } => {
  const [scale, shift] = tf.split(time, 2, 1) as [Tensor, Tensor];
  return { scale, shift };
};
