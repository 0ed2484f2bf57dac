/** Which pictures are restored, and where what is made of them goes. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { ConfigError, isPictureName, messageOf } from '@tweedie/core';

export const isFolder = (path: string): boolean => {
  try {
    return statSync(path).isDirectory();
  } catch {
    // What is wrong with it is said where it is read or written.
    return false;
  }
};

const TIFF = /\.tiff?$/i;

/** A picture to restore, and the files that are made of it. */
export type Place = {
  /** As it was given, or found in a folder. */
  readonly image: string;
  readonly format: 'png' | 'tiff';
  /** One path for each sample; the second is `...-2`. */
  readonly samples: readonly string[];
  /** Of several samples. */
  readonly mean: string;
  readonly deviation: string;
  readonly measurement: string;
  readonly page: string;
};

/** The pictures of a folder in the order of their names; folders in it and hidden files are not looked at. */
const picturesIn = (folder: string): readonly string[] => {
  let names: readonly string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && isPictureName(entry.name) && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  } catch (cause) {
    throw new ConfigError(folder, `cannot be read (${messageOf(cause)}).`, 'Change its permissions.', { cause });
  }
  if (names.length === 0)
    throw new ConfigError(
      folder,
      'the folder holds no PNG, JPEG, WebP, TIFF or GIF file.',
      'Check the path; the folders in it are not looked into.',
    );
  return names.map((name) => join(folder, name));
};

const withoutEnding = (path: string): string => path.slice(0, path.length - extname(path).length);

const placeOf = (image: string, stem: string, format: Place['format'], samples: number): Place => {
  const ending = format === 'tiff' ? 'tif' : 'png';
  return {
    image,
    format,
    samples: Array.from({ length: samples }, (_, i) => resolve(`${stem}${i === 0 ? '' : `-${i + 1}`}.${ending}`)),
    mean: resolve(`${stem}.mean.${ending}`),
    deviation: resolve(`${stem}.deviation.png`),
    measurement: resolve(`${stem}.measurement.png`),
    page: resolve(`${stem}.html`),
  };
};

/**
 * The pictures of what was given, files and folders, each with its place: `out`, a file for one picture, or a folder;
 * else beside a picture, and for a folder in one beside it that is called `<folder>-restored`. Results are TIFF where
 * the picture is, or `out` says so, else PNG. Throws ConfigError where two would be written to one file, or several to
 * one.
 */
export const placesOf = (given: readonly string[], out: string | undefined, samples: number): readonly Place[] => {
  const found = given.flatMap((path) =>
    isFolder(path)
      ? picturesIn(path).map((image) => ({ image, beside: `${resolve(path)}-restored` }))
      : [{ image: path, beside: dirname(path) }],
  );
  const one = out !== undefined && isPictureName(out) && !isFolder(out) && !/[/\\]$/.test(out);
  if (one && found.length > 1)
    throw new ConfigError(
      'restore',
      `--out ${out} is one file, and ${found.length} pictures are given.`,
      'Leave it out: each is written beside its picture. Or name a folder.',
    );
  if (one && !/\.(png|tiff?)$/i.test(out))
    throw new ConfigError(
      'restore',
      `--out ${out}: results are PNG or TIFF.`,
      'Name a file that ends in .png or .tif.',
    );
  const places = found.map(({ image, beside }) => {
    if (one) return placeOf(image, out.replace(/\.(png|tiff?)$/i, ''), TIFF.test(out) ? 'tiff' : 'png', samples);
    const name = `${withoutEnding(basename(image))}.restored`;
    // A single picture may go to a file without an ending, too.
    const single = out !== undefined && found.length === 1 && !isFolder(given[0] ?? '') && !isFolder(out);
    const stem = single && !/[/\\]$/.test(out) ? out : join(out ?? beside, name);
    return placeOf(image, stem, TIFF.test(image) ? 'tiff' : 'png', samples);
  });
  const firsts = new Map<string, string>();
  for (const { image, samples: paths, page } of places)
    // Two pictures may differ in the kind of their results alone: their pages would be one.
    for (const path of [...paths.slice(0, 1), page]) {
      const other = firsts.get(path);
      if (other !== undefined)
        throw new ConfigError(
          'restore',
          `${other} and ${image} would both be written to ${path}.`,
          'Rename one of them.',
        );
      firsts.set(path, image);
    }
  return places;
};
