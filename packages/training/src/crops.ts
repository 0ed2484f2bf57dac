import { at, ConfigError, type Dataset, type ImageShape, type KeyedRandom, showShape } from '@tweedie/core';
import type { TrainingData } from './recipe.ts';

/** Bytes of decoded images that are kept. */
const KEPT = 1 << 30;

export interface Crops {
  /** Draws a batch of crops, [count, height, width, channels] row-major. */
  draw(random: KeyedRandom, count: number): Promise<Float32Array>;
  /** The middles of the first images. */
  middles(count: number): Promise<Float32Array>;
}

/**
 * Crops of the images of a data set at the network's size. Decoded images are kept, those used last, up to 1 GiB.
 * Throws ConfigError where the images have other channels or are too small.
 */
export function cropsOf(
  dataset: Dataset,
  [height, width, channels]: ImageShape,
  { scales, flip }: Pick<TrainingData, 'scales' | 'flip'>,
  where: string,
): Crops {
  const { imageShape } = dataset;
  const [fullHeight, fullWidth, fullChannels] = imageShape;
  if (fullChannels !== channels || fullHeight < height || fullWidth < width)
    throw new ConfigError(
      where,
      `its images are ${showShape(imageShape)}, the network takes ${showShape([height, width, channels])}.`,
      'Choose a data set with the same channels and at least that size, or another image_size.',
    );
  if (dataset.size === 0) throw new ConfigError(where, 'it has no images.', 'Choose another data set.');
  const fitting = scales.filter((scale) => scale * height <= fullHeight && scale * width <= fullWidth);
  if (fitting.length === 0)
    throw new ConfigError(
      `${where}/scales`,
      `crops of ${Math.min(...scales)} times ${height}x${width} do not fit into images of ${fullHeight}x${fullWidth}.`,
      'Add a smaller scale.',
    );

  const most = Math.max(1, Math.floor(KEPT / (4 * fullHeight * fullWidth * channels)));
  const kept = new Map<number, Float32Array>();
  const pictureOf = async (index: number): Promise<Float32Array> => {
    const known = kept.get(index);
    kept.delete(index);
    const picture = known ?? (await dataset.item(index)).x0;
    kept.set(index, picture);
    for (const oldest of kept.keys()) {
      if (kept.size <= most) break;
      kept.delete(oldest);
    }
    return picture;
  };
  const size = height * width * channels;
  const write = (place: Place, picture: Float32Array, to: Float32Array): void =>
    writeCrop(picture, fullWidth, [height, width, channels], place, to);

  return {
    async draw(random, count) {
      const batch = new Float32Array(count * size);
      const draws = random.uniform('crops', 6 * count);
      for (let row = 0; row < count; row++) {
        const [index = 0, scale = 0, top = 0, left = 0, mirror = 0, turn = 0] = draws.subarray(6 * row, 6 * row + 6);
        const by = at(fitting, Math.floor(scale * fitting.length), 'scale');
        const place: Place = {
          scale: by,
          top: Math.floor(top * (fullHeight - by * height + 1)),
          left: Math.floor(left * (fullWidth - by * width + 1)),
          mirrored: flip !== 'none' && mirror < 0.5,
          // Turning by a quarter needs a square.
          turns: flip === 'dihedral' ? (Math.floor(turn * 4) * (height === width ? 1 : 2)) % 4 : 0,
        };
        write(place, await pictureOf(Math.floor(index * dataset.size)), batch.subarray(row * size, (row + 1) * size));
      }
      return batch;
    },
    async middles(count) {
      const batch = new Float32Array(count * size);
      const place: Place = {
        scale: 1,
        top: (fullHeight - height) >> 1,
        left: (fullWidth - width) >> 1,
        mirrored: false,
        turns: 0,
      };
      for (let row = 0; row < count; row++)
        write(place, (await dataset.item(row)).x0, batch.subarray(row * size, (row + 1) * size));
      return batch;
    },
  };
}

type Place = {
  readonly scale: number;
  readonly top: number;
  readonly left: number;
  readonly mirrored: boolean;
  /** Quarter turns. */
  readonly turns: number;
};

/** Writes a crop: each pixel the mean of scale x scale pixels of the picture. */
function writeCrop(
  picture: Float32Array,
  fullWidth: number,
  [height, width, channels]: ImageShape,
  { scale, top, left, mirrored, turns }: Place,
  to: Float32Array,
): void {
  const share = 1 / scale ** 2;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const across = mirrored ? width - 1 - x : x;
      const [row, column] =
        turns === 0
          ? [y, across]
          : turns === 1
            ? [across, height - 1 - y]
            : turns === 2
              ? [height - 1 - y, width - 1 - across]
              : [width - 1 - across, y];
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let dy = 0; dy < scale; dy++) {
          const from = ((top + row * scale + dy) * fullWidth + left + column * scale) * channels + c;
          for (let dx = 0; dx < scale; dx++) sum += picture[from + dx * channels] as number;
        }
        to[(y * width + x) * channels + c] = sum * share;
      }
    }
  }
}
