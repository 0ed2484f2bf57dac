import { extname, resolve } from 'node:path';
import {
  ConfigError,
  showShape,
  type Container,
  type ImageShape,
  type Operator,
  type SampleFailure,
  type ScoreModel,
} from '@tweedie/core';
import { encodePng } from '@tweedie/files';
import type { Watch } from './machine/progress.ts';
import type { ReferenceInput } from './recipe/recipe.ts';
import { sample, type SampleOptions, type SampleProblem } from './sample.ts';
import { checkPlace, OTHER_FILE, writeWhole } from './machine/write.ts';

export type RestoreOptions = Watch & {
  /** PNG, JPEG or WebP: the degraded picture or, with `degrade`, a clean one. */
  readonly image: string;
  readonly model: ReferenceInput;
  readonly operator: ReferenceInput;
  readonly method: ReferenceInput;
  readonly scheduler?: ReferenceInput;
  readonly engine?: ReferenceInput;
  readonly sigmaY: SampleOptions['sigmaY'];
  /** Mask picture for inpainting, white = known. */
  readonly mask?: string;
  /** Degrade the picture first, after fitting it to the model's size. */
  readonly degrade?: boolean;
  readonly samples?: number;
  readonly seed?: number;
  readonly registries?: readonly string[];
  /** PNG to write; further samples get a number. Default: beside the picture. */
  readonly out?: string;
};

export type Restored = {
  readonly written: readonly string[];
  readonly failures: readonly (SampleFailure | undefined)[];
};

const withMask = (operator: ReferenceInput, mask: string | undefined, degrade: boolean): ReferenceInput => {
  const { id, options = {} } = typeof operator === 'string' ? { id: operator } : operator;
  if (mask === undefined) {
    if (id !== 'inpaint' || degrade || options['pattern'] === 'file') return operator;
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
  return { id, options: { ...options, pattern: 'file', file: resolve(mask) } };
};

const channelsOf = (shape: ImageShape): 1 | 3 => {
  const [, , channels] = shape;
  if (channels === 1 || channels === 3) return channels;
  throw new ConfigError(
    'restore',
    `the model's images ${showShape(shape)} are no pictures.`,
    'Choose a model of grey or colour pictures.',
  );
};

const asShape = (shape: readonly number[], id: string): ImageShape => {
  const [height = 0, width = 0, channels = 0] = shape;
  if (shape.length === 3 && (channels === 1 || channels === 3)) return [height, width, channels];
  throw new ConfigError(
    'restore',
    `measurements ${showShape(shape)} of operator ${JSON.stringify(id)} are no pictures.`,
    'Use --degrade with a clean picture.',
  );
};

const same = (a: ImageShape, b: ImageShape): boolean => a[0] === b[0] && a[1] === b[1];

type Parts = { readonly model: ScoreModel; readonly operator: Operator; readonly container: Container };

/** The picture as the clean image, or as the measurement at its exact size. */
const readProblem = async (
  path: string,
  degrade: boolean,
  operatorId: string,
  { model, operator, container }: Parts,
): Promise<SampleProblem> => {
  if (degrade) {
    const [height, width] = model.imageShape;
    return {
      x0: await container.files.readImage(path, {
        height,
        width,
        channels: channelsOf(model.imageShape),
        fit: 'cover',
      }),
    };
  }
  const shape = asShape(operator.measurementShape, operatorId);
  const [height, width] = shape;
  const [givenHeight, givenWidth] = await container.files.imageShape(path);
  if (givenHeight !== height || givenWidth !== width) {
    throw new ConfigError(
      path,
      `the picture is ${givenHeight} high and ${givenWidth} wide, wanted ${height} by ${width}.`,
      same(shape, model.imageShape)
        ? 'Give a picture of the size that the model knows, or another --model.'
        : `Operator ${JSON.stringify(operatorId)} makes pictures of that size from the model's ${showShape(model.imageShape)}: change its options, the picture or --model.`,
    );
  }
  const pixels = await container.files.readImage(path, { height, width, channels: channelsOf(shape), fit: 'exact' });
  return { y: pixels };
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

/**
 * Restores one picture and writes PNG files: the samples and, with `degrade`, the measurement that they were made from.
 */
export const restore = async ({
  image,
  mask,
  degrade = false,
  out,
  operator: given,
  ...options
}: RestoreOptions): Promise<Restored> => {
  const operator = withMask(given, mask, degrade);
  const operatorId = typeof operator === 'string' ? operator : operator.id;
  const { imageShape, samples, failures, measurement } = await sample({
    ...options,
    operator,
    problem: async (parts) => {
      const problem = await readProblem(resolve(image), degrade, operatorId, parts);
      for (const path of pathsOf(image, out, options.samples ?? 1).samples) checkPlace(path, OTHER_FILE);
      return problem;
    },
  });
  const paths = pathsOf(image, out, samples.length);
  const written: string[] = [];
  const write = async (path: string, pixels: Float32Array, shape: ImageShape): Promise<void> => {
    writeWhole(path, await encodePng(pixels, shape), OTHER_FILE);
    written.push(path);
  };
  for (const [i, pixels] of samples.entries()) {
    const path = paths.samples[i];
    if (path !== undefined && failures[i] === undefined) await write(path, pixels, imageShape);
  }
  const [height = 0, width = 0, channels = 0] = measurement.shape;
  if (degrade && measurement.shape.length === 3 && (channels === 1 || channels === 3))
    await write(paths.measurement, measurement.data, [height, width, channels]);
  return { written, failures };
};
