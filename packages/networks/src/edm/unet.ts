import { ConfigError, type Image, showShape, type Tensor, tf } from '@tweedie/core';
import { attend, linear } from '../attention.ts';
import { groupNorm, type NormKind } from '../group-norm.ts';
import { type AffineByName, affineIn, convolve, scaleAndShift, silu, tensorIn } from '../layers.ts';
import type { Weights } from '../parameters.ts';
import { timeFrequencies, waves } from '../time-embedding.ts';
import { type EdmBlock, type EdmConfig, edmPlan, embeddingWidths, groupsOf } from './plan.ts';
import { filteredDown, paddingOf, resampler, type Resampler } from './resample.ts';

/** A network of images [B, S, S, C] and noise labels [B] or []; `labels` [B or 1, classes], zeros for no class. */
export type EdmNetwork = (x: Image, noise: Tensor, labels?: Tensor) => Image;

const where = 'edm';

/** What a block needs beside its input. */
type Setting = {
  readonly type: EdmConfig['type'];
  readonly affine: AffineByName;
  readonly resample: Resampler;
  readonly emb: Tensor;
};

/**
 * SongUNet (DDPM++ and NCSN++ of Song et al. 2021, arXiv:2011.13456) and DhariwalUNet of NVlabs/edm as pure functions
 * of weights, without preconditioning:
 *   block       s (skip(R(x)) + conv1(silu(h))),   h = norm1(conv0(R(silu(norm0 x))) + b), or
 *               norm1(.) (1 + scale) + shift
 *   attention   s (x + proj(attend(qkv(norm2 x)))), in the block
 * with s = sqrt(1/2) in SongUNet and 1 in DhariwalUNet. Encoders and decoders of the kinds residual and skip carry the
 * picture on a way of its own.
 */
export function edmUnet(config: EdmConfig, weights: Weights): EdmNetwork {
  const { type, size, inChannels, filter } = config;
  const plan = edmPlan(config, where);
  const affine = affineIn(weights, where);
  const resample = resampler(filter);
  return (x, noise, labels) => {
    if (showShape(x.shape.slice(1)) !== showShape([size, size, inChannels]))
      throw new ConfigError(
        where,
        `the image is ${showShape(x.shape.slice(1))}, the network takes ${showShape([size, size, inChannels])}.`,
        'Bring the images to the size of the model.',
      );
    const setting: Setting = { type, affine, resample, emb: embed(noise, labels, config, weights) };
    const skips: Image[] = [];
    let [h, picture] = [x, x];
    for (const step of plan.encoder) {
      if (step.kind === 'stem' || step.kind === 'block') {
        h = step.kind === 'stem' ? convolve(h, affine(step.name)) : block(step, h, setting);
        skips.push(h);
      } else {
        if (step.kind === 'residual') {
          h = picture = h.add(convolvedDown(picture, affine(step.name), filter)).mul(Math.SQRT1_2);
        } else {
          picture = resample.down(picture);
          h = h.add(convolve(picture, affine(step.name)));
        }
        skips.splice(-1, 1, h);
      }
    }
    let output: Image | undefined;
    for (const step of plan.decoder) {
      if (step.kind === 'block') {
        h = block(step, step.joins ? tf.concat([h, ...skips.splice(-1)], 3) : h, setting);
        continue;
      }
      const own = convolve(silu(normed(h, step.norm, setting)), affine(step.conv));
      output = output === undefined ? own : own.add(resample.up(output));
    }
    return output ?? h;
  };
}

/** 3 x 3 convolution, then the filter with stride 2, together with one padding; the bias comes last. */
function convolvedDown(x: Image, { weight, bias }: ReturnType<AffineByName>, filter: readonly number[]): Image {
  const convolved = tf.conv2d(x, weight as tf.Tensor4D, 1, 1 + paddingOf(filter)) as Image;
  return filteredDown(convolved, filter).add(bias);
}

/** The activated embedding of noise level and class. */
function embed(noise: Tensor, labels: Tensor | undefined, config: EdmConfig, weights: Weights): Tensor {
  const [tensor, affine] = [tensorIn(weights, where), affineIn(weights, where)];
  const half = embeddingWidths(config).noise / 2;
  const isSong = config.type === 'song';
  const frequencies =
    config.embedding === 'fourier' ? tensor('map_noise.freqs').mul(2 * Math.PI) : timeFrequencies(half, isSong ? 1 : 0);
  let sinusoids = waves(noise, frequencies, isSong);
  if (isSong && labels !== undefined)
    sinusoids = sinusoids.add(linear(labels.mul(Math.sqrt(config.classes)), affine('map_label')));
  const hidden = linear(silu(linear(sinusoids, affine('map_layer0'))), affine('map_layer1'));
  const ofClass = isSong || labels === undefined ? hidden : hidden.add(labels.matMul(tensor('map_label.weight')));
  return silu(ofClass);
}

const normed = (
  x: Image,
  name: string,
  { affine, type }: Setting,
  modulation?: ReturnType<typeof scaleAndShift>,
): Image => {
  const kind: NormKind = { groups: groupsOf(x.shape[3]), epsilon: type === 'song' ? 1e-6 : 1e-5 };
  return groupNorm(x, affine(name), modulation, kind);
};

function block({ name, outputs, resample: to, heads, projects }: EdmBlock, x: Image, setting: Setting): Image {
  const { type, affine, emb } = setting;
  const resample = to === 'none' ? (image: Image) => image : setting.resample[to];
  const scale = (image: Image): Image => (type === 'song' ? image.mul(Math.SQRT1_2) : image);
  const first = convolve(resample(silu(normed(x, `${name}.norm0`, setting))), affine(`${name}.conv0`));
  const time = linear(emb, affine(`${name}.affine`));
  const second =
    type === 'song'
      ? normed(first.add(time.reshape([-1, 1, 1, outputs])), `${name}.norm1`, setting)
      : normed(first, `${name}.norm1`, setting, scaleAndShift(time));
  const kept = resample(x);
  const sum = convolve(silu(second), affine(`${name}.conv1`)).add(
    projects ? convolve(kept, affine(`${name}.skip`)) : kept,
  );
  const h = scale(sum);
  if (heads === 0) return h;
  const qkv = convolve(normed(h, `${name}.norm2`, setting), affine(`${name}.qkv`));
  return scale(h.add(convolve(attend(qkv, heads), affine(`${name}.proj`))));
}
