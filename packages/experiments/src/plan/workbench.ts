import {
  ConfigError,
  createContainer,
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
import type { Experiment, Images, Overrides } from '../recipe/experiment.ts';
import { resolveExperiment } from '../recipe/resolve.ts';
import { createFiles } from '@tweedie/files';
import { warnOfUnits } from '../recipe/noise.ts';
import { readRecipe, type ExperimentInput, type Recipe } from '../recipe/recipe.ts';
import { withinBudget } from './budget.ts';
import { methodPart, type MethodRow, type OperatorPart } from './parts.ts';

/** An experiment file by path, or its content. */
export type ExperimentSource = RegistryOptions & {
  readonly recipe: string | ExperimentInput;
  readonly overrides?: Overrides;
};

/** The parts that an experiment names, made but without weights. */
export type Workbench = {
  readonly recipe: Recipe;
  readonly experiment: Experiment;
  readonly registry: Registry;
  readonly container: Container;
  readonly model: ScoreModel;
  /** Source of the images; undefined where they are drawn from the prior. */
  readonly dataset?: Dataset;
  readonly operators: readonly OperatorPart[];
  readonly methods: readonly MethodRow[];
  /** Samples computed at once. */
  readonly chunk: number;
  /** What plugins told of what they found, such as the number of pixels that a mask hides. */
  readonly notes: readonly string[];
  dispose(): void;
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

/** Refuses images that the source does not have or that do not fit the model; `at` is their place in the recipe. */
export const checkImages = (
  images: Images,
  where: string,
  at: string,
  model: ScoreModel,
  dataset: Dataset | undefined,
): void => {
  if (images.measurements !== undefined) {
    if (images.offset + images.count <= images.measurements.length) return;
    throw new ConfigError(
      `${where} ${at}/count`,
      `measurements ${images.offset + 1} to ${images.offset + images.count} are wanted, there are ${images.measurements.length}.`,
      'Lower count or offset.',
    );
  }
  if (dataset === undefined) {
    if (model.mixture) return;
    throw new ConfigError(
      `${where} ${at}/from`,
      'this model does not know its prior in closed form, so no images can be drawn from it.',
      'Give a "dataset".',
    );
  }
  if (showShape(dataset.imageShape) !== showShape(model.imageShape)) {
    throw new ConfigError(
      `${where} ${at}/dataset`,
      `its images are ${showShape(dataset.imageShape)}, the model's ${showShape(model.imageShape)}.`,
      'Choose the same size.',
    );
  }
  if (images.offset + images.count > dataset.size) {
    throw new ConfigError(
      `${where} ${at}/count`,
      `images ${images.offset} to ${images.offset + images.count - 1} are wanted, the data set has ${dataset.size}.`,
      'Lower count or offset.',
    );
  }
};

/** Reads an experiment, checks all of it that can be checked without weights, and makes its parts. */
export const openWorkbench = async ({
  recipe: source,
  registries,
  localRegistries,
  overrides = {},
}: ExperimentSource): Promise<Workbench> => {
  const recipe = readRecipe(source);
  const registry = openRegistry({ folders: [process.cwd(), recipe.folder], registries, localRegistries });
  const experiment = resolveExperiment(recipe, registry, overrides);
  const notes: string[] = [];
  const container = createContainer({
    registry,
    files: createFiles(recipe.folder),
    note(message) {
      notes.push(message);
      noteToStandardError(message);
    },
  });
  try {
    const model = await container.plugin('model', experiment.model);
    const dataset = experiment.images.dataset && (await container.plugin('dataset', experiment.images.dataset));
    recipe.locating(() => checkImages(experiment.images, recipe.where, '/images', model, dataset));
    const noise = recipe.input.sigmaY;
    if (typeof noise !== 'object' || !('poisson' in noise))
      warnOfUnits([noise].flat(), rangeOf(model, dataset), container.warn);
    const operators: OperatorPart[] = [];
    for (const reference of experiment.operators) {
      operators.push({
        reference,
        operator: await container.plugin('operator', reference, { imageShape: model.imageShape }),
      });
    }
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
    const fitted =
      budget === undefined
        ? methods
        : await withinBudget({ container, registry, model, operators, sigmaY, budget, where: recipe.where }, methods);
    const chunk = experiment.chunk ?? chunkFor(model.imageShape);
    return {
      recipe,
      experiment,
      registry,
      container,
      model,
      ...(dataset && { dataset }),
      operators,
      methods: fitted,
      chunk,
      notes,
      dispose: () => container.dispose(),
    };
  } catch (error) {
    container.dispose();
    throw error;
  }
};
