/** Pictures that are measurements: of which images, and whether every operator makes such pictures. */
import {
  checkMeasurementShape,
  ConfigError,
  type Dataset,
  disposeTree,
  type ImagePlace,
  type ImageShape,
  type Operator,
  type ScoreModel,
  showShape,
} from '@tweedie/core';
import type { Images } from '../recipe/experiment.ts';
import { nothingToDraw } from './given-problem.ts';
import type { OperatorPart } from './parts.ts';

/** Operators enlarge by no more: a picture whose sides are sixteen times as long is 256 times as large. */
const LARGEST_FACTOR = 16;

type OperatorFor = (imageShape: ImageShape) => Promise<Operator>;

/**
 * The shape of the image that a picture measures, where the model takes any: the smallest multiple of the picture's
 * size that the operator makes a picture of that size of. Undefined where there is none. Channels are the model's.
 */
export const imageShapeBehind = async (
  [height, width, channels]: ImageShape,
  operatorFor: OperatorFor,
): Promise<ImageShape | undefined> => {
  for (let factor = 1; factor <= LARGEST_FACTOR; factor++) {
    const imageShape: ImageShape = [factor * height, factor * width, channels];
    try {
      const operator = await operatorFor(imageShape);
      checkMeasurementShape(operator, 'of the picture');
      const { measurementShape } = operator;
      if (measurementShape[0] === height && measurementShape[1] === width) return imageShape;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
  }
  return undefined;
};

/** The shape of the picture at a position of the experiment. */
const shapeAt = ({ offset }: Images, dataset: Dataset, position: number): ImageShape =>
  dataset.shapeOf?.(offset + position) ?? dataset.imageShape;

/** The shape of the images that pictures of each shape measure, by the latter in words. */
export const shapesBehind = async (
  images: Images,
  dataset: Dataset,
  { imageShape, sizes }: ScoreModel,
  operatorFor: OperatorFor,
): Promise<ReadonlyMap<string, ImageShape>> => {
  const behind = new Map<string, ImageShape>();
  for (let position = 0; position < images.count; position++) {
    const shape = shapeAt(images, dataset, position);
    const key = showShape(shape);
    if (behind.has(key)) continue;
    const own: ImageShape = [shape[0], shape[1], imageShape[2]];
    // Where there is none, `refusalOfMeasured` says so.
    const found = sizes === undefined ? imageShape : await imageShapeBehind(own, operatorFor);
    behind.set(key, found ?? own);
  }
  return behind;
};

/** What is made for the images of one shape. */
type Parts = {
  readonly model: ScoreModel;
  readonly operators: readonly OperatorPart[];
  readonly positions: readonly number[];
};

/** What to do about measurements of another shape, which are neither scaled nor cropped. */
const remedyFor = (given: ImageShape, wanted: readonly number[]): string => {
  const [height, width, channels] = given;
  if (wanted.length !== 3 || wanted[0] !== height || wanted[1] !== width)
    return 'Measured pictures are neither scaled nor cropped: take out operators that did not make them, change the options of an operator, or choose a model of other images.';
  return channels === 3
    ? 'If they are grey, say so in the options of the data set (channels: 1 for dataset/folder); else take out the operators that make grey ones.'
    : 'Take out the operators that make colour pictures, or let them make grey ones (colorize: channels: 1); if the pictures have colours, say so in the options of the data set (channels: 3 for dataset/folder).';
};

/** Names the operators that do not make pictures of these shapes, and those that do. */
const shapeRefusal = async (
  where: string,
  images: Images,
  dataset: Dataset,
  shapes: readonly Parts[],
): Promise<ConfigError | undefined> => {
  const lines: string[] = [];
  const unfit = new Set<string>();
  let remedy = '';
  for (const { model, operators, positions } of shapes) {
    for (const { reference, operator } of operators) {
      checkMeasurementShape(operator, JSON.stringify({ id: reference.id }));
      const wanted = operator.measurementShape;
      const others = positions.filter((each) => showShape(shapeAt(images, dataset, each)) !== showShape(wanted));
      const [first] = others;
      if (first === undefined) continue;
      const given = shapeAt(images, dataset, first);
      const { name } = await dataset.item(images.offset + first);
      const more = others.length > 1 ? `, one of ${others.length} that do not fit` : '';
      lines.push(
        `operator ${JSON.stringify(reference.label)} makes measurements ${showShape(wanted)} of images ${showShape(model.imageShape)}, and ${JSON.stringify(name)} is ${showShape(given)}${more}.`,
      );
      unfit.add(reference.label);
      remedy ||= remedyFor(given, wanted);
    }
  }
  if (lines.length === 0) return undefined;
  const labels = new Set(shapes.flatMap(({ operators }) => operators.map(({ reference }) => reference.label)));
  const fitting = [...labels].filter((label) => !unfit.has(label)).map((label) => JSON.stringify(label));
  const fits = fitting.length === 0 ? '' : `\n  The pictures fit ${fitting.join(' and ')}.`;
  return new ConfigError(where, `${lines.join('\n  ')}${fits}`, remedy);
};

/**
 * Why measurements do not go with the operators, or undefined: pictures of another shape than an operator makes, or an
 * operator that draws at random, or keeps nothing for one of them. Reads every picture.
 */
export const refusalOfMeasured = async (
  where: string,
  images: Images,
  dataset: Dataset | undefined,
  shapes: readonly Parts[],
): Promise<ConfigError | undefined> => {
  const placeOf = async (position: number): Promise<ImagePlace> => {
    const index = images.offset + position;
    return { name: dataset ? (await dataset.item(index)).name : `measurement ${index + 1}`, index };
  };
  try {
    const refused = dataset && (await shapeRefusal(where, images, dataset, shapes));
    if (refused) return refused;
    for (const { operators, positions } of shapes) {
      for (const position of positions) {
        const place = await placeOf(position);
        for (const { reference, operator } of operators)
          disposeTree(operator.draw(nothingToDraw(where, reference.label), place));
      }
    }
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  return undefined;
};
