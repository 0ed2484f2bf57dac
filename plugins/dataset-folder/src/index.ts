import {
  ConfigError,
  type DatasetFactory,
  type ImageShape,
  isGrey,
  keyedRandom,
  messageOf,
  noteOnUnusedRange,
  type ReadImageOptions,
} from '@tweedie/core';
import { labelsOf, listedNames } from './lists.ts';
import { pictureNames } from './names.ts';

export type FolderOptions = {
  readonly path: string;
  /** Height and width in pixels; or both of them by name. */
  readonly size?: number;
  readonly height?: number;
  readonly width?: number;
  readonly channels: 1 | 3;
  /**
   * `centre`: scaled so that the short side fits, then the middle. `random`: a place drawn from seed and name, not
   * scaled. `none`: every picture whole, at its own size. Of measured pictures every one is whole, `random` refused.
   */
  readonly crop: 'centre' | 'random' | 'none';
  readonly cropsPerImage?: number;
  readonly seed: number;
  readonly unreadable: 'error' | 'skip';
  readonly recursive: boolean;
  /** How many files are used, the first ones; default: all. */
  readonly limit?: number;
  /** A text file with the names that count, in their order; a name alone: a list that ships (imagenet-200). */
  readonly list?: string;
  /** A text file with the class of each picture, for class-conditional models. */
  readonly labels?: string;
};

const where = 'dataset/folder';
/** The most names that a warning lists. */
const mostNamed = 10;
const someOf = (names: readonly string[]): string =>
  `${names.slice(0, mostNamed).join(', ')}${names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ''}`;

/** How many pictures are decoded at a time. */
const lanes = 4;

/**
 * The PNG, JPEG, WebP, TIFF and GIF files of a folder (the first picture of one that holds several), in the order of
 * their names. EXIF orientation is applied, what is transparent stands on mid-grey, grey pictures become three equal
 * channels (or colour ones grey, for one channel).
 *
 * Every file is decoded once when the data set is made (some milliseconds each), so that damaged ones are known, all of
 * them, before a run starts: by default they are an error, or they are left out with a warning that names them. With
 * random crops a picture smaller than the crop counts as one. Throws ConfigError too where no picture is left.
 *
 * Measured pictures (`measured` in the context) are taken whole, at their own size or, where a size is given, at that
 * and no other. Colours are not made grey; grey pictures in three channels are warned of.
 */
export const folder: DatasetFactory<FolderOptions> = async (options, { files, warn, measured }) => {
  const { path, channels, crop, seed, unreadable, recursive, limit = Infinity } = options;
  const { height = options.size, width = options.size } = options;
  if (crop === 'none' && (height !== undefined || width !== undefined))
    throw new ConfigError(where, 'size, height and width do not go with crop none.', 'Keep one of the two.');
  if (measured && crop === 'random')
    throw new ConfigError(
      where,
      'measured pictures are taken whole, and crop random takes pieces of them.',
      'Leave crop out.',
    );
  const whole = crop === 'none' || (measured === true && height === undefined && width === undefined);
  if (!whole && (height === undefined || width === undefined))
    throw new ConfigError(
      where,
      'the size of the images is missing.',
      'Give size, or height and width. With crop: none every picture keeps its own.',
    );
  if (crop !== 'random' && options.cropsPerImage !== undefined)
    throw new ConfigError(where, 'cropsPerImage belongs to crop random.', 'Set crop: random.');
  const cropsPerImage = options.cropsPerImage ?? 1;

  const found = await pictureNames(path, recursive, files);
  const listed = options.list === undefined ? found.names : await listedNames(options.list, found.names, files);
  const names = listed.slice(0, limit);
  if (found.leftOut.length > 0)
    warn(`[${where}] left out, for PNG, JPEG, WebP, TIFF and GIF are read: ${found.leftOut.join(', ')}.`);
  if (names.length === 0) {
    const hint = recursive ? 'Check the path.' : 'Check the path; recursive: true looks into its folders.';
    throw new ConfigError(where, `${files.resolve(path)} holds no PNG, JPEG, WebP, TIFF or GIF file.`, hint);
  }
  const shapes = new Map<string, ImageShape>();
  const shapeOf = (name: string): ImageShape => shapes.get(name) ?? [height ?? 0, width ?? 0, channels];
  const read = async (name: string, copy: number): Promise<Float32Array> => {
    if (whole && !shapes.has(name)) {
      const [ownHeight, ownWidth] = await files.imageShape(`${path}/${name}`);
      shapes.set(name, [ownHeight, ownWidth, channels]);
    }
    const [rows, columns] = shapeOf(name);
    const common: ReadImageOptions = { height: rows, width: columns, channels };
    if (measured) return files.readImage(`${path}/${name}`, { ...common, fit: 'exact' });
    if (crop !== 'random') return files.readImage(`${path}/${name}`, common);
    const [vertical = 0, horizontal = 0] = keyedRandom(`${where} ${seed} ${name} ${copy}`).uniform('crop', 2);
    return files.readImage(`${path}/${name}`, { ...common, fit: 'crop', offset: [vertical, horizontal] });
  };

  /** Measured pictures are grey where grey ones are asked for, and are named where they are grey in three channels. */
  const grey = new Set<string>();
  const checkColours = async (name: string, pixels: Float32Array): Promise<void> => {
    if (channels === 3) {
      if (isGrey(pixels)) grey.add(name);
      return;
    }
    const source = `${path}/${name}`;
    const [rows, columns, stored] = await files.imageShape(source);
    if (stored < 3 || isGrey(await files.readImage(source, { height: rows, width: columns, channels: 3 }))) return;
    throw new ConfigError(
      files.resolve(source),
      'the picture has colours, and one that was measured in grey is wanted (channels: 1).',
      'Set channels: 3, or give the grey values that were measured.',
    );
  };
  const complaints = new Map<string, string>();
  const dim = new Map<string, string>();
  const unchecked = names.values();
  const check = async () => {
    for (const name of unchecked) {
      try {
        const pixels = await read(name, 0);
        if (measured) await checkColours(name, pixels);
        const said = await noteOnUnusedRange(`${path}/${name}`, pixels, files);
        if (said !== undefined) dim.set(name, said);
      } catch (error) {
        complaints.set(name, messageOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, check));

  const good = names.filter((name) => !complaints.has(name));
  const labels = options.labels === undefined ? undefined : await labelsOf(options.labels, good, files);
  const unusable = names.flatMap((name) => complaints.get(name) ?? []);
  if (unusable.length > 0 && (unreadable === 'error' || good.length === 0)) {
    const remedy = unreadable === 'error' ? 'Repair or remove them, or set unreadable: skip.' : 'Repair them.';
    throw new ConfigError(
      where,
      `${unusable.length} of ${names.length} pictures cannot be used:\n${unusable.map((line) => `  ${line}\n`).join('')}`,
      remedy,
    );
  }
  for (const complaint of unusable) warn(`[${where}] left out: ${complaint}`);
  for (const name of good) if (dim.has(name)) warn(`[${where}] ${dim.get(name)}`);
  const colourless = good.filter((name) => grey.has(name));
  if (colourless.length > 0)
    warn(
      `[${where}] ${colourless.length} of ${good.length} measured pictures are grey, their values stand for red, green and blue alike: ${someOf(colourless)}. If their colours were lost, set channels: 1 and use operator colorize with channels: 1.`,
    );

  const nameOf = (index: number): string => {
    const name = Number.isInteger(index) ? good[Math.floor(index / cropsPerImage)] : undefined;
    if (name !== undefined) return name;
    throw new ConfigError(
      where,
      `there is no image ${index}, ${files.resolve(path)} gives ${good.length * cropsPerImage}.`,
      'Ask for fewer images or a smaller offset.',
    );
  };
  return {
    imageShape: shapeOf(nameOf(0)),
    ...(whole && { shapeOf: (index: number) => shapeOf(nameOf(index)) }),
    size: good.length * cropsPerImage,
    item: async (index) => {
      const copy = index % cropsPerImage;
      const name = nameOf(index);
      const label = labels?.get(name);
      return {
        name: cropsPerImage === 1 ? name : `${name}#${copy}`,
        x0: await read(name, copy),
        ...(label === undefined ? {} : { label }),
      };
    },
  };
};
