import type { ImageShape } from '@tweedie/core';
import { encodePng } from '@tweedie/files';
import { meanOf } from '../run/complete-scores.ts';
import type { PngDataUri } from './data.ts';

/** Values from black to white, where it is not [-1, 1]. */
export type Shades = readonly [black: number, white: number] | undefined;

export const picture = async (pixels: Float32Array, shape: ImageShape, shades?: Shades): Promise<PngDataUri> => {
  const [black, white] = shades ?? [-1, 1];
  // A constant picture has no spread: mid-grey.
  const width = white > black ? white - black : Infinity;
  const scaled = black === -1 && white === 1 ? pixels : pixels.map((value) => (2 * (value - black)) / width - 1);
  return `data:image/png;base64,${Buffer.from(await encodePng(scaled, shape)).toString('base64')}`;
};

/** Standard deviation of each pixel over the samples, mean over its channels. */
export const deviation = (samples: readonly Float32Array[], [height, width, channels]: ImageShape): Float32Array => {
  const center = meanOf(samples);
  const each = center.map((value, i) =>
    Math.sqrt(samples.reduce((sum, sample) => sum + ((sample[i] ?? 0) - value) ** 2, 0) / (samples.length - 1)),
  );
  return Float32Array.from({ length: height * width }, (_, i) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += each[i * channels + channel] ?? 0;
    return sum / channels;
  });
};
