import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { at, ConfigError, sha256, type Engine, type Metric } from '@tweedie/core';
import { commandOf } from './plan/command.ts';
import { bindableRows } from './run/bindable.ts';
import { drawAndScore } from './run/draw-and-score.ts';
import { identify } from './run/identity.ts';
import { planRows, refuseImpossible } from './plan/rows.ts';
import { imageRange, makeMetrics, type ImageRange } from './run/image-range.ts';
import { prepareRun } from './run/prepare.ts';
import { cleanImage } from './run/problems.ts';
import type { Watch } from './machine/progress.ts';
import { mean } from './statistics/statistics.ts';
import { openStore, type Store } from './run/store.ts';
import { perImageOf } from './results/summary.ts';
import { checkImages, makeShapes, openWorkbench, type ExperimentSource, type Workbench } from './plan/workbench.ts';
import { choose, goOn } from './tune/against-default.ts';
import { roundSizes, survivors } from './tune/rounds.ts';
import { forwardsOf, makeCandidates, planSearches, type Candidate, type Search } from './tune/search.ts';
import { truthUnknown, type Tune } from './recipe/experiment.ts';
import { cannotTune } from './recipe/tune-settings.ts';
import type { Scored, TuneResult } from './tune/result.ts';
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
  };

export type Tuned = {
  readonly recipe: string;
  readonly run: string;
  readonly results: readonly TuneResult[];
  readonly table: string;
};

const scoreOf = (perImage: readonly (number | null)[]): number | null => {
  const sound = perImage.filter((value) => value !== null);
  return sound.length === perImage.length ? mean(sound) : null;
};

/** The same parts on the validation images, one sample each, in chunks of the first round. */
const validationBench = async (bench: Workbench, { images }: Tune): Promise<Workbench> => {
  const { dataset: _, ...rest } = bench;
  const dataset = images.dataset && (await bench.container.plugin('dataset', images.dataset));
  bench.recipe.locating(() => checkImages(images, bench.recipe.where, '/tune/images', bench.model, dataset));
  const { trace: __, ...experiment } = bench.experiment;
  const first = at(roundSizes(images.count), 0, 'round');
  const shapes = (
    await makeShapes(experiment, images, { container: bench.container, model: bench.model, dataset })
  ).map((parts) => ({ ...parts, chunk: Math.min(parts.chunk, first) }));
  return {
    ...rest,
    ...at(shapes, 0, 'image shape'),
    ...(dataset && { dataset }),
    experiment: { ...experiment, images, samples: 1 },
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

type Parts = {
  readonly bench: Workbench;
  readonly engine: Engine;
  readonly metric: Metric;
  /** Of all validation images, so that every round scores alike. */
  readonly images: ImageRange;
  readonly store: Store;
  readonly command: string;
  readonly watch: Watch;
};

/** Draws and scores candidates on the first images. */
const evaluate = async (
  { bench, engine, metric, images, store, command, watch }: Parts,
  candidates: readonly Candidate[],
  count: number,
): Promise<readonly Scored[]> => {
  const { experiment } = bench;
  const reduced = { ...bench, experiment: { ...experiment, images: { ...experiment.images, count } } };
  const rows = candidates.map(({ planned }) => planned);
  const index = await prepareRun(
    { bench: reduced, rows, engine, metrics: [metric], images, command, watch },
    store.folder,
  );
  await drawAndScore({ bench: reduced, engine, index, rows, metrics: [metric], store, watch });
  const [cells, values] = [await store.cells(), await store.scores(at(index.metrics, 0, 'metric of the index').key)];
  return candidates.map((candidate, i) => {
    const perImage = perImageOf(index, at(index.rows, i, 'row of a candidate'), cells, values);
    return { ...candidate, perImage, score: scoreOf(perImage) };
  });
};

/** The candidate that has the values of the row as it is. */
const defaultOf = ({ ranges, planned }: Search, scored: readonly Scored[]): Scored | undefined =>
  scored.find(({ values }) =>
    ranges.every(({ option }) => values[option] === planned.method.reference.options[option]),
  );

/** Successive halving, all searches in step, so that the rounds of a run are few. */
const searchAll = async (parts: Parts, searches: readonly Search[], tune: Tune): Promise<readonly TuneResult[]> => {
  const sizes = roundSizes(tune.images.count);
  const { better } = parts.metric;
  let left = await makeCandidates(parts.bench, tune, searches);
  const tried = searches.map(() => new Map<Candidate['values'], Scored>());
  for (const [round, images] of sizes.entries()) {
    left = left.map((candidates, s) => {
      if (round === 0) return candidates;
      const [scored, search] = [at(tried, s, 'search'), at(searches, s, 'search')];
      const known = candidates.flatMap(({ values }) => scored.get(values) ?? []);
      return goOn(better, known, defaultOf(search, known), survivors(search.count, round));
    });
    const message = `round ${round + 1} of ${sizes.length}: ${left.flat().length} candidates on ${images} images`;
    const watch = {
      ...parts.watch,
      onProgress: parts.watch.onProgress && ((event) => parts.watch.onProgress?.({ message, ...event })),
    } satisfies Watch;
    const scored = await evaluate({ ...parts, watch }, left.flat(), images);
    let next = 0;
    for (const [s, candidates] of left.entries()) {
      for (const each of scored.slice(next, (next += candidates.length))) at(tried, s, 'search').set(each.values, each);
    }
  }
  return searches.map((search, s): TuneResult => {
    const all = [...at(tried, s, 'search').values()];
    const finalists = all.filter(
      (each): each is TuneResult['chosen'] => each.perImage.length === tune.images.count && each.score !== null,
    );
    const fallback = defaultOf(search, all);
    const { chosen, best, fate } = choose(better, finalists, fallback);
    const { planned } = search;
    if (chosen === undefined || best === undefined) {
      throw new ConfigError(
        parts.bench.recipe.where,
        `every candidate of ${JSON.stringify(planned.method.reference.label)} on ${planned.operator.reference.label} at sigmaY ${planned.sigmaY} failed on some image.`,
        'Give its options in the recipe, or correct the ranges in its manifest.',
      );
    }
    const spent = all.reduce((sum, each) => sum + forwardsOf(each.planned) * each.perImage.length, 0);
    return {
      ...search,
      metric: tune.metric,
      better,
      chosen,
      best,
      tried: all,
      spent,
      ...(fallback && fate ? { default: { candidate: fallback, fate } } : {}),
    };
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
  ...watch
}: TuneOptions): Promise<Tuned> => {
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
    const engine = await container.plugin('engine', experiment.engine);
    await model.load?.();
    const validation = await validationBench(bench, settings);
    await refuseShared(bench, validation);
    const position = experiment.metrics.findIndex(({ label }) => label === settings.metric);
    const decides = experiment.metrics.slice(position, position + 1);
    const chosenOn = { ...validation, experiment: { ...validation.experiment, metrics: decides } };
    const images = await imageRange(chosenOn);
    const metric = at(await makeMetrics(chosenOn, images), 0, 'metric that the settings name');
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
        metric,
        images,
        store,
        command,
        watch,
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
      store.close();
    }
  } finally {
    bench.dispose();
  }
};
