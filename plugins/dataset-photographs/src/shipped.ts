import { ConfigError, type Dataset, type Files, keyedRandom } from '@tweedie/core';
import { type ShippedCrop, shippedPath } from './list.ts';

const channels = 3;

/** The pictures of one size that ship, as they are. */
export function shippedPictures(where: string, crops: readonly ShippedCrop[], size: number, files: Files): Dataset {
  const chosen = crops.filter((crop) => crop.size === size);
  if (chosen.length === 0) {
    const sizes = [...new Set(crops.map((crop) => crop.size))].join(' or ');
    throw new ConfigError(
      where,
      `no crops of size ${size} ship.`,
      `Set size: ${sizes}, or crops (cut out of those of ${Math.min(...crops.map((crop) => crop.size))}), or split: train or test.`,
    );
  }
  return {
    imageShape: [size, size, channels],
    size: chosen.length,
    item: async (index) => {
      const crop = chosen[index];
      if (crop === undefined)
        throw new ConfigError(
          where,
          `there is no image ${index}, ${chosen.length} crops of size ${size} ship.`,
          'Ask for fewer images, a smaller offset, or split test.',
        );
      return { name: crop.name, x0: await read(crop, files) };
    },
  };
}

/**
 * Crops at random places of the smaller pictures that ship. Crop i is of picture i modulo their number; its place is
 * drawn from seed, name and the crop's number within the picture.
 */
export function cutOfShipped(
  where: string,
  crops: readonly ShippedCrop[],
  { size, crops: count, seed }: { readonly size: number; readonly crops: number; readonly seed: number },
  files: Files,
): Dataset {
  const least = Math.min(...crops.map((crop) => crop.size));
  const sources = crops.filter((crop) => crop.size === least);
  const read64 = new Map<string, Promise<Float32Array>>();
  const pictureOf = (crop: ShippedCrop): Promise<Float32Array> => {
    const known = read64.get(crop.name) ?? read(crop, files);
    read64.set(crop.name, known);
    return known;
  };
  return {
    imageShape: [size, size, channels],
    size: count,
    item: async (index) => {
      const source = index >= 0 && index < count ? sources[index % sources.length] : undefined;
      if (source === undefined)
        throw new ConfigError(
          where,
          `there is no image ${index}, the set has ${count} crops.`,
          'Ask for fewer images, a smaller offset, or more crops.',
        );
      const name = `${source.name}#${Math.floor(index / sources.length)}`;
      const [down = 0, across = 0] = keyedRandom(`${where} shipped ${seed} ${name}`).uniform('crop', 2);
      const top = Math.floor(down * (least - size + 1));
      const left = Math.floor(across * (least - size + 1));
      const picture = await pictureOf(source);
      const x0 = new Float32Array(size * size * channels);
      const row = size * channels;
      for (let y = 0; y < size; y++) {
        const from = ((top + y) * least + left) * channels;
        x0.set(picture.subarray(from, from + row), y * row);
      }
      return { name, x0 };
    },
  };
}

const read = (crop: ShippedCrop, files: Files): Promise<Float32Array> =>
  files.readImage(shippedPath(crop), { height: crop.size, width: crop.size, channels, fit: 'exact' });
