import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  canonicalJson,
  ConfigError,
  decodeProblem,
  disposeProblem,
  drawFromMixture,
  encodeProblem,
  keyedRandom,
  labelFor,
  makeProblem,
  sha256,
  type ImagePlace,
  type Problem,
} from '@tweedie/core';
import { noiseOf } from '../recipe/experiment.ts';
import { givenProblem } from '../plan/given-problem.ts';
import type { OperatorPart } from '../plan/parts.ts';
import type { Workbench } from '../plan/workbench.ts';
import { writeWhole } from '@tweedie/files';

/** The source of a problem: a clean image, or a measurement alone; with its place in the source of the images. */
export type CleanImage = ImagePlace & { readonly label?: number } & (
    { readonly x0: Float32Array } | { readonly y: Float32Array }
  );

/** The clean image at a position of the experiment. Call after the model is loaded. */
export const cleanImage = async ({ experiment, model, dataset }: Workbench, position: number): Promise<CleanImage> => {
  const index = experiment.images.offset + position;
  if (dataset) {
    const { name, x0, label } = await dataset.item(index);
    const place = { name, index, ...(label === undefined ? {} : { label }) };
    return experiment.images.measured ? { ...place, y: x0 } : { ...place, x0 };
  }
  const given = experiment.images.measurements?.[index];
  if (given) return { name: `measurement ${index + 1}`, index, y: Float32Array.from(given) };
  const mixture = model.mixture?.();
  if (mixture === undefined) throw new RangeError('the model has no closed form to draw from.');
  const { x0 } = drawFromMixture(mixture, keyedRandom(`image ${experiment.seed} ${index}`));
  return { name: `prior ${index}`, index, x0 };
};

const pathOf = (folder: string, hash: string): string => join(folder, 'problems', `${hash}.safetensors`);

/**
 * The problem of an image; its random numbers follow from the seed, the image's name and the operator. The caller
 * disposes it.
 */
export const problemOf = (
  { experiment, model, recipe }: Workbench,
  { reference, operator }: OperatorPart,
  sigmaY: number,
  image: CleanImage,
): Problem => {
  const operatorKey = canonicalJson({ id: reference.id, options: reference.options });
  const { name, index } = image;
  const label = labelFor(model, image.label, `${recipe.where} /images`);
  const parts = { name, imageShape: model.imageShape, operator, operatorKey, image: { name, index }, ...label };
  return 'x0' in image
    ? makeProblem({ ...parts, x0: image.x0, sigmaY: noiseOf(experiment, sigmaY), seed: experiment.seed })
    : givenProblem({ ...parts, y: image.y, sigmaY, where: `${recipe.where} /images/measurements` });
};

/** Makes a problem and stores it by its hash, unless it is there and whole. Returns the hash. */
export const storeProblem = (
  folder: string,
  bench: Workbench,
  part: OperatorPart,
  sigmaY: number,
  image: CleanImage,
): string => {
  const problem = problemOf(bench, part, sigmaY, image);
  const path = pathOf(folder, problem.hash);
  const bytes = encodeProblem(problem);
  disposeProblem(problem);
  const there = existsSync(path);
  if (there && sha256(readFileSync(path)) === problem.hash) return problem.hash;
  if (there) bench.container.warn(`[${path}] was damaged: this problem is made again, the same as it was.`);
  writeWhole(path, bytes);
  return problem.hash;
};

/** Reads a stored problem; throws where the file is no longer what it was. The caller disposes it. */
export const loadProblem = (folder: string, hash: string): Problem => {
  const path = pathOf(folder, hash);
  const refuse = (what: string): ConfigError =>
    new ConfigError(path, what, 'Run the command of the run again: it makes what is missing anew.');
  if (!existsSync(path)) throw refuse('is gone from the run folder.');
  const bytes = new Uint8Array(readFileSync(path));
  if (sha256(bytes) !== hash) throw refuse('has changed since it was written.');
  return decodeProblem(bytes, path);
};
