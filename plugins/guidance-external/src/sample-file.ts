import { ConfigError, decodeNpy, decodeSafetensors, type ImageShape, showShape, sizeOf } from '@tweedie/core';

/** Samples of one problem, one after the other, row-major H, W, C each. */
export type SampleFile = { readonly count: number; sample(index: number): Float32Array };

/**
 * Reads samples [n, H, W, C] of float32 or float64 from a .npy file, or from a .safetensors file with one tensor, or
 * one named `samples`. Throws ConfigError where they have another shape.
 */
export function readSamples(bytes: Uint8Array, source: string, imageShape: ImageShape): SampleFile {
  const { shape, data } = source.endsWith('.npy') ? decodeNpy(bytes, source) : tensorIn(bytes, source);
  const each = sizeOf(imageShape);
  const [count = 0, ...own] = shape;
  if (showShape(own) !== showShape(imageShape))
    throw new ConfigError(
      source,
      `holds ${showShape(shape)}, samples of this problem are [n, ${imageShape.join(', ')}].`,
      'Write [n, H, W, C], one image too.',
    );
  return { count, sample: (index) => Float32Array.from(data.subarray(index * each, (index + 1) * each)) };
}

function tensorIn(bytes: Uint8Array, source: string) {
  const tensors = decodeSafetensors(bytes, source);
  const found = tensors.get('samples') ?? (tensors.size === 1 ? [...tensors.values()][0] : undefined);
  if (found === undefined || (found.dtype !== 'F32' && found.dtype !== 'F64'))
    throw new ConfigError(
      source,
      `has no tensor of samples among ${[...tensors.keys()].join(', ')}.`,
      'Name it samples, as float32.',
    );
  return found;
}
