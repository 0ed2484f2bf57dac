/** The weights of LPIPS from files that the user names. */
import { ConfigError, type Files, showShape, type Tensor, tf } from '@tweedie/core';
import { type Checkpoint, openCheckpoint } from '@tweedie/networks';
import { blocks, type LpipsWeights } from './vgg.ts';

const REMEDY =
  "weights is torchvision's VGG16 (vgg16-*.pth: features.0.weight ...), linear the five weights of LPIPS for VGG16 (lin0.model.1.weight ..., or piq's list of five).";

/** One tensor by any of its names. */
async function tensorOf(checkpoint: Checkpoint, names: readonly string[]) {
  const name = names.find((each) => checkpoint.shapes.has(each));
  if (name === undefined)
    throw new ConfigError(checkpoint.source, `has no tensor "${names.join('" or "')}", which LPIPS needs.`, REMEDY);
  return { name, shape: checkpoint.shapes.get(name) ?? [], data: await checkpoint.read(name) };
}

function refuse(source: string, name: string, shape: readonly number[], wanted: string): never {
  throw new ConfigError(source, `tensor "${name}" has shape ${showShape(shape)}, not ${wanted}.`, REMEDY);
}

/** Reads VGG16 and the five weights; throws ConfigError, naming file and tensor, where they are not such weights. */
export async function readLpipsWeights(path: string, linear: string | undefined, files: Files): Promise<LpipsWeights> {
  const vgg = await openCheckpoint(path, files);
  const lines = linear === undefined ? vgg : await openCheckpoint(linear, files);
  const convolutions = new Map<number, { filter: Tensor; bias: Tensor }>();
  const widths: number[] = [];
  let inputs = 3;
  for (const numbers of blocks) {
    for (const number of numbers) {
      const filter = await tensorOf(vgg, [`features.${number}.weight`]);
      const outputs = filter.shape[0] ?? 0;
      if (showShape(filter.shape) !== showShape([outputs, inputs, 3, 3]))
        refuse(vgg.source, filter.name, filter.shape, `[outputs, ${inputs}, 3, 3]`);
      const bias = await tensorOf(vgg, [`features.${number}.bias`]);
      if (showShape(bias.shape) !== showShape([outputs])) refuse(vgg.source, bias.name, bias.shape, `[${outputs}]`);
      const stored = tf.tensor4d(filter.data, [outputs, inputs, 3, 3]);
      convolutions.set(number, { filter: tf.transpose(stored, [2, 3, 1, 0]), bias: tf.tensor1d(bias.data) });
      stored.dispose();
      inputs = outputs;
    }
    widths.push(inputs);
  }
  const weights: Tensor[] = [];
  for (const [layer, width] of widths.entries()) {
    const { name, shape, data } = await tensorOf(lines, [`lin${layer}.model.1.weight`, String(layer)]);
    if (data.length !== width) refuse(lines.source, name, shape, `[1, ${width}, 1, 1]`);
    weights.push(tf.tensor1d(data));
  }
  return { convolutions, linear: weights };
}
