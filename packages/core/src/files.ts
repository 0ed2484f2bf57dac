import type { ImageShape } from './types.ts';

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

/**
 * The only way a plugin reaches files. Paths may be `file:` URLs, absolute, or relative to the folder of the
 * experiment. Failures are ConfigErrors that name the path. EXIF orientation is applied to pictures.
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
  /** A picture as float32 row-major H, W, C in [-1, 1] (value / 127.5 - 1). */
  readImage(path: string, options: ReadImageOptions): Promise<Float32Array>;
  /** Size and channel count of a picture as stored, EXIF orientation applied. */
  imageShape(path: string): Promise<ImageShape>;
}
