/** Which pixels are observed: 1 or 0, row-major H, W. */
import {
  ConfigError,
  decodeSafetensors,
  type Files,
  type ImagePlace,
  type KeyedRandom,
  showShape,
} from '@tweedie/core';
import { type FoundMask, maskOfPicture } from './mask-picture.ts';

const where = 'operator/inpaint';
type Size = readonly [height: number, width: number];
export type DrawMask = (random: KeyedRandom, image?: ImagePlace) => Float32Array;

export type RandomMask = { readonly rate: number; readonly maxRate: number };
export type BoxMask = { readonly boxHeight: number; readonly boxWidth: number; readonly margin: number };

/**
 * Draws masks that hide exactly floor(rate H W) pixels, without replacement; the rate is drawn from [rate, maxRate)
 * first.
 */
export function randomMask([height, width]: Size, { rate, maxRate }: RandomMask): DrawMask {
  if (maxRate < rate)
    throw new ConfigError(where, `maxRate ${maxRate} is below rate ${rate}.`, 'Give the smaller one as rate.');
  return (random) => {
    const [position = 0] = random.uniform('rate', 1);
    const drawn = rate + (maxRate - rate) * position;
    const mask = new Float32Array(height * width).fill(1);
    const hidden = random.permutation('hidden pixels', height * width).subarray(0, Math.floor(drawn * height * width));
    for (const pixel of hidden) mask[pixel] = 0;
    return mask;
  };
}

/**
 * A hidden box whose top left corner is uniform in [margin, side - margin - box), the upper end excluded. An axis of
 * length 1, as of a signal [1, W, 1], has no place for a margin: the box spans it.
 */
export function boxMask([height, width]: Size, { boxHeight, boxWidth, margin }: BoxMask): DrawMask {
  const along = (side: number, box: number) =>
    side === 1 ? { first: 0, box: 1, places: 1 } : { first: margin, box, places: side - 2 * margin - box };
  const [vertically, horizontally] = [along(height, boxHeight), along(width, boxWidth)];
  if (Math.min(vertically.places, horizontally.places) < 1 || height * width === 1) {
    throw new ConfigError(
      where,
      `a box of ${boxHeight} by ${boxWidth} with a margin of ${margin} has no place in images of ${height} by ${width}.`,
      'Box plus twice the margin must be smaller than the image.',
    );
  }
  return (random) => {
    const [vertical = 0, horizontal = 0] = random.uniform('corner', 2);
    const top = vertically.first + Math.floor(vertical * vertically.places);
    const left = horizontally.first + Math.floor(horizontal * horizontally.places);
    const mask = new Float32Array(height * width).fill(1);
    for (let row = top; row < top + vertically.box; row++)
      mask.fill(0, row * width + left, row * width + left + horizontally.box);
    return mask;
  };
}

/** What a mask file is read with: the threshold of shades, and where what was found is told. */
export type MaskReading = {
  readonly files: Files;
  readonly threshold: number | undefined;
  readonly warn: (message: string) => void;
  readonly note?: (message: string) => void;
};

/**
 * A stored mask, the same for all problems: a picture (`pictureMask`) or the tensor `mask` of a safetensors file (1 =
 * observed). Tells how many pixels are hidden; warns where none is; throws ConfigError where all are.
 */
export async function fileMask(size: Size, file: string, reading: MaskReading): Promise<DrawMask> {
  const { warn, note } = reading;
  const { mask, hidden, found, path } = await readMask(size, file, reading);
  if (hidden === 0) warn(`[${where}] the mask ${path} hides no pixel (${found}).`);
  else note?.(`[${where}] the mask ${path} hides ${hidden} of ${mask.length} pixels (${found}).`);
  return () => mask.slice();
}

/** The mask of a file, how many pixels it hides, and how that was read. */
export type ReadMask = FoundMask & { readonly hidden: number; readonly path: string };

/** Reads a mask file; throws ConfigError where it is none or observes nothing. */
export async function readMask(size: Size, file: string, { files, threshold }: MaskReading): Promise<ReadMask> {
  const path = files.resolve(file);
  const tensor = file.endsWith('.safetensors');
  if (tensor && threshold !== undefined)
    throw new ConfigError(where, `threshold ${threshold} is for pictures, and ${path} is none.`, 'Leave it out.');
  const { mask, found } = tensor
    ? { mask: await tensorMask(size, file, files), found: '1 is observed' }
    : await pictureMask(size, file, files, threshold);
  const hidden = mask.reduce((sum, value) => sum + 1 - value, 0);
  if (hidden === mask.length)
    throw new ConfigError(where, `the mask ${path} observes no pixel (${found}).`, 'White (1) marks what is observed.');
  return { mask, hidden, found, path };
}

async function pictureMask(size: Size, file: string, files: Files, threshold: number | undefined): Promise<FoundMask> {
  const path = files.resolve(file);
  const stored = await files.readStored(file);
  checkShape([stored.height, stored.width], size, path);
  return maskOfPicture(stored, path, threshold);
}

async function tensorMask(size: Size, file: string, files: Files): Promise<Float32Array> {
  const path = files.resolve(file);
  const entry = decodeSafetensors(await files.readBytes(file), path).get('mask');
  if (entry === undefined)
    throw new ConfigError(where, `${path} has no tensor named "mask".`, 'Store the mask under that name.');
  checkShape(entry.shape, size, path);
  const mask = Float32Array.from(entry.data, Number);
  if (!mask.every((value) => value === 0 || value === 1))
    throw new ConfigError(
      where,
      `the mask ${path} has values beside 0 and 1.`,
      'Store 1 where a pixel is observed and 0 where it is hidden.',
    );
  return mask;
}

/** A mask is sound, and for images of another size. */
export class OtherSizeError extends ConfigError {}

/**
 * Throws unless a stored mask has the size of the images. Axes of length 1 do not count: [1, H, W] and [H, W, 1] are
 * masks too.
 */
function checkShape(stored: readonly number[], size: Size, path: string): void {
  const squeezed = (shape: readonly number[]) => showShape(shape.filter((extent) => extent !== 1));
  if (squeezed(stored) === squeezed(size)) return;
  throw new OtherSizeError(
    where,
    `the mask ${path} has shape ${showShape(stored)}, the images have ${showShape(size)}.`,
    'Give a mask of the size of the images.',
  );
}
