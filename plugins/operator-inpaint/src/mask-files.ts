/** A mask of its own for each image: files that are found by the name of the image, or by its place. */
import { ConfigError, type ImagePlace, isPictureName, showShape } from '@tweedie/core';
import { type DrawMask, type MaskReading, OtherSizeError, readMask } from './masks.ts';

const where = 'operator/inpaint';
const isMaskName = (name: string): boolean => isPictureName(name) || /\.safetensors$/i.test(name);
/** `cat.png` and `cat.jpg` are `cat`; a crop of a picture, `cat.jpg#1`, is `cat#1`. */
const stemOf = (name: string): string => name.replace(/\.[A-Za-z]+(?=#\d+$|$)/, '');
const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export type MaskFiles = {
  /** A folder, or the files one by one. */
  readonly masks: string | readonly string[];
  /** Whether a mask is found by the name of its image or by its place. */
  readonly match: 'name' | 'order';
};

/** The mask files of a folder, in the order of their names. */
const filesIn = async (folder: string, { files, warn }: MaskReading): Promise<readonly string[]> => {
  const listed = (await files.list(folder)).filter((name) => !name.startsWith('.'));
  const names = listed.filter(isMaskName);
  const leftOut = listed.filter((name) => !isMaskName(name));
  if (names.length === 0)
    throw new ConfigError(
      where,
      `${files.resolve(folder)} holds no mask: no picture and no .safetensors file.`,
      'Check the path; the folders in it are not looked into.',
    );
  if (leftOut.length > 0) warn(`[${where}] no masks, and left out: ${leftOut.join(', ')}.`);
  return names.map((name) => `${folder}/${name}`);
};

type NamedMask = { readonly name: string; readonly mask: Uint8Array | OtherSizeError };

/** Throws where no mask has the size of the images. */
const refuseSizes = (
  [first, ...others]: readonly NamedMask[],
  source: string,
  size: readonly [height: number, width: number],
): void => {
  if (!(first?.mask instanceof OtherSizeError)) return;
  if (others.length === 0) throw first.mask;
  throw new ConfigError(
    where,
    `none of the ${others.length + 1} masks of ${source} has the size of the images, ${showShape(size)}.`,
    'Give each image a mask of its size.',
  );
};

/**
 * Stored masks, one for each image, all of them read when the operator is made (some milliseconds each): the file that
 * is called like the image but for the ending, or that at the place which the image has in its source. Without an image
 * the first one stands for all. Masks of other sizes are those of other images. Throws ConfigError for a file that is
 * no mask, names that are not told apart, and an image without a mask of its size.
 */
export async function maskFiles(
  size: readonly [height: number, width: number],
  { masks, match }: MaskFiles,
  reading: MaskReading,
): Promise<DrawMask> {
  const { files, warn, note } = reading;
  const folder = typeof masks === 'string' ? masks : undefined;
  const paths = typeof masks === 'string' ? await filesIn(masks, reading) : masks;
  const source = folder === undefined ? 'the list of masks' : files.resolve(folder);
  const read: NamedMask[] = [];
  const counts: number[] = [];
  for (const path of paths) {
    try {
      const { mask, hidden, found, path: full } = await readMask(size, path, reading);
      if (hidden === 0) warn(`[${where}] the mask ${full} hides no pixel (${found}).`);
      counts.push(hidden);
      read.push({ name: nameOf(path), mask: Uint8Array.from(mask) });
    } catch (error) {
      // It may be for an image of another size, which has an operator of its own.
      if (!(error instanceof OtherSizeError)) throw error;
      read.push({ name: nameOf(path), mask: error });
    }
  }
  if (counts.length === 0) refuseSizes(read, source, size);
  const byStem = new Map<string, (typeof read)[number]>();
  for (const each of match === 'name' ? read : []) {
    const other = byStem.get(stemOf(each.name));
    if (other !== undefined)
      throw new ConfigError(
        where,
        `masks ${other.name} and ${each.name} of ${source} both belong to an image called ${JSON.stringify(stemOf(each.name))}.`,
        'Keep one of the two.',
      );
    byStem.set(stemOf(each.name), each);
  }
  const range = [...new Set([Math.min(...counts), Math.max(...counts)])].join(' to ');
  note?.(
    `[${where}] ${counts.length} masks of ${source} hide ${range} of ${size[0] * size[1]} pixels; each is for the image ${match === 'name' ? 'of its name' : 'at its place'}.`,
  );

  const called = ({ name }: ImagePlace) => {
    const found = byStem.get(stemOf(name));
    if (found !== undefined) return found;
    const some = [...byStem.values()].slice(0, 3).map((each) => each.name);
    throw new ConfigError(
      where,
      `no mask of ${source} is called like the image ${JSON.stringify(name)}; there are ${some.join(', ')}${byStem.size > some.length ? ` and ${byStem.size - some.length} more` : ''}.`,
      'Name each mask after its image, endings aside; or say match: order, which takes the masks as they come.',
    );
  };
  const placed = ({ name, index }: ImagePlace) => {
    const found = read[index];
    if (found !== undefined) return found;
    throw new ConfigError(
      where,
      `there ${read.length === 1 ? 'is 1 mask' : `are ${read.length} masks`} in ${source}, and none for the image ${JSON.stringify(name)}, which is number ${index + 1} of its source.`,
      'Give a mask for each image, those included that offset passes over.',
    );
  };
  return (_, image) => {
    const found =
      image === undefined
        ? read.find(({ mask }) => !(mask instanceof OtherSizeError))
        : match === 'name'
          ? called(image)
          : placed(image);
    if (found?.mask instanceof OtherSizeError) throw found.mask;
    return Float32Array.from(found?.mask ?? []);
  };
}
