import {
  type Container,
  ConfigError,
  type Files,
  type ImageShape,
  isGrey,
  noteOnUnusedRange,
  type Operator,
  type ScoreModel,
  showShape,
  type StoredPicture,
} from '@tweedie/core';
import type { SampleProblem } from './given-problem.ts';
import { imageShapeBehind } from './measured.ts';

/** What the shape of an image may be found with: the operator, made for one shape or another. */
export type ShapeFinder = {
  readonly model: ScoreModel;
  readonly container: Container;
  readonly operatorFor: (imageShape: ImageShape) => Promise<Operator>;
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

/**
 * The shape of the image that a picture shows or, without `degrade`, measures. A model of one shape has that; else it
 * is that of the picture or, where the operator makes smaller pictures, the smallest multiple that it makes this one
 * of.
 */
export const shapeBehind = async (
  path: string,
  degrade: boolean,
  { model, container, operatorFor }: ShapeFinder,
): Promise<ImageShape> => {
  const { imageShape, sizes } = model;
  if (sizes === undefined) return imageShape;
  const [height, width] = await container.files.imageShape(path);
  const own: ImageShape = [height, width, imageShape[2]];
  if (degrade) return own;
  const found = await imageShapeBehind(own, operatorFor);
  if (found !== undefined) return found;
  // The operator may say what is wrong with that size.
  await operatorFor(own);
  throw new ConfigError(
    path,
    `the picture is ${height} high and ${width} wide, and the operator makes no picture of that size.`,
    'Choose another operator, or use --degrade with a clean picture.',
  );
};

const same = (a: ImageShape, b: ImageShape): boolean => a[0] === b[0] && a[1] === b[1];

type Parts = { readonly model: ScoreModel; readonly operator: Operator; readonly container: Container };

/** A picture as the problem that it makes, and what its result takes over from it. */
export type GivenPicture = {
  readonly problem: SampleProblem;
  /** The numbers of its file, where it was not fitted to another size. */
  readonly stored?: StoredPicture;
};

/** The picture as the clean image, or as the measurement at its exact size. Tells what happened to it on the way. */
export const readPicture = async (
  path: string,
  degrade: boolean,
  operatorId: string,
  { model, operator, container }: Parts,
): Promise<GivenPicture> => {
  const { files, note, warn } = container;
  const [givenHeight, givenWidth] = await files.imageShape(path);
  const shape = degrade ? model.imageShape : asShape(operator.measurementShape, operatorId);
  const [height, width] = shape;
  const channels = channelsOf(shape);
  const fitted = degrade ? fitting([givenHeight, givenWidth], shape) : undefined;
  if (fitted !== undefined) note?.(`[${path}] ${fitted}`);
  if (!degrade && (givenHeight !== height || givenWidth !== width)) {
    throw new ConfigError(
      path,
      `the picture is ${givenHeight} high and ${givenWidth} wide, wanted ${height} by ${width}.`,
      same(shape, model.imageShape)
        ? `Give a picture of that size, or a --model that knows ${givenHeight} by ${givenWidth}: ${modelOf(givenHeight, givenWidth, channels)}.`
        : `Operator ${JSON.stringify(operatorId)} makes pictures of that size from the model's ${showShape(model.imageShape)}: change its options, the picture or --model.`,
    );
  }
  const stored = fitted === undefined ? await files.readStored(path) : undefined;
  const pixels =
    stored === undefined || (channels === 1 && stored.channels > 2)
      ? await files.readImage(path, { height, width, channels, fit: 'cover' })
      : pixelsOf(stored, channels);
  const dim = await noteOnUnusedRange(path, pixels, files);
  if (dim !== undefined) warn(dim);
  if (stored?.alpha === true && hasTransparent(stored))
    note?.(
      `[${path}] what is transparent stays as it is, and opacity is kept; the prior sees mid-grey there. To fill it in, give the picture as --mask too.`,
    );
  const grey = channels === 3 && isGrey(pixels);
  const alike = grey && !degrade && operatorId !== 'colorize';
  if (grey && degrade) note?.(`[${path}] the picture is grey: its values stand for red, green and blue alike.`);
  if (alike)
    note?.(
      `[${path}] the picture is grey, and stays grey: the prior sees its values as red, green and blue alike. If its colours were lost, use --operator colorize.`,
    );
  return { problem: degrade ? { x0: pixels } : { y: pixels, alike }, ...(stored && { stored }) };
};

/** What transparent pixels show of 255, as `readImage` has it. */
const MID_GREY = 128;

/** Stored numbers as an image in [-1, 1]; colours of what is not wholly transparent are not blended. */
const pixelsOf = ({ values, largest, channels, alpha }: StoredPicture, wanted: 1 | 3): Float32Array => {
  const count = values.length / channels;
  const pixels = new Float32Array(count * wanted);
  const last = (alpha ? channels - 1 : channels) - 1;
  for (let pixel = 0; pixel < count; pixel++) {
    const clear = alpha && values[pixel * channels + channels - 1] === 0;
    for (let c = 0; c < wanted; c++)
      pixels[pixel * wanted + c] = clear
        ? MID_GREY / 127.5 - 1
        : (values[pixel * channels + Math.min(c, last)] ?? 0) / (largest / 2) - 1;
  }
  return pixels;
};

const hasTransparent = ({ values, largest, channels }: StoredPicture): boolean =>
  values.some((value, k) => k % channels === channels - 1 && value < largest);

/** What `cover` does to a picture, in words with both sizes; undefined where it does nothing. */
const fitting = ([givenHeight, givenWidth]: readonly [number, number], [height, width]: ImageShape) => {
  const scale = Math.max(height / givenHeight, width / givenWidth);
  const [keptHeight, keptWidth] = [Math.round(height / scale), Math.round(width / scale)];
  const cropped = keptHeight !== givenHeight || keptWidth !== givenWidth;
  if (!cropped && scale === 1) return undefined;
  const crop = cropped ? `its middle of ${keptHeight} by ${keptWidth} is kept` : 'all of it is kept';
  const size = scale === 1 ? '' : `, ${scale > 1 ? 'enlarged' : 'reduced'} to ${height} by ${width}`;
  return `the picture is ${givenHeight} high and ${givenWidth} wide, the model's images are ${height} by ${width}: ${crop}${size}.`;
};

/** A prior of that size, as the command line names it: the emoji where they have it, else pictures of one's own. */
const modelOf = (height: number, width: number, channels: 1 | 3): string => {
  const emoji = height === width && (height === 32 || height === 64) && channels === 3;
  const dataset = emoji
    ? { id: 'emoji', options: { size: height } }
    : { id: 'folder', options: { path: 'FOLDER', height, width, channels } };
  return `'empirical:${JSON.stringify({ dataset })}'${emoji ? '' : ' with a FOLDER of such pictures'}`;
};

/** Throws one ConfigError for masks and pictures that have not the size of the model's images. */
export const checkSizes = async (
  images: readonly string[],
  masks: readonly string[],
  { imageShape: [height, width, channels], sizes: anySize }: ScoreModel,
  files: Files,
): Promise<void> => {
  if (anySize !== undefined || masks.some((mask) => mask.endsWith('.safetensors'))) return;
  const sizes = [];
  for (const path of [...images, ...masks]) sizes.push({ path, shape: await files.imageShape(path) });
  const wrong = sizes.filter(({ shape }) => shape[0] !== height || shape[1] !== width);
  if (wrong.length < 2) return;
  const [first] = wrong;
  const agree = wrong.length === sizes.length && wrong.every(({ shape }) => first && same(shape, first.shape));
  throw new ConfigError(
    'restore',
    `${wrong.map(({ path, shape }) => `${path} is ${shape[0]} high and ${shape[1]} wide`).join(', ')}; wanted ${height} by ${width}.`,
    first && agree && (channels === 1 || channels === 3)
      ? `Give pictures of that size, or a --model that knows theirs: ${modelOf(first.shape[0], first.shape[1], channels)}.`
      : 'Give pictures and a mask of that size.',
  );
};
