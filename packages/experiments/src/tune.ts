import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { at, ConfigError, sha256 } from '@tweedie/core';
import { commandOf } from './plan/command.ts';
import { bindableRows } from './run/bindable.ts';
import { identify } from './run/identity.ts';
import { planRows, refuseImpossible } from './plan/rows.ts';
import { engineOn } from './plan/threads.ts';
import { checkWorkers } from './plan/workers.ts';
import { imageRange, makeMetrics } from './run/image-range.ts';
import { cleanImage } from './run/problems.ts';
import type { Watch } from './machine/progress.ts';
import { openStore } from './run/store.ts';
import { crewOf } from './run/crew.ts';
import { checkImages, makeShapes, openWorkbench, type ExperimentSource, type Workbench } from './plan/workbench.ts';
import { checkDeciding, decidingBy } from './tune/deciding.ts';
import { roundSizes } from './tune/rounds.ts';
import { searchAll } from './tune/search-all.ts';
import { planSearches } from './tune/search.ts';
import { truthUnknown, type Tune } from './recipe/experiment.ts';
import { cannotTune } from './recipe/tune-settings.ts';
import type { TuneResult } from './tune/result.ts';
import { tunedRecipe } from './tune/tuned-recipe.ts';
import { tuneTable } from './tune/table.ts';
import { checkPlace, OTHER_FILE, writeWhole } from '@tweedie/files';

export type TuneOptions = Omit<ExperimentSource, 'overrides'> &
  Watch & {
    /** The recipe to write; default `<recipe>.tuned.yaml`, beside it. */
    readonly out?: string;
    /**
     * Folder of the samples; default `runs/<name of the recipe>-tune-<hash>` in the working folder, so that the same
     * command resumes.
     */
    readonly run?: string;
    /** Child processes, as in `compare`. */
    readonly workers?: number | undefined;
  };

export type Tuned = {
  readonly recipe: string;
  readonly run: string;
  readonly results: readonly TuneResult[];
  readonly table: string;
};

/** The same parts on the validation images, in chunks of the first round. */
const validationBench = async (bench: Workbench, { images, samples }: Tune): Promise<Workbench> => {
  const { dataset: _, ...rest } = bench;
  const dataset = images.dataset && (await bench.container.plugin('dataset', images.dataset));
  bench.recipe.locating(() => checkImages(images, bench.recipe.where, '/tune/images', bench.model, dataset));
  const { trace: __, ...experiment } = bench.experiment;
  const first = at(roundSizes(images.count), 0, 'round');
  const shapes = (
    await makeShapes(experiment, images, { container: bench.container, model: bench.model, dataset })
  ).map((parts) => ({ ...parts, chunk: Math.min(parts.chunk, first * samples) }));
  return {
    ...rest,
    ...at(shapes, 0, 'image shape'),
    ...(dataset && { dataset }),
    experiment: { ...experiment, images, samples },
    shapes,
  };
};

/** Two data sets of different names may hold the same picture. */
const refuseShared = async (shown: Workbench, chosenOn: Workbench): Promise<void> => {
  const known = new Map<string, string>();
  const hashes = async (bench: Workbench, each: (hash: string, name: string) => void): Promise<void> => {
    for (let position = 0; position < bench.experiment.images.count; position++) {
      const image = await cleanImage(bench, position);
      const numbers = 'x0' in image ? image.x0 : image.y;
      each(sha256(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)), image.name);
    }
  };
  await hashes(shown, (hash, name) => known.set(hash, name));
  await hashes(chosenOn, (hash, name) => {
    const same = known.get(hash);
    if (same === undefined) return;
    throw new ConfigError(
      `${shown.recipe.where} /tune/images`,
      `the validation image ${JSON.stringify(name)} is the image ${JSON.stringify(same)} that is shown.`,
      'Choose others: what is shown must not have been chosen on.',
    );
  });
};

const tunedPath = (recipe: string): string =>
  join(dirname(recipe), `${(recipe.split(/[/\\]/).at(-1) ?? '').replace(/(\.tuned)?\.\w+$/, '')}.tuned.yaml`);

/**
 * Chooses the options that manifests declare tunable and that the recipe does not give, for each method, operator and
 * noise level, on validation images: one search, the same for all methods, with the same budget. Writes a recipe that
 * has each tuned row under the row as it was. Stopped and started again it goes on where it was, for candidates are
 * rows of an ordinary run.
 */
export const tune = async ({
  recipe: source,
  out,
  run: folder,
  registries,
  localRegistries,
  workers,
  ...watch
}: TuneOptions): Promise<Tuned> => {
  checkWorkers(workers);
  const crew = crewOf();
  const bench = await openWorkbench({ recipe: source, registries, localRegistries });
  try {
    const { experiment, recipe, container, model } = bench;
    const settings = experiment.tune;
    if (truthUnknown(experiment.images)) throw cannotTune(recipe.where);
    if (settings === undefined)
      throw new ConfigError(
        recipe.where,
        'does not say how options are to be tuned.',
        'Add a key such as "tune: { images: { count: 16 }, budget: 40000 }".',
      );
    refuseImpossible(bench, planRows(bench));
    const searches = planSearches(bench, settings);
    if (searches.length === 0)
      throw new ConfigError(
        recipe.where,
        'has nothing to tune: its methods declare no tunable options, or the recipe gives all of them.',
        'Leave out the options that are to be chosen; tweedie info guidance/dps lists the tunable ones.',
      );
    const target = out ?? (typeof source === 'string' ? tunedPath(source) : undefined);
    if (target === undefined)
      throw new ConfigError(
        recipe.where,
        'is no file, so there is no place beside it.',
        'Say with `out` where to write the tuned recipe.',
      );
    checkPlace(resolve(target), OTHER_FILE);
    const engine = await container.plugin('engine', engineOn(bench));
    await model.load?.();
    const validation = await validationBench(bench, settings);
    await refuseShared(bench, validation);
    checkDeciding(bench, settings, searches);
    const decides =
      settings.kind === 'metric' ? experiment.metrics.filter(({ label }) => label === settings.metric) : [];
    const chosenOn = { ...validation, experiment: { ...validation.experiment, metrics: decides } };
    const images = await imageRange(chosenOn);
    const [metric] = await makeMetrics(chosenOn, images);
    const deciding = decidingBy(settings, metric);
    const question = {
      model: experiment.model,
      images: settings.images,
      operators: experiment.operators.map(({ id, options }) => ({ id, options })),
      engine: experiment.engine,
      seed: experiment.seed,
    };
    const store = await openStore(
      resolve(folder ?? join('runs', `${recipe.name}-tune-${identify(question).slice(0, 8)}`)),
    );
    try {
      const command = commandOf('tune', { recipe: recipe.where, registries, localRegistries });
      await store.begin({ command, experiment: recipe.input });
      const parts = {
        bench: chosenOn,
        engine,
        deciding,
        images,
        store,
        command,
        watch,
        crew,
        workers,
      };
      const bound = await bindableRows(
        bench,
        engine,
        searches.map(({ planned }) => planned),
        watch,
      );
      const possible = searches.filter((_, i) => bound[i]?.impossible === undefined);
      const results = await searchAll(parts, possible, settings);
      writeWhole(
        resolve(target),
        tunedRecipe(bench, settings, results, {
          file: existsSync(recipe.where) ? recipe.where : undefined,
          target: resolve(target),
        }),
        OTHER_FILE,
      );
      return { recipe: target, run: store.folder, results, table: tuneTable(experiment, settings, results) };
    } finally {
      crew.dispose();
      store.close();
    }
  } finally {
    bench.dispose();
  }
};
