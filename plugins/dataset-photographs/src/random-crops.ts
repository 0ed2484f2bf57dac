import { createHash } from 'node:crypto';
import { ConfigError, type Dataset, type Files, keyedRandom } from '@tweedie/core';

/** A picture that is cropped, and where it lies. */
export type Source = {
  readonly name: string;
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
};
export type CropOptions = {
  readonly size: number;
  readonly crops: number;
  readonly scales: readonly number[];
  readonly seed: number;
};
/** A picture scaled down, as bytes row-major H, W, C in a file of the cache. */
type Scaled = { readonly path: string; readonly width: number };

const channels = 3;
const sizeAt = ({ width, height }: Source, scale: number): readonly [height: number, width: number] => [
  Math.round(height / scale),
  Math.round(width / scale),
];

/**
 * Crops at random places of pictures that are scaled down first. Crop i is of picture i modulo their number, so that
 * any run of crops is of all pictures alike; its scale, among those at which the picture is large enough, and its place
 * are drawn from seed, name and the crop's number within the picture. `without` are pictures that no scale leaves large
 * enough.
 *
 * Scaled pictures are kept in `folder` of the cache, made when they are first needed (a fraction of a second each,
 * three bytes a pixel); an item then is one read of `size` rows.
 */
export function randomCrops(
  where: string,
  folder: string,
  pictures: readonly Source[],
  { size, crops, scales, seed }: CropOptions,
  files: Files,
): { readonly dataset: Dataset; readonly without: readonly string[] } {
  const sources = pictures
    .map((source) => ({ source, fits: scales.filter((scale) => Math.min(...sizeAt(source, scale)) >= size) }))
    .filter(({ fits }) => fits.length > 0);
  const used = new Set(sources.map(({ source }) => source));
  if (used.size === 0)
    throw new ConfigError(
      where,
      `no photograph has ${size} pixels in height and width at scale ${scales.join(', ')}.`,
      'Set a smaller size, or smaller scales.',
    );

  const made = new Map<string, Promise<Scaled>>();
  const scaled = (source: Source, scale: number): Promise<Scaled> => {
    const [height, width] = sizeAt(source, scale);
    const name = `${folder}/${source.sha256.slice(0, 16)}-${height}x${width}.rgb`;
    const path = files.cached(name);
    const make = async (): Promise<Scaled> => {
      const kept = await files.size(path).catch(() => undefined);
      if (kept !== height * width * channels) await files.writeCached(name, await scaleDown(source, height, width));
      return { path, width };
    };
    const known = made.get(path) ?? make();
    made.set(path, known);
    return known;
  };
  const scaleDown = async (source: Source, height: number, width: number): Promise<Uint8Array> => {
    const hash = createHash('sha256').update(await files.readBytes(source.path));
    if (hash.digest('hex') !== source.sha256)
      throw new ConfigError(
        files.resolve(source.path),
        'is not the file of the list, by its SHA-256.',
        `Run: npx tweedie fetch ${where}`,
      );
    const pixels = await files.readImage(source.path, { height, width, channels, fit: 'stretch' });
    const bytes = new Uint8Array(pixels.length);
    for (let k = 0; k < bytes.length; k++) bytes[k] = Math.round(((pixels[k] ?? 0) + 1) * 127.5);
    return bytes;
  };

  const item: Dataset['item'] = async (index) => {
    const chosen = index >= 0 && index < crops ? sources[index % sources.length] : undefined;
    if (chosen === undefined)
      throw new ConfigError(
        where,
        `there is no image ${index}, the set has ${crops} crops.`,
        'Ask for fewer images, a smaller offset, or more crops.',
      );
    const { source, fits } = chosen;
    const name = `${source.name}#${Math.floor(index / sources.length)}`;
    const [which = 0, down = 0, across = 0] = keyedRandom(`${where} ${seed} ${name}`).uniform('crop', 3);
    const scale = fits[Math.floor(which * fits.length)] ?? 1;
    const [height, width] = sizeAt(source, scale);
    const top = Math.floor(down * (height - size + 1));
    const left = Math.floor(across * (width - size + 1));
    const { path } = await scaled(source, scale);
    const row = width * channels;
    const bytes = await files.readRange(path, top * row, (top + size) * row);
    const x0 = new Float32Array(size * size * channels);
    const length = size * channels;
    for (let k = 0; k < x0.length; k++) {
      const from = Math.floor(k / length) * row + left * channels + (k % length);
      x0[k] = (bytes[from] ?? 0) / 127.5 - 1;
    }
    return { name, x0 };
  };
  return {
    dataset: { imageShape: [size, size, channels], size: crops, item },
    without: pictures.filter((source) => !used.has(source)).map(({ name }) => name),
  };
}
