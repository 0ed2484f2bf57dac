/** Which pixels are observed: 1 or 0, row-major H, W. */
import { ConfigError, decodeSafetensors, type Files, type KeyedRandom, showShape } from '@tweedie/core';

const where = 'operator/inpaint';
type Size = readonly [height: number, width: number];
export type DrawMask = (random: KeyedRandom) => Float32Array;

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

/**
 * A stored mask, the same for all problems: a picture (white = observed) or the tensor `mask` of a safetensors file (1
 * = observed).
 */
export async function fileMask(size: Size, file: string, files: Files): Promise<DrawMask> {
  const mask = file.endsWith('.safetensors')
    ? await tensorMask(size, file, files)
    : await pictureMask(size, file, files);
  if (!mask.includes(1))
    throw new ConfigError(
      where,
      `the mask ${files.resolve(file)} observes no pixel.`,
      'White (1) marks what is observed.',
    );
  return () => mask.slice();
}

async function pictureMask([height, width]: Size, file: string, files: Files): Promise<Float32Array> {
  const [storedHeight, storedWidth] = await files.imageShape(file);
  checkShape([storedHeight, storedWidth], [height, width], files.resolve(file));
  const pixels = await files.readImage(file, { height, width, channels: 1, fit: 'exact', background: 0 });
  return pixels.map((value) => (value > 0 ? 1 : 0));
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

/**
 * Throws unless a stored mask has the size of the images. Axes of length 1 do not count: [1, H, W] and [H, W, 1] are
 * masks too.
 */
function checkShape(stored: readonly number[], size: Size, path: string): void {
  const squeezed = (shape: readonly number[]) => showShape(shape.filter((extent) => extent !== 1));
  if (squeezed(stored) === squeezed(size)) return;
  throw new ConfigError(
    where,
    `the mask ${path} has shape ${showShape(stored)}, the images have ${showShape(size)}.`,
    'Give a mask of the size of the images.',
  );
}
