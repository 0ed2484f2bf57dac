import { ConfigError, type Dataset, type DatasetFactory } from '@tweedie/core';
import { greyOf } from './grey.ts';
import { readList } from './list.ts';
import { randomCrops } from './random-crops.ts';
import { cutOfShipped, shippedPictures } from './shipped.ts';

export type PhotographsOptions = {
  readonly split: 'shipped' | 'test' | 'train';
  /** Height and width in pixels. */
  readonly size: number;
  /** 3, or 1 for grey. */
  readonly channels: 1 | 3;
  /** Train and test: how many; shipped: how many that are cut out of those of 64 x 64. */
  readonly crops?: number;
  /** Train and test: factors by which photographs are scaled down, one drawn for each crop. */
  readonly scales?: readonly number[];
  readonly seed?: number;
};

const where = 'dataset/photographs';
const folder = 'dataset-photographs';
const defaultScales = [2, 3, 4, 6];

/**
 * Crops of 37 photographs under free licences, 210 megapixels: 29 to train on and 8 to test with, of which no part is
 * in the other split. The photographs are in Debian packages (`tweedie fetch photographs`); 16 crops of 64 x 64 pixels
 * and 4 of 256 x 256, chosen by hand from 6 of the test photographs, ship with the plugin.
 *
 * A photograph is scaled down with an antialiasing filter (Lanczos) by a factor of 2 or more before it is cropped,
 * which leaves little of its noise and of what JPEG did to it. [size, size, 3]; sRGB, 8 bits. Scaled photographs are
 * kept in the cache folder, about 100 MB for the default scales; an item is one read of a file there. Throws
 * ConfigError where photographs are missing, with the command that fetches them.
 */
export const photographs: DatasetFactory<PhotographsOptions> = async (options, { files, warn }) => {
  const { split, size, channels, crops, scales, seed } = options;
  const list = await readList(files);
  const inColours = (dataset: Dataset): Dataset => (channels === 1 ? greyOf(dataset) : dataset);
  if (split === 'shipped') {
    const least = Math.min(...list.crops.map((crop) => crop.size));
    const cut = size < least && crops !== undefined;
    const chosen = Object.entries({ ...(!cut && { crops, seed }), scales });
    const given = chosen.flatMap(([name, value]) => (value === undefined ? [] : name));
    if (given.length > 0)
      throw new ConfigError(where, `${given.join(', ')}: crops that ship are chosen.`, 'Set split: train or test.');
    return inColours(
      cut
        ? cutOfShipped(where, list.crops, { size, crops, seed: seed ?? 0 }, files)
        : shippedPictures(where, list.crops, size, files),
    );
  }
  if (crops === undefined)
    throw new ConfigError(where, `split ${split} needs crops, the number of crops.`, 'Set crops: 64, say.');
  const sources = list.files
    .filter((photograph) => photograph.split === split)
    .map((photograph) => ({ ...photograph, path: files.cached(`${folder}/${photograph.file}`) }));
  const missing: string[] = [];
  for (const { path, file } of sources) await files.size(path).catch(() => missing.push(file));
  if (missing.length > 0)
    throw new ConfigError(
      where,
      `${missing.length} of ${sources.length} photographs are not in ${files.cached(folder)} (${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', ...' : ''}).`,
      `Run: npx tweedie fetch ${where}`,
    );
  const settings = { size, crops, scales: scales ?? defaultScales, seed: seed ?? 0 };
  const { dataset, without } = randomCrops(where, `${folder}/scaled`, sources, settings, files);
  if (without.length > 0)
    warn(`[${where}] left out, smaller than ${size} pixels at every scale: ${without.join(', ')}.`);
  return inColours(dataset);
};
