import { basename, dirname, extname, join, resolve } from 'node:path';
import { asReference, ConfigError, type JsonSchema, type PluginReference, readJson, validate } from '@tweedie/core';
import { readDocument } from '@tweedie/files';
import type { TrainingData } from '../recipe.ts';
import type { CovarianceShape } from './parameters.ts';

/** A file of `tweedie fit mixture`, defaults filled in; `schemas/mixture.schema.json` describes every key. */
export type MixtureRecipe = {
  readonly title?: string;
  readonly seed: number;
  readonly data: TrainingData;
  readonly heldOut: TrainingData & { readonly patches: number };
  /** Height and width of a patch. */
  readonly size: number;
  readonly components: number;
  readonly covariance: CovarianceShape;
  readonly floor: number;
  readonly patches: number;
  /** Patches of the first round of EM. */
  readonly first: number;
  readonly iterations: number;
  readonly tolerance: number;
  readonly start: 'k-means++' | 'random';
};

export type MixtureFile = {
  readonly recipe: MixtureRecipe;
  /** The name of the file without its endings. */
  readonly name: string;
  /** Where relative paths in it start. */
  readonly folder: string;
  readonly where: string;
};

type WrittenData<D> = Omit<D, 'dataset'> & { readonly dataset: string | PluginReference };
type Written = Omit<MixtureRecipe, 'data' | 'heldOut' | 'first'> & {
  readonly data: WrittenData<MixtureRecipe['data']>;
  readonly heldOut: WrittenData<MixtureRecipe['heldOut']>;
  readonly first?: number;
};

const schema = readJson(join(import.meta.dirname, '../../schemas/mixture.schema.json')) as JsonSchema;

/** Reads such a file. Throws ConfigError with file, line and remedy. */
export function readMixtureRecipe(file: string): MixtureFile {
  const { content, locating } = readDocument(file, {
    noun: 'mixture',
    keys: '"data" and "components"',
    start: 'Start from plugins/model-patches/grey.mixture.yaml.',
  });
  return locating(() => {
    const { data, heldOut, ...rest } = validate<Written>(schema, content(), file);
    const recipe = {
      ...rest,
      first: rest.first ?? rest.patches,
      data: withReference(data),
      heldOut: withReference(heldOut),
    };
    if (recipe.first > recipe.patches)
      throw new ConfigError(
        `${file} /first`,
        `${recipe.first} patches in the first round are more than the ${recipe.patches} in all.`,
        'Lower it, or raise patches.',
      );
    if (recipe.first < 2 * recipe.components)
      throw new ConfigError(
        `${file} /components`,
        `${recipe.components} components cannot start from ${recipe.first} patches.`,
        'Give at least twice as many patches (first, patches), or fewer components.',
      );
    return {
      recipe,
      name: basename(file, extname(file)).replace(/\.mixture$/, ''),
      folder: resolve(dirname(file)),
      where: file,
    };
  });
}

const withReference = <D extends { readonly dataset: string | PluginReference }>({ dataset, ...rest }: D) => ({
  ...rest,
  dataset: asReference(dataset),
});
