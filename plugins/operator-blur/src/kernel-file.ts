/** A kernel that a file holds: what a point of light became. */
import { ConfigError, decodeSafetensors, type Files, showShape } from '@tweedie/core';
import type { Kernel } from './kernels.ts';

const where = 'operator/blur';

/**
 * The kernel of a file, divided by its sum: a grey picture, whose values are the weights and black is none, or the
 * tensor `kernel` [height, width] of a .safetensors file. It is the point spread function, as deblurring programs give
 * it: the picture of a point, y = kernel convolved with x0. The kernels of this operator correlate, so it is turned by
 * 180 degrees. Throws ConfigError for colours, an even side, and weights whose sum is not above 0.
 */
export async function kernelOfFile(file: string, files: Files): Promise<Kernel> {
  const path = files.resolve(file);
  const { height, width, weights } = file.endsWith('.safetensors')
    ? await ofTensor(file, files)
    : await ofPicture(file, files);
  if (height % 2 === 0 || width % 2 === 0)
    throw new ConfigError(
      where,
      `the kernel ${path} is ${height} high and ${width} wide, and a kernel has a tap in its middle.`,
      'Give it odd sides: add a row or a column of black (0).',
    );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (!(sum > 0) || !Number.isFinite(sum))
    throw new ConfigError(where, `the weights of the kernel ${path} have sum ${sum}.`, 'Their sum must be above 0.');
  return { height, width, weights: weights.map((weight) => weight / sum).reverse() };
}

async function ofTensor(file: string, files: Files): Promise<Kernel> {
  const path = files.resolve(file);
  const entry = decodeSafetensors(await files.readBytes(file), path).get('kernel');
  if (entry === undefined)
    throw new ConfigError(where, `${path} has no tensor named "kernel".`, 'Store the kernel under that name.');
  const [height, width] = entry.shape;
  if (entry.shape.length !== 2 || height === undefined || width === undefined)
    throw new ConfigError(
      where,
      `the kernel ${path} has shape ${showShape(entry.shape)}.`,
      'Store it as [height, width].',
    );
  return { height, width, weights: Float64Array.from(entry.data, Number) };
}

async function ofPicture(file: string, files: Files): Promise<Kernel> {
  const { height, width, channels, alpha, values } = await files.readStored(file);
  const colours = alpha ? channels - 1 : channels;
  const grey = Float64Array.from({ length: height * width }, (_, k) => values[k * channels] ?? 0);
  const coloured = values.some((value, k) => k % channels < colours && value !== grey[Math.floor(k / channels)]);
  if (coloured)
    throw new ConfigError(
      where,
      `the kernel ${files.resolve(file)} has colours, and one kernel blurs all channels.`,
      'Give a grey picture.',
    );
  return { height, width, weights: grey };
}
