/** Pictures in, and 8-bit PNG out. Sharp is loaded when the first picture is. */
import {
  ConfigError,
  type ImageShape,
  messageOf,
  type ReadImageOptions,
  showShape,
  type StoredPicture,
} from '@tweedie/core';
import type { Metadata, Sharp } from 'sharp';

const midGrey = 128;
const centre = [0.5, 0.5] as const;

/** `source` is the path that errors name. */
export async function decodeImage(bytes: Uint8Array, source: string, options: ReadImageOptions): Promise<Float32Array> {
  const { height, width, channels, fit = 'cover', offset = centre, background = midGrey } = options;
  try {
    const { picture, stored } = await open(bytes);
    const [storedHeight, storedWidth] = shapeOf(stored);
    const refuse = (remedy: string) =>
      new ConfigError(
        source,
        `the picture is ${storedHeight} high and ${storedWidth} wide, wanted ${height} by ${width}.`,
        remedy,
      );
    if (fit === 'exact' && (storedHeight !== height || storedWidth !== width))
      throw refuse('Give a picture of that size.');
    if (fit === 'crop' && (storedHeight < height || storedWidth < width))
      throw refuse('A crop cannot be larger than the picture.');
    const scale = fit === 'cover' ? Math.max(height / storedHeight, width / storedWidth) : 1;
    const scaledHeight = fit === 'stretch' ? height : Math.max(height, Math.round(storedHeight * scale));
    const scaledWidth = fit === 'stretch' ? width : Math.max(width, Math.round(storedWidth * scale));
    const { data, info } = await picture
      .autoOrient()
      .flatten({ background: { r: background, g: background, b: background } })
      .resize(scaledWidth, scaledHeight, { fit: 'fill', fastShrinkOnLoad: false })
      .extract({
        top: Math.round((scaledHeight - height) * offset[0]),
        left: Math.round((scaledWidth - width) * offset[1]),
        height,
        width,
      })
      .toColourspace(spaceOf(stored, channels === 1))
      .raw({ depth: depthOf(stored) })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== channels)
      throw new Error(`${info.channels} channels came out of the decoder, wanted ${channels}`);
    // A loop, for Float32Array.from with a function takes seconds on large pictures.
    const { values, largest } = numbersOf(data, stored);
    const pixels = new Float32Array(values.length);
    for (let k = 0; k < values.length; k++) pixels[k] = (values[k] ?? 0) / (largest / 2) - 1;
    return pixels;
  } catch (cause) {
    throw cause instanceof ConfigError ? cause : unreadable(source, cause);
  }
}

/** The numbers of a picture as stored; `source` is the path that errors name. */
export async function decodeStored(bytes: Uint8Array, source: string): Promise<StoredPicture> {
  try {
    const { picture, stored } = await open(bytes);
    // The decoder drops the opacity of what it makes grey: with one, grey comes as three equal channels.
    const grey = isGrey(stored) && !stored.hasAlpha;
    const { data, info } = await picture
      .autoOrient()
      .toColourspace(spaceOf(stored, grey))
      .raw({ depth: depthOf(stored) })
      .toBuffer({ resolveWithObject: true });
    const { height, width, channels } = info;
    return { height, width, channels, alpha: channels === 2 || channels === 4, ...numbersOf(data, stored) };
  } catch (cause) {
    throw unreadable(source, cause);
  }
}

/** Height and width with the EXIF orientation applied, channels as stored. */
export async function imageShapeOf(bytes: Uint8Array, source: string): Promise<ImageShape> {
  try {
    return shapeOf((await open(bytes)).stored);
  } catch (cause) {
    throw unreadable(source, cause);
  }
}

/** An 8-bit PNG of one image in [-1, 1], row-major H, W, C with 1 or 3 channels; numbers outside are clipped. */
export async function encodePng(pixels: Float32Array, shape: ImageShape): Promise<Uint8Array> {
  const [height, width, channels] = shape;
  if ((channels !== 1 && channels !== 3) || pixels.length !== height * width * channels) {
    throw new ConfigError(
      'png',
      `${pixels.length} numbers of shape ${showShape(shape)} are no grey or colour picture.`,
      '',
    );
  }
  const { default: sharp } = await import('sharp');
  // A clamped array rounds, and clips at 0 and 255.
  const bytes = Uint8ClampedArray.from(pixels, (value) => (value + 1) * 127.5);
  return sharp(bytes, { raw: { height, width, channels } })
    .png({ compressionLevel: 9, adaptiveFiltering: true })
    .toBuffer();
}

/**
 * A picture whose numbers come out as sRGB, and what its file says of itself. Sharp does so for 8 bits, but takes 16
 * bits with a profile to Display P3: those of sRGB are kept as they are, others go on to sRGB here.
 */
async function open(bytes: Uint8Array): Promise<{ readonly picture: Sharp; readonly stored: Metadata }> {
  const { default: sharp } = await import('sharp');
  const options = { failOn: 'error' } as const;
  const picture = sharp(bytes, options);
  const stored = await picture.metadata();
  if (!isDeep(stored) || stored.icc === undefined || isGrey(stored)) return { picture, stored };
  if (isSrgb(stored.icc)) return { picture: sharp(bytes, { ...options, ignoreIcc: true }), stored };
  const { data, info } = await picture
    .autoOrient()
    .toColourspace('rgb16')
    .withIccProfile('srgb', { attach: false })
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  const { height, width, channels } = info;
  const values = new Uint16Array(Uint8Array.from(data).buffer);
  return { picture: sharp(values, { raw: { height, width, channels } }), stored };
}

/** Whether a colour profile calls itself sRGB, in either encoding of its description; a linear one is another. */
const isSrgb = (profile: Buffer): boolean => {
  const text = profile.toString('latin1').replaceAll('\0', '');
  return text.includes('sRGB') && !/linear/i.test(text);
};

const isGrey = ({ space }: Metadata): boolean => space === 'b-w' || space === 'grey16';

/** True for 16 bits a channel; all else is read as 8. */
const isDeep = ({ depth }: Metadata): boolean => depth === 'ushort';
const depthOf = (stored: Metadata) => (isDeep(stored) ? 'ushort' : 'uchar');
const spaceOf = (stored: Metadata, grey: boolean) =>
  isDeep(stored) ? (grey ? 'grey16' : 'rgb16') : grey ? 'b-w' : 'srgb';

/** The decoder's bytes as numbers of the picture's depth. */
const numbersOf = (data: Buffer, stored: Metadata): Pick<StoredPicture, 'values' | 'largest'> =>
  isDeep(stored)
    ? { values: new Uint16Array(Uint8Array.from(data).buffer), largest: 65535 }
    : { values: data, largest: 255 };

const shapeOf = ({ autoOrient, channels }: Metadata): ImageShape => [autoOrient.height, autoOrient.width, channels];

const unreadable = (source: string, cause: unknown): ConfigError =>
  new ConfigError(
    source,
    `cannot be read as a picture (${messageOf(cause)}).`,
    'Give a sound PNG, JPEG, WebP, TIFF or GIF file.',
    { cause },
  );
