/** Pictures out, as deep as they came in. */
import { crc32, deflateSync } from 'node:zlib';
import { ConfigError, type ImageShape, showShape } from '@tweedie/core';
import type { Sharp } from 'sharp';

export type PictureEncoding = {
  /** Default png. */
  readonly format?: 'png' | 'tiff';
  /** Bits of each channel; default 8. */
  readonly depth?: 8 | 16;
  /** Opacity of each pixel, 0 to 1, row-major; default: none is stored. */
  readonly opacity?: Float32Array;
};

/**
 * One image in [-1, 1], row-major H, W, C with 1 or 3 channels, as a PNG or TIFF file; numbers outside are clipped. A
 * colour picture carries the profile of sRGB; a grey one has none. Nothing is turned or converted.
 */
export async function encodePicture(
  pixels: Float32Array,
  shape: ImageShape,
  { format = 'png', depth = 8, opacity }: PictureEncoding = {},
): Promise<Uint8Array> {
  const [height, width, channels] = shape;
  if ((channels !== 1 && channels !== 3) || pixels.length !== height * width * channels)
    throw new ConfigError(
      format,
      `${pixels.length} numbers of shape ${showShape(shape)} are no grey or colour picture.`,
      '',
    );
  const { default: sharp } = await import('sharp');
  const all = (channels + (opacity ? 1 : 0)) as 1 | 2 | 3 | 4;
  const largest = depth === 16 ? 65535 : 255;
  const numbers = depth === 16 ? new Uint16Array(height * width * all) : new Uint8Array(height * width * all);
  const stored = (share: number): number => Math.round(Math.min(Math.max(share, 0), 1) * largest);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let c = 0; c < channels; c++) numbers[pixel * all + c] = stored(((pixels[pixel * channels + c] ?? 0) + 1) / 2);
    if (opacity) numbers[pixel * all + channels] = stored(opacity[pixel] ?? 1);
  }
  const space = depth === 16 ? (channels === 1 ? 'grey16' : 'rgb16') : channels === 1 ? 'b-w' : 'srgb';
  const plain = await sharp(numbers, { raw: { height, width, channels: all } })
    .toColourspace(space)
    .png({ compressionLevel: 9, adaptiveFiltering: true })
    .toBuffer();
  const png = channels === 1 ? plain : withProfile(plain, await srgbProfile());
  if (format === 'png') return png;
  return sharp(png).toColourspace(space).keepIccProfile().tiff({ compression: 'deflate' }).toBuffer();
}

/** The profile of sRGB that sharp ships. Sharp would convert 16 bits on attaching it: PNG takes it as it is. */
let profile: Promise<Buffer> | undefined;
const srgbProfile = (): Promise<Buffer> => {
  const read = async (): Promise<Buffer> => {
    const { default: sharp } = await import('sharp');
    const dot: Sharp = sharp(new Uint8Array(3), { raw: { height: 1, width: 1, channels: 3 } });
    const { icc } = await sharp(await dot.withIccProfile('srgb').png().toBuffer()).metadata();
    if (icc === undefined) throw new Error('sharp wrote no profile of sRGB.');
    return icc;
  };
  profile ??= read();
  return profile;
};

/** Bytes of a PNG before its second chunk: the signature and the header, which comes first. */
const HEAD = 8 + 25;

/** A PNG with a colour profile as its second chunk, iCCP (PNG specification, 11.3.2.3). */
const withProfile = (png: Buffer, icc: Buffer): Buffer => {
  const data = Buffer.concat([Buffer.from('sRGB\0\0', 'latin1'), deflateSync(icc)]);
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write('iCCP', 4, 'latin1');
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return Buffer.concat([png.subarray(0, HEAD), chunk, png.subarray(HEAD)]);
};
