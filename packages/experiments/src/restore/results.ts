/** What is written of a restored picture. */
import type { ImageShape, StoredPicture } from '@tweedie/core';
import { encodePicture, OTHER_FILE, writeWhole } from '@tweedie/files';
import { deviation } from '../report/pictures.ts';
import { meanOf } from '../run/complete-scores.ts';
import type { Place } from './places.ts';

/** What a result takes over from the picture that was given. */
export type Source = {
  /** The numbers of its file; absent where it was fitted to another size. */
  readonly stored?: StoredPicture;
  /** The result is grey, though the prior knows colours. */
  readonly grey: boolean;
  /** 0 where a mask hides the picture, of all entries of the measurement; absent where all is seen. */
  readonly seen?: Float32Array;
};

/** A plane at another size, by linear interpolation between the middles of pixels. */
export const enlarged = (
  plane: Float32Array,
  [height, width]: readonly [height: number, width: number],
  [toHeight, toWidth]: readonly [height: number, width: number],
): Float32Array => {
  const along = (place: number, from: number, to: number) => {
    const at = Math.min(Math.max(((place + 0.5) * from) / to - 0.5, 0), from - 1);
    const first = Math.floor(at);
    return { first, second: Math.min(first + 1, from - 1), share: at - first };
  };
  const columns = Array.from({ length: toWidth }, (_, column) => along(column, width, toWidth));
  const result = new Float32Array(toHeight * toWidth);
  for (let row = 0; row < toHeight; row++) {
    const { first: above, second: below, share: down } = along(row, height, toHeight);
    for (const [column, { first, second, share }] of columns.entries()) {
      const value = (line: number): number =>
        (1 - share) * (plane[line * width + first] ?? 0) + share * (plane[line * width + second] ?? 0);
      result[row * toWidth + column] = (1 - down) * value(above) + down * value(below);
    }
  }
  return result;
};

/**
 * An image of the model as the picture that is written: one channel where it is grey; opacity as it was given, but that
 * what a mask hid is opaque, and stored colours where a pixel is wholly transparent.
 */
export const finished = (
  image: Float32Array,
  [height, width, channels]: ImageShape,
  { stored, grey, seen }: Source,
): { readonly pixels: Float32Array; readonly shape: ImageShape; readonly opacity?: Float32Array } => {
  const own = grey ? 1 : channels;
  const shape: ImageShape = [height, width, own];
  const count = height * width;
  const pixels =
    own === channels ? image.slice() : Float32Array.from({ length: count }, (_, k) => image[k * channels] ?? 0);
  if (stored?.alpha !== true) return { pixels, shape };
  const { values, largest, channels: all } = stored;
  const plane = Float32Array.from(
    { length: stored.height * stored.width },
    (_, k) => (values[(k + 1) * all - 1] ?? 0) / largest,
  );
  if (stored.height !== height || stored.width !== width)
    return { pixels, shape, opacity: enlarged(plane, [stored.height, stored.width], [height, width]) };
  for (let k = 0; k < count; k++) {
    if (seen?.[k * channels] === 0) plane[k] = 1;
    else if (plane[k] === 0)
      for (let c = 0; c < own; c++)
        pixels[k * own + c] = (values[k * all + Math.min(c, all - 2)] ?? 0) / (largest / 2) - 1;
  }
  return { pixels, shape, opacity: plane };
};

export type Written = {
  readonly written: readonly string[];
  /** Of two samples or more: their mean, and the deviation of each pixel, with its largest value. */
  readonly mean?: Float32Array;
  readonly spread?: { readonly map: Float32Array; readonly white: number };
};

/** Writes the samples, and of several also mean and deviation; `undefined` stands for a sample that failed. */
export const writeResults = async (
  samples: readonly (Float32Array | undefined)[],
  shape: ImageShape,
  source: Source,
  { samples: paths, mean: meanPath, deviation: deviationPath, format }: Place,
): Promise<Written> => {
  const written: string[] = [];
  const write = async (path: string, content: Promise<Uint8Array>): Promise<void> => {
    writeWhole(path, await content, OTHER_FILE);
    written.push(path);
  };
  const depth = source.stored?.largest === 65535 ? 16 : 8;
  const save = (path: string, image: Float32Array): Promise<void> => {
    const { pixels, shape: own, opacity } = finished(image, shape, source);
    return write(path, encodePicture(pixels, own, { format, depth, ...(opacity && { opacity }) }));
  };
  for (const [i, image] of samples.entries()) {
    const path = paths[i];
    if (path !== undefined && image !== undefined) await save(path, image);
  }
  const sound = samples.filter((each) => each !== undefined);
  if (sound.length < 2) return { written };
  const mean = meanOf(sound);
  await save(meanPath, mean);
  const map = deviation(sound, shape);
  const white = map.reduce((largest, value) => Math.max(largest, value), 1e-6);
  const shown = map.map((value) => (2 * value) / white - 1);
  await write(deviationPath, encodePicture(shown, [shape[0], shape[1], 1]));
  return { written, mean, spread: { map, white } };
};
