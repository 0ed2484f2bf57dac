import { resolve } from 'node:path';
import {
  at,
  ConfigError,
  createContainer,
  labelFor,
  modelForShape,
  noteToStandardError,
  openRegistry,
  showShape,
  type Container,
  type Dataset,
  type ImageShape,
  type Registry,
  type RegistryOptions,
  type ScoreModel,
} from '@tweedie/core';
import { truthUnknown, type Experiment, type Images, type Overrides } from '../recipe/experiment.ts';
import { resolveExperiment } from '../recipe/resolve.ts';
import { createFiles } from '@tweedie/files';
import { warnOfUnits } from '../recipe/noise.ts';
import { loadPluginFiles } from '../recipe/plugin-files.ts';
import { readRecipe, type ExperimentInput, type Recipe } from '../recipe/recipe.ts';
import { withinBudget } from './budget.ts';
import { refuseAbsentFiles } from './given-files.ts';
import { refusalOfMeasured, shapesBehind } from './measured.ts';
import { methodPart, type MethodRow, type OperatorPart } from './parts.ts';
import { threadsFor } from './threads.ts';

/** An experiment file by path, or its content. */
export type ExperimentSource = RegistryOptions & {
  readonly recipe: string | ExperimentInput;
  readonly overrides?: Overrides;
};

/** What is made for the images of one shape. */
export type ShapeParts = {
  readonly model: ScoreModel;
  readonly operators: readonly OperatorPart[];
  /** Samples computed at once. */
  readonly chunk: number;
  /** The images that have the shape, by their place among those of the experiment. */
  readonly positions: readonly number[];
  /** Threads of one operation at most, which the recipe alone decides; undefined where the engine has no say. */
  readonly threads?: number;
};

/**
 * The parts that an experiment names, made but without weights. Those of one shape are for that of the first image;
 * `benchesOf` gives the same for each shape.
 */
export type Workbench = ShapeParts & {
  readonly recipe: Recipe;
  readonly experiment: Experiment;
  readonly registry: Registry;
  readonly container: Container;
  /** Source of the images; undefined where they are drawn from the prior. */
  readonly dataset?: Dataset;
  readonly methods: readonly MethodRow[];
  /** One where all images have the same shape. */
  readonly shapes: readonly ShapeParts[];
  /** What plugins told of what they found, such as the number of pixels that a mask hides. */
  readonly notes: readonly string[];
  /** Where its plugins come from, for a process that is to make them too. */
  readonly origin: PluginOrigin;
  dispose(): void;
};

/** Registries beside Tweedie's own, the folder in which relative paths start, and plugins named by their files. */
export type PluginOrigin = RegistryOptions & { readonly folder: string; readonly pluginFiles: readonly string[] };

/** The workbench of each shape that the images of the experiment have. */
export const benchesOf = (bench: Workbench): readonly Workbench[] =>
  bench.shapes.flatMap((parts) => {
    const positions = parts.positions.filter((position) => position < bench.experiment.images.count);
    const own = { ...parts, positions };
    return positions.length === 0 ? [] : [{ ...bench, ...own, shapes: [own] }];
  });

/** The one of these workbenches that each image belongs to, by its position. */
export const benchPerImage = (benches: readonly Workbench[]): readonly Workbench[] => {
  const each: Workbench[] = [];
  for (const bench of benches) for (const position of bench.positions) each[position] = bench;
  return each;
};

/** An operator, made for the images of another workbench of the same experiment. */
export const operatorOn = (
  { operators }: Pick<ShapeParts, 'operators'>,
  { reference: { label } }: OperatorPart,
): OperatorPart => {
  const found = operators.find(({ reference }) => reference.label === label);
  if (found === undefined) throw new RangeError(`there is no operator ${label}.`);
  return found;
};

/** The range of the images of a model, which is also that of a data set, where there is one. */
export const rangeOf = (model: ScoreModel, dataset?: object): readonly [low: number, high: number] | undefined =>
  model.range ?? model.dataRange ?? (dataset ? [-1, 1] : undefined);

/** Numbers in one chunk: 16 pictures of 32x32x3, 4 of 64x64x3, 1 of 256x256x3. */
const CHUNK_NUMBERS = 49_152;
const LARGEST_CHUNK = 256;

/**
 * Samples computed at once. The number depends on the image shape alone, so that more images or samples change no
 * result.
 */
export const chunkFor = ([height, width, channels]: ImageShape): number =>
  2 **
  Math.max(0, Math.min(Math.log2(LARGEST_CHUNK), Math.floor(Math.log2(CHUNK_NUMBERS / (height * width * channels)))));

/** Refuses images that the source lacks or that do not fit the model; `pointer` is their place in the recipe. */
export const checkImages = (
  images: Images,
  where: string,
  pointer: string,
  model: ScoreModel,
  dataset: Dataset | undefined,
): void => {
  if (images.measurements !== undefined) {
    if (images.offset + images.count <= images.measurements.length) return;
    throw new ConfigError(
      `${where} ${pointer}/count`,
      `measurements ${images.offset + 1} to ${images.offset + images.count} are wanted, there are ${images.measurements.length}.`,
      'Lower count or offset.',
    );
  }
  if (dataset === undefined) {
    if (model.mixture) return;
    throw new ConfigError(
      `${where} ${pointer}/from`,
      'this model does not know its prior in closed form, so no images can be drawn from it.',
      'Give a "dataset".',
    );
  }
  if (images.offset + images.count > dataset.size) {
    throw new ConfigError(
      `${where} ${pointer}/count`,
      `images ${images.offset} to ${images.offset + images.count - 1} are wanted, the data set has ${dataset.size}.`,
      'Lower count or offset.',
    );
  }
  if (images.measured) return;
  for (const { imageShape } of shapesOf(images, model, dataset)) {
    const fits = model.sizes ? imageShape[2] === model.imageShape[2] : sameShape(imageShape, model.imageShape);
    if (fits) continue;
    throw new ConfigError(
      `${where} ${pointer}/dataset`,
      `its images are ${showShape(imageShape)}, the model's ${showShape(model.imageShape)}.`,
      model.sizes ? 'The model takes any size, but not another number of channels.' : 'Choose the same size.',
    );
  }
};

const sameShape = (a: ImageShape, b: ImageShape): boolean => showShape(a) === showShape(b);

type ShapeGroup = { readonly imageShape: ImageShape; readonly positions: readonly number[] };

/** The shapes of the images, in the order of the first image of each, and which images have it. */
const shapesOf = (
  { count, offset }: Images,
  model: ScoreModel,
  dataset: Dataset | undefined,
  behind: ReadonlyMap<string, ImageShape> = new Map(),
): readonly ShapeGroup[] => {
  const groups: { imageShape: ImageShape; positions: number[] }[] = [];
  for (let position = 0; position < count; position++) {
    const given = dataset?.shapeOf?.(offset + position) ?? dataset?.imageShape ?? model.imageShape;
    const imageShape = behind.get(showShape(given)) ?? given;
    const group = groups.find((each) => sameShape(each.imageShape, imageShape));
    if (group) group.positions.push(position);
    else groups.push({ imageShape, positions: [position] });
  }
  return groups;
};

/** Makes model and operators for every shape of the images. */
export const makeShapes = async (
  { operators: references, chunk, engine }: Pick<Experiment, 'operators' | 'chunk' | 'engine'>,
  images: Images,
  { container, model, dataset }: { container: Container; model: ScoreModel; dataset: Dataset | undefined },
): Promise<readonly ShapeParts[]> => {
  const shapes: ShapeParts[] = [];
  const first = at(references, 0, 'operator of an experiment');
  const behind =
    images.measured && dataset
      ? await shapesBehind(images, dataset, model, (imageShape) => container.plugin('operator', first, { imageShape }))
      : undefined;
  for (const { imageShape, positions } of shapesOf(images, model, dataset, behind)) {
    const operators: OperatorPart[] = [];
    const threads = threadsFor(container.registry.find('engine', engine.id), engine, imageShape);
    for (const reference of references)
      operators.push({ reference, operator: await container.plugin('operator', reference, { imageShape }) });
    shapes.push({
      model: modelForShape(model, imageShape),
      operators,
      chunk: chunk ?? chunkFor(imageShape),
      positions,
      ...(threads === undefined ? {} : { threads }),
    });
  }
  return shapes;
};

/** Reads an experiment, checks all of it that can be checked without weights, and makes its parts. */
export const openWorkbench = async ({
  recipe: source,
  registries,
  localRegistries,
  overrides = {},
}: ExperimentSource): Promise<Workbench> => {
  const { recipe, given } = await loadPluginFiles(readRecipe(source), localRegistries);
  const registry = openRegistry({ folders: [process.cwd(), recipe.folder], registries, localRegistries, given });
  const experiment = resolveExperiment(recipe, registry, overrides);
  const notes: string[] = [];
  const files = createFiles(recipe.folder);
  await refuseAbsentFiles(experiment.metrics, registry, files, recipe.where).catch((error: unknown) =>
    recipe.locating(() => {
      throw error;
    }),
  );
  const container = createContainer({
    registry,
    files,
    note(message) {
      notes.push(message);
      noteToStandardError(message);
    },
  });
  try {
    const model = await container.plugin('model', experiment.model);
    const { images } = experiment;
    const dataset =
      images.dataset &&
      (await container.plugin('dataset', images.dataset, images.measured ? { measured: true } : undefined));
    recipe.locating(() => checkImages(images, recipe.where, '/images', model, dataset));
    if (model.classes?.needed === true) {
      const label = dataset && (await dataset.item(images.offset)).label;
      recipe.locating(() => labelFor(model, label, `${recipe.where} /images`));
    }
    const noise = recipe.input.sigmaY;
    if (typeof noise !== 'object' || !('poisson' in noise))
      warnOfUnits([noise].flat(), rangeOf(model, dataset), container.warn);
    const shapes = await makeShapes(experiment, images, { container, model, dataset });
    const refusal =
      truthUnknown(images) &&
      (await refusalOfMeasured(`${recipe.where} /images/measurements`, images, dataset, shapes));
    recipe.locating(() => {
      if (refusal) throw refusal;
    });
    const methods: MethodRow[] = [];
    for (const reference of experiment.methods) {
      const part = await methodPart(container, model, reference);
      const perProblem: MethodRow['perProblem'][number][] = [];
      for (const { operator, sigmaY, ...own } of reference.perProblem) {
        perProblem.push({
          operator,
          ...(sigmaY === undefined ? {} : { sigmaY }),
          part: await methodPart(container, model, { ...reference, ...own }),
        });
      }
      methods.push({ ...part, perProblem });
    }
    const { budget, sigmaY } = experiment;
    const first = at(shapes, 0, 'image shape');
    const { operators } = first;
    const fitted =
      budget === undefined
        ? methods
        : await withinBudget({ container, registry, model, operators, sigmaY, budget, where: recipe.where }, methods);
    return {
      ...first,
      recipe,
      experiment,
      registry,
      container,
      ...(dataset && { dataset }),
      methods: fitted,
      shapes,
      notes,
      origin: {
        folder: recipe.folder,
        pluginFiles: [...(recipe.paths?.values() ?? [])].map((path) => resolve(recipe.folder, path)),
        ...(registries === undefined ? {} : { registries }),
        ...(localRegistries === undefined ? {} : { localRegistries }),
      },
      dispose: () => container.dispose(),
    };
  } catch (error) {
    container.dispose();
    throw error;
  }
};
