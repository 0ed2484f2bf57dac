import { ConfigError, type Image, showShape, type Tensor, tf } from '@tweedie/core';
import { attend, linear } from '../attention.ts';
import { groupNorm, type NormKind } from '../group-norm.ts';
import { type AffineByName, affineIn, convolve, scaleAndShift, silu, tensorIn } from '../layers.ts';
import type { Weights } from '../parameters.ts';
import { double, halve } from '../resample.ts';
import { timeFrequencies, waves } from '../time-embedding.ts';
import type { DiffusersConfig } from './config.ts';
import { type AttentionLayer, type DiffusersLayer, diffusersPlan, type ResnetLayer } from './plan.ts';

/**
 * A network of images [B, H, W, C] and timesteps [B] or []; `labels` [B or 1, classes] has a one where the class is.
 */
export type LabelledNetwork = (x: Image, t: Tensor, labels?: Tensor) => Image;

const where = 'diffusers';
const zerosBelowAndRight: [number, number][] = [
  [0, 0],
  [0, 1],
  [0, 1],
  [0, 0],
];
const resampled = { none: (x: Image) => x, down: halve, up: double } as const;

/**
 * The UNet2DModel of diffusers as a pure function of weights:
 *   embedding   W2 silu(W1 sinusoids(t)) + the class's
 *   resnet      (shortcut(R(x)) + conv2(silu(norm2(h + b)))) / k,   h = conv1(R(silu(norm1(x)))), b from the embedding,
 *               or with scale_shift norm2(h) (1 + scale) + shift
 *   attention   (x + out(attend(q, k, v of norm(x)))) / k
 * Every state of the way down is remembered, the stem included, and joined behind the state on the way up.
 */
export function diffusersUnet(config: DiffusersConfig, weights: Weights): LabelledNetwork {
  const plan = diffusersPlan(config, where);
  const affine = affineIn(weights, where);
  const norm: NormKind = { groups: config.groups, epsilon: config.epsilon };
  const frequencies = timeFrequencies((config.channels[0] ?? 0) / 2, config.frequencyShift);
  const run = (state: Image, layers: readonly DiffusersLayer[], emb: Tensor): Image =>
    layers.reduce((h, layer) => apply(layer, h, emb, config, affine), state);

  return (x, t, labels) => {
    checkInput(x, config);
    const sinusoids = waves(t, frequencies, config.sineFirst);
    const time = linear(silu(linear(sinusoids, affine('time_embedding.linear_1'))), affine('time_embedding.linear_2'));
    const emb = silu(
      labels === undefined
        ? time
        : time.add(labels.matMul(tensorIn(weights, where)('class_embedding.weight'), false, true)),
    );
    let h = convolve(config.center ? x.mul(2).sub(1) : x, affine('conv_in'));
    const skips = [h];
    for (const layers of plan.down) skips.push((h = run(h, layers, emb)));
    h = run(h, plan.middle, emb);
    for (const { joins, layers } of plan.up) h = run(joins ? tf.concat([h, ...skips.splice(-1)], 3) : h, layers, emb);
    return convolve(silu(groupNorm(h, affine('conv_norm_out'), undefined, norm)), affine('conv_out'));
  };
}

function checkInput(x: Image, { height, width, inChannels }: DiffusersConfig): void {
  const wanted = [height, width, inChannels];
  const given = x.shape.slice(1);
  if (showShape(given) === showShape(wanted)) return;
  throw new ConfigError(
    where,
    `the image is ${showShape(given)}, the network takes ${showShape(wanted)}.`,
    'Bring the images to the size of the model.',
  );
}

function apply(layer: DiffusersLayer, x: Image, emb: Tensor, config: DiffusersConfig, affine: AffineByName): Image {
  switch (layer.kind) {
    case 'resnet':
      return resnet(layer, x, emb, config, affine);
    case 'attention':
      return attention(layer, x, config, affine);
    case 'up':
      return convolve(double(x), affine(layer.name));
    case 'down': {
      const { weight, bias } = affine(layer.name);
      if (config.downPadding === 1) return convolve(x, { weight, bias }, 2);
      // One row and one column of zeros, at the bottom and at the right.
      const padded = tf.pad(x, zerosBelowAndRight);
      return tf.conv2d(padded as Image, weight as tf.Tensor4D, 2, 'valid').add(bias);
    }
  }
}

function resnet(layer: ResnetLayer, x: Image, emb: Tensor, config: DiffusersConfig, affine: AffineByName): Image {
  const { name, inputs, outputs, divisor } = layer;
  const norm: NormKind = { groups: config.groups, epsilon: config.epsilon };
  const resample = resampled[layer.resample];
  const first = silu(groupNorm(x, affine(`${name}.norm1`), undefined, norm));
  const h = convolve(resample(first), affine(`${name}.conv1`));
  const time = linear(emb, affine(`${name}.time_emb_proj`));
  const second = affine(`${name}.norm2`);
  const normed = config.scaleShift
    ? groupNorm(h, second, scaleAndShift(time), norm)
    : groupNorm(h.add(time.reshape([-1, 1, 1, outputs])), second, undefined, norm);
  const kept = resample(x);
  const sum = (inputs === outputs ? kept : convolve(kept, affine(`${name}.conv_shortcut`))).add(
    convolve(silu(normed), affine(`${name}.conv2`)),
  );
  return divisor === 1 ? sum : sum.div(divisor);
}

function attention(layer: AttentionLayer, x: Image, config: DiffusersConfig, affine: AffineByName): Image {
  const { name, heads, groups, divisor } = layer;
  const normed =
    groups === undefined
      ? x
      : groupNorm(x, affine(`${name}.group_norm`), undefined, { groups, epsilon: config.epsilon });
  const qkv = tf.concat(
    ['to_q', 'to_k', 'to_v'].map((part) => linear(normed, affine(`${name}.${part}`))),
    3,
  );
  const sum = x.add(linear(attend(qkv, heads), affine(`${name}.to_out.0`)));
  return divisor === 1 ? sum : sum.div(divisor);
}
