import { statSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { at, ConfigError, type ImageShape, type RegistryOptions, type SampleFailure } from '@tweedie/core';
import { encodePng, checkPlace, OTHER_FILE, writeWhole } from '@tweedie/files';
import type { Watch } from './machine/progress.ts';
import type { ReferenceInput } from './recipe/recipe.ts';
import { checkSizes, readPicture, shapeBehind } from './plan/given-picture.ts';
import { type Sampled, sampleEach, type SampleOptions } from './sample.ts';

export type RestoreOptions = Watch & {
  /** PNG, JPEG, WebP, TIFF or GIF: the degraded picture, or several; with `degrade`, clean ones. */
  readonly image: string | readonly string[];
  readonly model: ReferenceInput;
  readonly operator: ReferenceInput;
  readonly method: ReferenceInput;
  readonly scheduler?: ReferenceInput;
  readonly engine?: ReferenceInput;
  readonly sigmaY: SampleOptions['sigmaY'];
  /**
   * Mask picture for inpainting, white = known; or one for each picture: a folder of masks that are called like them,
   * or a list in their order.
   */
  readonly mask?: string | readonly string[];
  /** Degrade the picture first, after fitting it to the model's size where the model knows one. */
  readonly degrade?: boolean;
  readonly samples?: number;
  readonly seed?: number;
  readonly registries?: RegistryOptions['registries'];
  readonly localRegistries?: RegistryOptions['localRegistries'];
  /** PNG to write, for one picture; further samples get a number. Default: beside the picture. */
  readonly out?: string;
};

export type Restored = {
  readonly written: readonly string[];
  readonly failures: readonly (SampleFailure | undefined)[];
  /** One of these per picture. */
  readonly pictures: readonly RestoredPicture[];
};

export type RestoredPicture = Pick<Sampled, 'misfits' | 'failures' | 'seconds' | 'steps'> & {
  readonly image: string;
  readonly written: readonly string[];
};

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

const withMasks = (
  operator: ReferenceInput,
  masks: readonly string[],
  images: readonly string[],
  degrade: boolean,
): ReferenceInput => {
  const { id, options = {} } = typeof operator === 'string' ? { id: operator } : operator;
  const [mask] = masks;
  if (mask === undefined) {
    if (id !== 'inpaint' || degrade || options['pattern'] === 'file' || options['pattern'] === 'files') return operator;
    throw new ConfigError(
      'restore',
      'which pixels of the picture are missing is not said.',
      'Give --mask, a picture that is white where pixels are known; or --degrade, to hide pixels of a clean picture.',
    );
  }
  if (id !== 'inpaint')
    throw new ConfigError(
      'restore',
      `a mask belongs to operator "inpaint", not to ${JSON.stringify(id)}.`,
      'Leave --mask out, or use --operator inpaint.',
    );
  if (masks.length === 1)
    return isFolder(mask)
      ? { id, options: { match: 'name', ...options, pattern: 'files', files: resolve(mask) } }
      : { id, options: { ...options, pattern: 'file', file: resolve(mask) } };
  const folder = masks.find(isFolder);
  if (folder !== undefined)
    throw new ConfigError(
      'restore',
      `${folder} is a folder, and other masks are given beside it.`,
      'Give one folder of masks, or their files.',
    );
  if (masks.length !== images.length)
    throw new ConfigError(
      'restore',
      `${masks.length} masks are given for ${images.length} picture${images.length === 1 ? '' : 's'}.`,
      'Give one mask for all, one for each picture in their order, or a folder of masks that are called like the pictures.',
    );
  return {
    id,
    options: { ...options, pattern: 'files', match: 'order', files: masks.map((each) => resolve(each)) },
  };
};

/** `out`, or beside the picture; the second sample is `...-2.png`. */
const pathsOf = (
  image: string,
  out: string | undefined,
  samples: number,
): { samples: readonly string[]; measurement: string } => {
  const stem =
    out === undefined ? `${image.slice(0, image.length - extname(image).length)}.restored` : out.replace(/\.png$/i, '');
  return {
    samples: Array.from({ length: samples }, (_, i) => resolve(`${stem}${i === 0 ? '' : `-${i + 1}`}.png`)),
    measurement: resolve(`${stem}.measurement.png`),
  };
};

/** Throws ConfigError where two pictures would be written to one file, or several to `out`. */
const checkOut = (images: readonly string[], out: string | undefined): void => {
  if (out !== undefined && images.length > 1)
    throw new ConfigError(
      'restore',
      `--out ${out} is one file, and ${images.length} pictures are given.`,
      'Leave it out: each is written beside its picture.',
    );
  const firsts = new Map<string, string>();
  for (const image of images) {
    const path = at(pathsOf(image, out, 1).samples, 0, 'path');
    const other = firsts.get(path);
    if (other !== undefined)
      throw new ConfigError(
        'restore',
        `${other} and ${image} would both be written to ${path}.`,
        'Rename one of them.',
      );
    firsts.set(path, image);
  }
};

/**
 * Restores one picture or several and writes PNG files: the samples and, with `degrade`, the measurement that they were
 * made from. All pictures are read before the first is restored.
 */
export const restore = async ({
  image,
  mask = [],
  degrade = false,
  out,
  operator: given,
  ...options
}: RestoreOptions): Promise<Restored> => {
  const images = typeof image === 'string' ? [image] : image;
  checkOut(images, out);
  const masks = typeof mask === 'string' ? [mask] : mask;
  const operator = withMasks(given, masks, images, degrade);
  const operatorId = typeof operator === 'string' ? operator : operator.id;
  const pictures: RestoredPicture[] = [];
  await sampleEach({
    ...options,
    operator,
    check: async ({ model, container }) => {
      const files = masks.filter((each) => !isFolder(each)).map((each) => resolve(each));
      if (files.length > 0 && !degrade) await checkSizes(images, files, model, container.files);
    },
    shapes: async (parts) => {
      const shapes = [];
      for (const image of images) shapes.push(await shapeBehind(resolve(image), degrade, parts));
      return shapes;
    },
    async problem(parts, index) {
      const path = at(images, index, 'picture');
      const picture = await readPicture(resolve(path), degrade, operatorId, parts);
      return { ...picture, image: { name: basename(path), index } };
    },
    onReady() {
      for (const image of images)
        for (const path of pathsOf(image, out, options.samples ?? 1).samples) checkPlace(path, OTHER_FILE);
    },
    onSampled: async ({ imageShape, samples, measurement, ...facts }, index) => {
      const image = at(images, index, 'picture');
      const paths = pathsOf(image, out, samples.length);
      const written: string[] = [];
      const write = async (path: string, pixels: Float32Array, shape: ImageShape): Promise<void> => {
        writeWhole(path, await encodePng(pixels, shape), OTHER_FILE);
        written.push(path);
      };
      for (const [i, pixels] of samples.entries()) {
        const path = paths.samples[i];
        if (path !== undefined && facts.failures[i] === undefined) await write(path, pixels, imageShape);
      }
      const [height = 0, width = 0, channels = 0] = measurement.shape;
      if (degrade && measurement.shape.length === 3 && (channels === 1 || channels === 3))
        await write(paths.measurement, measurement.data, [height, width, channels]);
      const { misfits, failures, seconds, steps } = facts;
      pictures[index] = { image, written, misfits, failures, seconds, steps };
    },
  });
  return {
    written: pictures.flatMap(({ written }) => written),
    failures: pictures.flatMap(({ failures }) => failures),
    pictures,
  };
};
