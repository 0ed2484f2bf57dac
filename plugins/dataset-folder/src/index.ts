import {
  ConfigError,
  type DatasetFactory,
  type ImageShape,
  keyedRandom,
  messageOf,
  noteOnUnusedRange,
  type ReadImageOptions,
} from '@tweedie/core';
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
   * scaled. `none`: every picture whole, at its own size.
   */
  readonly crop: 'centre' | 'random' | 'none';
  readonly cropsPerImage?: number;
  readonly seed: number;
  readonly unreadable: 'error' | 'skip';
  readonly recursive: boolean;
  /** How many files are used, the first ones; default: all. */
  readonly limit?: number;
};

const where = 'dataset/folder';
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
 */
export const folder: DatasetFactory<FolderOptions> = async (options, { files, warn }) => {
  const { path, channels, crop, seed, unreadable, recursive, limit = Infinity } = options;
  const { height = options.size, width = options.size } = options;
  if (crop === 'none' && (height !== undefined || width !== undefined))
    throw new ConfigError(where, 'size, height and width do not go with crop none.', 'Keep one of the two.');
  if (crop !== 'none' && (height === undefined || width === undefined))
    throw new ConfigError(
      where,
      'the size of the images is missing.',
      'Give size, or height and width. With crop: none every picture keeps its own.',
    );
  if (crop !== 'random' && options.cropsPerImage !== undefined)
    throw new ConfigError(where, 'cropsPerImage belongs to crop random.', 'Set crop: random.');
  const cropsPerImage = options.cropsPerImage ?? 1;

  const found = await pictureNames(path, recursive, files);
  const names = found.names.slice(0, limit);
  if (found.leftOut.length > 0)
    warn(`[${where}] left out, for PNG, JPEG, WebP, TIFF and GIF are read: ${found.leftOut.join(', ')}.`);
  if (names.length === 0) {
    const hint = recursive ? 'Check the path.' : 'Check the path; recursive: true looks into its folders.';
    throw new ConfigError(where, `${files.resolve(path)} holds no PNG, JPEG, WebP, TIFF or GIF file.`, hint);
  }
  const shapes = new Map<string, ImageShape>();
  const shapeOf = (name: string): ImageShape => shapes.get(name) ?? [height ?? 0, width ?? 0, channels];
  const read = async (name: string, copy: number): Promise<Float32Array> => {
    if (crop === 'none' && !shapes.has(name)) {
      const [ownHeight, ownWidth] = await files.imageShape(`${path}/${name}`);
      shapes.set(name, [ownHeight, ownWidth, channels]);
    }
    const [rows, columns] = shapeOf(name);
    const common: ReadImageOptions = { height: rows, width: columns, channels };
    if (crop !== 'random') return files.readImage(`${path}/${name}`, common);
    const [vertical = 0, horizontal = 0] = keyedRandom(`${where} ${seed} ${name} ${copy}`).uniform('crop', 2);
    return files.readImage(`${path}/${name}`, { ...common, fit: 'crop', offset: [vertical, horizontal] });
  };

  const complaints = new Map<string, string>();
  const dim = new Map<string, string>();
  const unchecked = names.values();
  const check = async () => {
    for (const name of unchecked) {
      try {
        const said = await noteOnUnusedRange(`${path}/${name}`, await read(name, 0), files);
        if (said !== undefined) dim.set(name, said);
      } catch (error) {
        complaints.set(name, messageOf(error));
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, check));

  const good = names.filter((name) => !complaints.has(name));
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
    ...(crop === 'none' && { shapeOf: (index: number) => shapeOf(nameOf(index)) }),
    size: good.length * cropsPerImage,
    item: async (index) => {
      const copy = index % cropsPerImage;
      const name = nameOf(index);
      return { name: cropsPerImage === 1 ? name : `${name}#${copy}`, x0: await read(name, copy) };
    },
  };
};
