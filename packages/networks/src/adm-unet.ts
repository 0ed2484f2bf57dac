import { ConfigError, type Image, showShape, type Tensor, tf } from '@tweedie/core';
import {
  type AdmConfig,
  type AdmPlan,
  admPlan,
  type Block,
  type Layer,
  type ResBlock,
  type Resampling,
} from './adm-config.ts';
import { attend, linear } from './attention.ts';
import { groupNorm } from './group-norm.ts';
import { type AffineByName, affineIn, convolve, scaleAndShift, silu, tensorIn } from './layers.ts';
import type { Weights } from './parameters.ts';
import { double, fold, halve, unfold } from './resample.ts';
import { timeEmbedding } from './time-embedding.ts';

/**
 * A network of images [B, S, S, C] (any height and width where it has no attention) and timesteps [B] or [], fractions
 * allowed. It gives images of that shape, or 2 C channels with a learned variance. A conditional network also takes
 * `labels` [B or 1, classes], with a one where the class is.
 */
export type AdmUnet = (x: Image, t: Tensor, labels?: Tensor) => Image;

/**
 * The U-Net of guided diffusion (Dhariwal & Nichol 2021, arXiv:2105.05233; docs/methods.md 7.3) as a pure function.
 *   embedding   W2 silu(W1 sinusoids(t))
 *   residual    resample(x) + conv(silu(norm(h) (1 + scale) + shift)),   h = conv(resample(silu(norm(x)))),
 *               scale and shift from the embedding
 *   attention   x + proj(attend(qkv(norm(x))))
 * Every block of the way down is remembered, the stem included, and joined behind the state on the way up. With
 * `patch_size` all of this sees blocks of pixels as channels.
 * `watch` sees the embedding and what every block gives, by its name in the state dict.
 */
export function admUnet(config: AdmConfig, weights: Weights, watch?: (name: string, value: Tensor) => void): AdmUnet {
  const plan = admPlan(config);
  const affine = affineIn(weights, 'adm-unet');
  const labelTensor = (): Tensor => tensorIn(weights, 'adm-unet')('label_emb.weight');
  return (x, t, labels) => {
    checkInput(x, plan);
    const embedding = linear(
      silu(linear(timeEmbedding(t, plan.timeWidth), affine('time_embed.0'))),
      affine('time_embed.2'),
    );
    watch?.('time_embed', embedding);
    // The tensor of classes is [4 C, classes] here.
    const emb = silu(labels === undefined ? embedding : embedding.add(labels.matMul(labelTensor(), false, true)));
    const run = (state: Image, { name, layers }: Block): Image => {
      const result = layers.reduce((h, layer) => apply(layer, h, emb, plan, affine), state);
      watch?.(name, result);
      return result;
    };
    const skips: Image[] = [];
    let h = fold(x, plan.patch);
    for (const block of plan.down) skips.push((h = run(h, block)));
    for (const block of plan.middle) h = run(h, block);
    for (const block of plan.up) h = run(tf.concat([h, ...skips.splice(-1)], 3), block);
    return unfold(convolve(silu(groupNorm(h, affine('out.0'))), affine('out.2')), plan.patch);
  };
}

function checkInput(x: Image, { imageSize, multipleOf, inChannels }: AdmPlan): void {
  const [, height, width, channels] = x.shape;
  const fits = (side: number): boolean => (multipleOf === undefined ? side === imageSize : side % multipleOf === 0);
  if (fits(height) && fits(width) && channels === inChannels) return;
  const taken = multipleOf === undefined ? '' : ` and sides in multiples of ${multipleOf}`;
  throw new ConfigError(
    'adm-unet',
    `the image is ${showShape([height, width, channels])}, the network takes ${showShape([imageSize, imageSize, inChannels])}${taken}.`,
    'Bring the images to the size of the model.',
  );
}

function apply(layer: Layer, x: Image, emb: Tensor, plan: AdmPlan, affine: AffineByName): Image {
  const { name } = layer;
  switch (layer.kind) {
    case 'convolution':
      return convolve(x, affine(name));
    case 'residual':
      return residual(layer, x, emb, plan, affine);
    case 'attention': {
      const qkv = linear(groupNorm(x, affine(`${name}.norm`)), affine(`${name}.qkv`));
      return x.add(linear(attend(qkv, layer.heads), affine(`${name}.proj_out`)));
    }
    case 'resample':
      if (!layer.convolve) return resample[layer.to](x);
      return layer.to === 'down' ? convolve(x, affine(`${name}.op`), 2) : convolve(double(x), affine(`${name}.conv`));
  }
}

function residual(
  { name, inputs, outputs, resample: to }: ResBlock,
  x: Image,
  emb: Tensor,
  { scaleShift }: AdmPlan,
  affine: AffineByName,
): Image {
  const first = convolve(
    resample[to](silu(groupNorm(x, affine(`${name}.in_layers.0`)))),
    affine(`${name}.in_layers.2`),
  );
  const time = linear(emb, affine(`${name}.emb_layers.1`));
  const norm = affine(`${name}.out_layers.0`);
  const normed = scaleShift
    ? groupNorm(first, norm, scaleAndShift(time))
    : groupNorm(first.add(time.reshape([-1, 1, 1, outputs])), norm);
  const second = convolve(silu(normed), affine(`${name}.out_layers.3`));
  const kept = resample[to](x);
  return (inputs === outputs ? kept : convolve(kept, affine(`${name}.skip_connection`))).add(second);
}

const resample: Readonly<Record<Resampling, (x: Image) => Image>> = { none: (x) => x, down: halve, up: double };
