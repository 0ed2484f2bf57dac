import { join } from 'node:path';
import {
  ConfigError,
  createContainer,
  encodeMixture,
  keyedRandom,
  openRegistry,
  type RegistryOptions,
} from '@tweedie/core';
import { createFiles, makeFolder, writeWhole } from '@tweedie/files';
import { mixtureCard, mixtureLog } from './card.ts';
import { type EmIteration, expectationMaximisation, fallsOf } from './em.ts';
import { createExpectation } from './expectation.ts';
import { mixtureOf } from './parameters.ts';
import { drawPatches } from './patches.ts';
import { readMixtureRecipe } from './recipe.ts';

export type FitProgress = {
  readonly phase: 'patches' | 'fitting';
  readonly done: number;
  readonly total: number;
  readonly label?: string;
  readonly message?: string;
};

export type FitOptions = RegistryOptions & {
  /** A mixture file, YAML or JSON. */
  readonly recipe: string;
  /** Folder of the mixture, its log and its card; default `runs/mixture/<name>`. */
  readonly out?: string;
  /** In place of the file's, to see what more would bring. */
  readonly components?: number;
  readonly patches?: number;
  /** Threads; default all cores. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FitProgress) => void;
};

export type Fitted = {
  readonly folder: string;
  /** The mixture, which `model/gmm` reads. */
  readonly mixture: string;
  /** Mean ln p(x) in nats an entry of the patches that were fitted, and of those held out; of one Gaussian too. */
  readonly logLikelihood: { readonly fitted: number; readonly heldOut: number; readonly gaussianHeldOut: number };
  readonly rows: readonly EmIteration[];
  /** What was fitted, on what, how well it does, and how it is used. */
  readonly card: string;
};

/**
 * Fits a Gaussian mixture to patches of a data set, as a mixture file says, by expectation-maximisation. Every number
 * follows from the file and the number of threads. Files are written whole, when the fit has finished.
 * Throws ConfigError where the file, the data or the folder are not right; CancelledError where `signal` stopped it.
 */
export async function fitMixture(options: FitOptions): Promise<Fitted> {
  const { recipe: written, name, folder, where } = readMixtureRecipe(options.recipe);
  const recipe = {
    ...written,
    ...(options.components !== undefined && { components: options.components }),
    ...(options.patches !== undefined && {
      patches: options.patches,
      first: Math.min(written.first, options.patches),
    }),
  };
  const out = options.out ?? join('runs', 'mixture', name);
  const { size, floor, seed, covariance } = recipe;
  const container = createContainer({
    registry: openRegistry({ folders: [process.cwd(), folder], ...options }),
    files: createFiles(folder),
  });
  const expectation = createExpectation({
    waiting: 'sleep',
    ...(options.threads !== undefined && { threads: options.threads }),
  });
  try {
    options.onProgress?.({ phase: 'patches', done: 0, total: 1 });
    const shared = { size, floor, seed };
    const patches = await drawPatches(container, recipe.data, {
      ...shared,
      count: recipe.patches,
      purpose: 'patches',
      where: `${where} /data`,
    });
    const heldOut = await drawPatches(container, recipe.heldOut, {
      ...shared,
      count: recipe.heldOut.patches,
      purpose: 'held out',
      where: `${where} /heldOut`,
    });
    if (heldOut.channels !== patches.channels)
      throw new ConfigError(
        `${where} /heldOut`,
        `its images have ${heldOut.channels} channels, those of data ${patches.channels}.`,
        'Choose data sets with the same channels.',
      );
    if (covariance !== 'full' && covariance.rank >= patches.size)
      throw new ConfigError(
        `${where} /covariance/rank`,
        `a patch has ${patches.size} entries, which ${covariance.rank} axes do not leave any of.`,
        'Lower the rank, or set covariance: full.',
      );
    makeFolder(out);

    const total = recipe.iterations * (1 + Math.floor(Math.log2(recipe.patches / recipe.first)));
    let done = 0;
    let round = 0;
    const { parameters, rows } = await expectationMaximisation(
      patches,
      recipe,
      expectation,
      keyedRandom(`mixture ${seed} start`),
      {
        ...(options.signal && { signal: options.signal }),
        onIteration: (row) => {
          if (row.iteration === 1) done = recipe.iterations * round++;
          done++;
          const { patches: count, iteration, logLikelihood, reseeded, removed } = row;
          options.onProgress?.({
            phase: 'fitting',
            done,
            total,
            label: `${count} patches, iteration ${iteration}: ${logLikelihood.toFixed(4)} nats an entry`,
            ...(reseeded + removed > 0 && {
              message: `${reseeded} dead components begin anew, ${removed} are removed`,
            }),
          });
        },
      },
    );
    const one = await expectationMaximisation(
      patches,
      { ...recipe, components: 1, covariance: 'full', first: patches.count, iterations: 2 },
      expectation,
      keyedRandom(`mixture ${seed} start`),
    );
    const meanOf = (logs: Float64Array): number =>
      logs.reduce((sum, value) => sum + value, 0) / logs.length / patches.size;
    const logLikelihood = {
      fitted: meanOf(await expectation.logDensities(patches, parameters)),
      heldOut: meanOf(await expectation.logDensities(heldOut, parameters)),
      gaussianHeldOut: meanOf(await expectation.logDensities(heldOut, one.parameters)),
    };
    const shape = [size, size, patches.channels] as const;
    const mixture = join(out, 'mixture.safetensors');
    const facts = { name, recipe, shape, logLikelihood, rows, falls: fallsOf(rows), mixture };
    const bytes = encodeMixture(mixtureOf(parameters), {
      tweedie: 'mixture',
      shape: shape.join(),
      data: JSON.stringify(recipe.data),
      patches: String(recipe.patches),
      floor: String(floor),
      seed: String(seed),
      heldOutNatsAnEntry: logLikelihood.heldOut.toFixed(5),
    });
    writeWhole(mixture, bytes);
    writeWhole(join(out, 'log.csv'), mixtureLog(rows));
    const card = mixtureCard({ ...facts, components: parameters.weights.length, bytes: bytes.length });
    writeWhole(join(out, 'README.md'), card);
    return { folder: out, mixture, logLikelihood, rows, card };
  } finally {
    expectation.dispose();
    container.dispose();
  }
}
