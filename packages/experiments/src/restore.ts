import { basename, resolve } from 'node:path';
import {
  asReference,
  at,
  disposeTree,
  type NoiseLevel,
  type RegistryOptions,
  type SampleFailure,
  sigmaOf,
} from '@tweedie/core';
import { checkPlace, encodePicture, OTHER_FILE, writeWhole } from '@tweedie/files';
import type { ProblemParts } from './assemble.ts';
import type { Watch } from './machine/progress.ts';
import { nothingToDraw } from './plan/given-problem.ts';
import { warnOfUnits } from './recipe/noise.ts';
import type { ReferenceInput } from './recipe/recipe.ts';
import { checkSizes, type GivenPicture, readPicture, shapeBehind } from './plan/given-picture.ts';
import { MODEL, methodFor, operatorOf, scheduleOf, STEPS } from './restore/defaults.ts';
import { withMasks } from './restore/masks.ts';
import { isGreyLevels, noiseOfPicture, readNoise, showNoise } from './restore/noise.ts';
import { shownMeasurement } from './restore/page.ts';
import { pageOf } from './restore/page-of.ts';
import { isFolder, placesOf } from './restore/places.ts';
import { writeResults } from './restore/results.ts';
import { type Sampled, sampleEach, type SampleOptions, seenOf } from './sample.ts';

export type RestoreOptions = Watch & {
  /**
   * PNG, JPEG, WebP, TIFF or GIF: the degraded picture, or several, or a folder of them; with `degrade`, clean ones.
   */
  readonly image: string | readonly string[];
  /** Default: the prior of photographs that ships, for any size. */
  readonly model?: ReferenceInput;
  /** What degraded the picture; default: `inpaint` with a mask, else `identity`. */
  readonly operator?: ReferenceInput;
  /** Default: DPS-w, with the scale that fits measurements of the operator. */
  readonly method?: ReferenceInput;
  /** Default: 30 levels of `edm`. */
  readonly scheduler?: ReferenceInput;
  /** Levels of the default scheduler. */
  readonly steps?: number;
  readonly engine?: ReferenceInput;
  /**
   * Noise of the measurement: a number or a fraction in units of [-1, 1]; `25/255` for 25 grey levels of 255 (0.196);
   * or Poisson. Default: estimated from each picture, and told; 0.05 with `degrade`.
   */
  readonly sigmaY?: SampleOptions['sigmaY'];
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
  /** PNG or TIFF to write, for one picture, or a folder; further samples get a number. Default: beside the picture. */
  readonly out?: string;
  /** Write a page with before and after beside each result; default true. */
  readonly page?: boolean;
};

export type Restored = {
  /** Every picture written. */
  readonly written: readonly string[];
  readonly failures: readonly (SampleFailure | undefined)[];
  /** One of these per picture. */
  readonly pictures: readonly RestoredPicture[];
};

export type RestoredPicture = Pick<Sampled, 'misfits' | 'failures' | 'seconds' | 'steps'> & {
  readonly image: string;
  /** The samples; of several also their mean and deviation; the measurement, with `degrade`. */
  readonly written: readonly string[];
  /** The page that shows before and after. */
  readonly page?: string;
  /** The noise that was told to the method, in units of [-1, 1], and whether it was estimated. */
  readonly sigmaY: number;
  readonly estimated: boolean;
  /** The same in words: `sigmaY 0.196 (25 of 255 grey levels)`. */
  readonly noise: string;
  /** Of several samples: the standard deviation that is white in the deviation map, in units of [-1, 1]. */
  readonly largestDeviation?: number;
};

/** The noise that a clean picture is degraded with where nothing is said. */
const DEGRADE_NOISE = 0.05;

/**
 * Restores one picture or several and writes PNG or TIFF files, and a page of each. All pictures are read before the
 * first is restored. Colours are sRGB, EXIF orientation is applied, 16 bits stay 16 bits, grey stays grey, opacity is
 * kept. One seed gives the same bits.
 */
export const restore = async (options: RestoreOptions): Promise<Restored> => {
  const { image, mask = [], degrade = false, out, samples: count = 1, seed = 0, page: paged = true } = options;
  const masks = typeof mask === 'string' ? [mask] : mask;
  const places = placesOf(typeof image === 'string' ? [image] : image, out, count);
  const images = places.map((place) => place.image);
  const asked = operatorOf(asReference(options.operator ?? (masks.length > 0 ? 'inpaint' : 'identity')));
  const operator = withMasks(asked, masks, images, degrade);
  const parts = {
    model: options.model ?? MODEL,
    operator,
    method: options.method ?? methodFor(operator.id),
    scheduler: options.scheduler ?? scheduleOf(options.steps ?? STEPS),
  };
  const given = options.sigmaY === undefined ? (degrade ? DEGRADE_NOISE : undefined) : readNoise(options.sigmaY);
  const noises = new Map<number, NoiseLevel>();
  const warned = new Set<string>();

  /** Pictures are read when they are needed, and again, rather than held: a folder may have many. */
  const read = ({ container, ...made }: ProblemParts, index: number): Promise<GivenPicture> => {
    const warn = (message: string): void => {
      if (!warned.has(message)) container.warn(message);
      warned.add(message);
    };
    return readPicture(resolve(at(images, index, 'picture')), degrade, operator.id, {
      ...made,
      container: { ...container, warn },
    });
  };
  const noiseOf = async (made: ProblemParts, index: number): Promise<NoiseLevel> => {
    if (given !== undefined) return given;
    const path = at(images, index, 'picture');
    const { problem, stored } = await read(made, index);
    const drawn = made.operator.draw(nothingToDraw('sample'), { name: basename(path), index });
    const seen = seenOf(made.operator, drawn);
    disposeTree(drawn);
    const [height = 0, width = 0, channels = 0] = made.operator.measurementShape;
    const y = 'y' in problem ? problem.y : problem.x0;
    const { sigmaY, least } = noiseOfPicture(y, [height, width, channels], stored, seen, path);
    const of = seen === undefined ? 'the picture' : 'what is seen of the picture';
    const hint =
      height < made.model.imageShape[0] || width < made.model.imageShape[1]
        ? ', which is small: its fine detail counts as noise'
        : '';
    made.container.note?.(
      least
        ? `[${path}] noise: less than one grey level is found in ${of}; ${showNoise(sigmaY)} is taken. --sigma-y says otherwise.`
        : `[${path}] noise: ${showNoise(sigmaY)}, estimated from ${of}${hint}. --sigma-y says otherwise.`,
    );
    return sigmaY;
  };

  const pictures: RestoredPicture[] = [];
  /** The picture that is drawn: the last one that was read. */
  let current: GivenPicture | undefined;
  await sampleEach({
    ...options,
    ...parts,
    sigmaY: async (made, index) => {
      const noise = noises.get(index) ?? (await noiseOf(made, index));
      noises.set(index, noise);
      return noise;
    },
    check: async ({ model, container }) => {
      if (typeof options.sigmaY === 'number' || typeof options.sigmaY === 'string')
        if (!isGreyLevels(options.sigmaY)) warnOfUnits([options.sigmaY], [-1, 1], container.warn);
      const files = masks.filter((each) => !isFolder(each)).map((each) => resolve(each));
      if (files.length > 0 && !degrade) await checkSizes(images, files, model, container.files);
    },
    shapes: async (finder) => {
      const shapes = [];
      for (const image of images) shapes.push(await shapeBehind(resolve(image), degrade, finder));
      return shapes;
    },
    async problem(made, index) {
      current = await read(made, index);
      return { ...current.problem, image: { name: basename(at(images, index, 'picture')), index } };
    },
    onReady() {
      for (const { samples } of places) for (const path of samples) checkPlace(path, OTHER_FILE);
    },
    onSampled: async (sampled, index) => {
      const place = at(places, index, 'picture');
      const { image } = place;
      const { imageShape, measurement, misfits, failures, seconds, steps } = sampled;
      const { stored, problem } = current ?? { problem: { x0: new Float32Array(0) } };
      const noise = noises.get(index) ?? 0;
      const source = {
        grey: 'y' in problem && problem.alike === true,
        ...(stored && { stored }),
        ...(measurement.seen && !degrade && { seen: measurement.seen }),
      };
      const sound = sampled.samples.map((pixels, i) => (failures[i] === undefined ? pixels : undefined));
      const results = await writeResults(sound, imageShape, source, place);
      const written = [...results.written];
      const measured = shownMeasurement(measurement.data, measurement.shape);
      if (degrade && measured !== undefined) {
        writeWhole(place.measurement, await encodePicture(measured.pixels, measured.shape), OTHER_FILE);
        written.push(place.measurement);
      }
      const facts = {
        ...parts,
        image,
        noise: showNoise(noise),
        estimated: given === undefined,
        seed,
        masks,
        degrade,
        sigmaY: options.sigmaY ?? noise,
      };
      const page = paged && measured !== undefined && results.written.length > 0 ? place.page : undefined;
      if (page !== undefined && measured !== undefined)
        writeWhole(page, await pageOf(sampled, results, source, measured, facts), OTHER_FILE);
      pictures[index] = {
        image,
        written,
        ...(page !== undefined && { page }),
        misfits,
        failures,
        seconds,
        steps,
        sigmaY: sigmaOf(noise),
        estimated: given === undefined,
        noise: showNoise(noise),
        ...(results.spread && { largestDeviation: results.spread.white }),
      };
    },
  });
  return {
    written: pictures.flatMap(({ written }) => written),
    failures: pictures.flatMap(({ failures }) => failures),
    pictures,
  };
};
