import { canonicalJson, ConfigError, suggest } from '@tweedie/core';
import { measures } from '../statistics/measures.ts';
import type { Images, Labelled, Reference, Tune } from './experiment.ts';
import type { ReferenceInput, TuneInput } from './recipe.ts';

/** Measures that `tune` may choose by: those that are a score of one image. */
const tunableMeasures = measures.filter(({ rank }) => rank !== true).map(({ id }) => id);

/** Samples of an image that a measure of sets is taken of, where the recipe does not say. */
const MEASURED_SAMPLES = 32;

const showSlice = ({ count, offset }: Images): string => `${offset} to ${offset + count - 1}`;

/** The validation images in words, as readers are told: `prior 32 to 63`. */
export const showImages = ({ images }: Tune): string => `${images.dataset?.id ?? 'prior'} ${showSlice(images)}`;

/** The refusal to tune on measurements alone. */
export const cannotTune = (where: string): ConfigError =>
  new ConfigError(
    where,
    'options are chosen by a metric against clean images, and those behind measurements are not known.',
    'Choose them in a recipe of clean images of the same kind ("from: prior" or "dataset"), and give the methods here what came out.',
  );

type Rest = {
  readonly shown: Images;
  readonly metrics: readonly Labelled[];
  readonly dataset: (given: ReferenceInput) => Reference;
};

/** Checks and completes the key `tune`: the metric exists, and no image is both chosen on and shown. */
export const resolveTune = (
  { images, budget, metric, samples, seed = 0 }: TuneInput,
  { shown, metrics, dataset }: Rest,
  where: string,
): Tune => {
  if (images.from !== undefined && images.dataset !== undefined)
    throw new ConfigError(`${where} /tune/images`, 'has both "from: prior" and "dataset".', 'Keep one of the two.');
  const labels = metrics.map(({ label }) => label);
  const decides = metric ?? labels[0] ?? '';
  const kind = labels.includes(decides) ? 'metric' : decides === 'misfit' ? 'misfit' : 'measure';
  if (kind === 'measure' && !tunableMeasures.includes(decides))
    throw new ConfigError(
      `${where} /tune/metric`,
      `the experiment has no metric ${JSON.stringify(decides)}, nor is it misfit or a measure of sets of samples.`,
      suggest(decides, [...labels, 'misfit', ...tunableMeasures]),
    );
  if (kind === 'measure' && samples !== undefined && samples < 2)
    throw new ConfigError(
      `${where} /tune/samples`,
      `${decides} is a measure of several samples of an image, and 1 is asked for.`,
      'Leave it out, for 32, or give 2 or more.',
    );
  const source =
    images.from === 'prior' ? undefined : images.dataset === undefined ? shown.dataset : dataset(images.dataset);
  const end = shown.offset + shown.count;
  const chosenOn: Images = {
    ...(source === undefined ? {} : { dataset: source }),
    count: images.count,
    offset: images.offset ?? end,
  };
  const sameSource = canonicalJson(source ?? null) === canonicalJson(shown.dataset ?? null);
  if (sameSource && chosenOn.offset < end && shown.offset < chosenOn.offset + chosenOn.count) {
    throw new ConfigError(
      `${where} /tune/images`,
      `images ${showSlice(chosenOn)} are to choose options on, and images ${showSlice(shown)} are shown: what is shown must not have been chosen on.`,
      `Leave offset out, or set it to ${end} or more.`,
    );
  }
  return {
    images: chosenOn,
    budget,
    metric: decides,
    kind,
    samples: samples ?? (kind === 'measure' ? MEASURED_SAMPLES : 1),
    seed,
  };
};
