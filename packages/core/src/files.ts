import type { ImageShape } from './types.ts';

/** Whether a name ends like a picture that `Files` reads. */
export const isPictureName = (name: string): boolean => /\.(png|jpe?g|webp|tiff?|gif)$/i.test(name);

/** How a picture is brought to a size. */
export type ReadImageOptions = {
  readonly height: number;
  readonly width: number;
  /** 1 (grey) or 3. */
  readonly channels: 1 | 3;
  /**
   * `cover` (default) scales the short side, then crops; `crop` does not scale; `stretch` scales both sides;
   * `exact` refuses other sizes.
   */
  readonly fit?: 'cover' | 'crop' | 'stretch' | 'exact';
  /** Place of a crop, as fractions (0..1) of the room that it leaves; default the centre. */
  readonly offset?: readonly [vertical: number, horizontal: number];
  /** What transparent pixels show, 0..255 per channel; default mid-grey 128. */
  readonly background?: number;
};

/** A picture as its file holds it: no blending, no scaling. EXIF orientation is applied, a palette is looked up. */
export type StoredPicture = {
  readonly height: number;
  readonly width: number;
  /** Grey, grey and alpha, red green blue, or these and alpha. */
  readonly channels: 1 | 2 | 3 | 4;
  /** True where the last channel is the opacity. */
  readonly alpha: boolean;
  /** The value of white and of an opaque pixel: 255, or 65535 where the file has 16 bits. */
  readonly largest: 255 | 65535;
  /** Row-major H, W, C, 0 to `largest`. */
  readonly values: Uint8Array | Uint16Array;
};

/**
 * The only way a plugin reaches files. Paths may be `file:` URLs, absolute, `cache:` and a name in Tweedie's cache
 * folder, or relative to the folder of the experiment. Failures are ConfigErrors that name the path. EXIF orientation
 * is applied to pictures.
 */
export interface Files {
  /** The absolute path that `path` stands for. */
  resolve(path: string): string;
  /** The absolute path without symbolic links: equal for two paths of one thing. */
  realPath(path: string): Promise<string>;
  readBytes(path: string): Promise<Uint8Array>;
  readText(path: string): Promise<string>;
  /** Bytes of a file, without reading it. */
  size(path: string): Promise<number>;
  /** Bytes begin .. end - 1, for files too large to be read at once. */
  readRange(path: string, begin: number, end: number): Promise<Uint8Array>;
  /** Names of a folder's entries, sorted by code unit; the name of a folder ends in `/`. */
  list(folder: string): Promise<readonly string[]>;
  /** A picture as float32 row-major H, W, C in [-1, 1] (value / 127.5 - 1; of 16 bits, value / 32767.5 - 1). */
  readImage(path: string, options: ReadImageOptions): Promise<Float32Array>;
  /** A picture's numbers as stored, for masks and for what a file says of itself. */
  readStored(path: string): Promise<StoredPicture>;
  /** Size and channel count of a picture as stored, EXIF orientation applied. */
  imageShape(path: string): Promise<ImageShape>;
  /**
   * The absolute path of a file in Tweedie's cache folder, where it is or would be: what `tweedie fetch` has brought,
   * and what plugins keep. `name` begins with the plugin's own folder, `<kind>-<id>/`.
   */
  cached(name: string): string;
  /** Keeps bytes in the cache: the file is there whole or not at all. Whoever reads it can do without it. */
  writeCached(name: string, bytes: Uint8Array): Promise<void>;
}

/** True where red, green and blue of a picture are the same everywhere; `pixels` has three channels. */
export const isGrey = (pixels: Float32Array): boolean => pixels.every((value, k) => value === pixels[k - (k % 3)]);

/** Below this share of white, all of a 16-bit picture may be data of fewer bits. */
const leastShare = 1 / 8;

/**
 * A sentence on a 16-bit picture that uses less than an eighth of its range, as 12-bit data in 16 bits do; undefined
 * for any other. Whether it is dark or of fewer bits cannot be known. `pixels` is what `readImage` gave for it: the
 * file is read once more only where they are that dark.
 */
export async function noteOnUnusedRange(path: string, pixels: Float32Array, files: Files): Promise<string | undefined> {
  if (pixels.some((value) => value >= 2 * leastShare - 1)) return undefined;
  const { values, largest, channels, alpha } = await files.readStored(path);
  if (largest !== 65535) return undefined;
  let highest = 0;
  for (const [k, value] of values.entries()) if (!alpha || (k + 1) % channels !== 0) highest = Math.max(highest, value);
  if (highest >= leastShare * largest) return undefined;
  return `[${files.resolve(path)}] the picture has 16 bits, but no value above ${highest} of ${largest}: it comes out nearly black. If it holds data of fewer bits, scale them to 16 first.`;
}
