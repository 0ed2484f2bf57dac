/** The searches of a run: successive halving, then further where an option has ended at the edge of its range. */
import { at, ConfigError, type Engine } from '@tweedie/core';
import type { Watch } from '../machine/progress.ts';
import type { Workbench } from '../plan/workbench.ts';
import type { Tune } from '../recipe/experiment.ts';
import { drawAndScore } from '../run/draw-and-score.ts';
import type { ImageRange } from '../run/image-range.ts';
import { prepareRun } from '../run/prepare.ts';
import type { Run } from '../run/runner.ts';
import type { Store } from '../run/store.ts';
import { mean } from '../statistics/statistics.ts';
import { choose, goOn } from './against-default.ts';
import type { Range } from './candidates.ts';
import type { Deciding } from './deciding.ts';
import type { Scored, TuneResult } from './result.ts';
import { roundSizes, survivors } from './rounds.ts';
import { FEWEST_PER_OPTION, forwardsOf, makeCandidates, type Candidate, type Search } from './search.ts';
import { widerOf } from './widen.ts';

const scoreOf = (perImage: readonly (number | null)[]): number | null => {
  const sound = perImage.filter((value) => value !== null);
  return sound.length === perImage.length ? mean(sound) : null;
};

/** What searches run on. */
export type SearchParts = {
  readonly bench: Workbench;
  readonly engine: Engine;
  readonly deciding: Deciding;
  /** Of all validation images, so that every round scores alike. */
  readonly images: ImageRange;
  readonly store: Store;
  readonly command: string;
  readonly watch: Watch;
} & Pick<Run, 'crew' | 'workers'>;

/** Draws and scores candidates on the first images. */
const evaluate = async (
  { bench, engine, deciding, images, store, command, watch, crew, workers }: SearchParts,
  candidates: readonly Candidate[],
  count: number,
): Promise<readonly Scored[]> => {
  const { experiment } = bench;
  const reduced = { ...bench, experiment: { ...experiment, images: { ...experiment.images, count } } };
  const rows = candidates.map(({ planned }) => planned);
  const index = await prepareRun(
    { bench: reduced, rows, engine, metrics: deciding.metrics, images, command, watch },
    store.folder,
  );
  const { metrics } = deciding;
  await drawAndScore({ bench: reduced, engine, index, rows, metrics, store, watch, crew, workers });
  const scores = await deciding.scores(index, store);
  return candidates.map((candidate, i) => {
    const perImage = at(scores, i, 'scores of a candidate');
    return { ...candidate, perImage, score: scoreOf(perImage) };
  });
};

/** The candidate that has the values of the row as it is. */
const defaultOf = ({ ranges, planned }: Search, scored: readonly Scored[]): Scored | undefined =>
  scored.find(({ values }) =>
    ranges.every(({ option }) => values[option] === planned.method.reference.options[option]),
  );

type Tried = readonly Map<Candidate['values'], Scored>[];

/** Successive halving, all searches in step, so that the rounds of a run are few. Adds to what was tried. */
const halve = async (
  parts: SearchParts,
  searches: readonly Search[],
  first: readonly (readonly Candidate[])[],
  { tried, tune, what }: { readonly tried: Tried; readonly tune: Tune; readonly what: string },
): Promise<void> => {
  const sizes = roundSizes(tune.images.count);
  let left = first;
  for (const [round, images] of sizes.entries()) {
    left = left.map((candidates, s) => {
      if (round === 0 || candidates.length === 0) return candidates;
      const [scored, search] = [at(tried, s, 'search'), at(searches, s, 'search')];
      const known = candidates.flatMap(({ values }) => scored.get(values) ?? []);
      return goOn(
        parts.deciding.better,
        known,
        defaultOf(search, known),
        survivors(at(first, s, 'search').length, round),
      );
    });
    const message = `${what} ${round + 1} of ${sizes.length}: ${left.flat().length} candidates on ${images} images`;
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
};

const resultOf = (
  { bench, deciding }: SearchParts,
  tune: Tune,
  search: Search,
  all: readonly Scored[],
  widened: readonly Range[],
): TuneResult => {
  const { better } = deciding;
  const finalists = all.filter(
    (each): each is TuneResult['chosen'] => each.perImage.length === tune.images.count && each.score !== null,
  );
  const fallback = defaultOf(search, all);
  const { chosen, best, fate } = choose(better, finalists, fallback);
  const { planned } = search;
  if (chosen === undefined || best === undefined) {
    throw new ConfigError(
      bench.recipe.where,
      `every candidate of ${JSON.stringify(planned.method.reference.label)} on ${planned.operator.reference.label} at sigmaY ${planned.sigmaY} failed on some image.`,
      'Give its options in the recipe, or correct the ranges in its manifest.',
    );
  }
  const forwards = all.reduce((sum, each) => sum + forwardsOf(each.planned) * each.perImage.length, 0);
  return {
    ...search,
    metric: deciding.name,
    better,
    chosen,
    best,
    tried: all,
    widened,
    spent: forwards * tune.samples,
    ...(fallback && fate ? { default: { candidate: fallback, fate } } : {}),
  };
};

/** How often the ranges of a search are widened at most: each time by half their width. */
const MOST_WIDENINGS = 2;

/**
 * Searches, then goes on beyond the ranges in which an option has ended at the edge of what was tried, with eight more
 * candidates for each option and time.
 */
export const searchAll = async (
  parts: SearchParts,
  searches: readonly Search[],
  tune: Tune,
): Promise<readonly TuneResult[]> => {
  const tried: Tried = searches.map(() => new Map<Candidate['values'], Scored>());
  await halve(parts, searches, await makeCandidates(parts.bench, tune, searches), { tried, tune, what: 'round' });
  const widened = searches.map((): readonly Range[] => []);
  const current = [...searches];
  const results = (): readonly TuneResult[] =>
    current.map((search, s) =>
      resultOf(parts, tune, search, [...at(tried, s, 'search').values()], at(widened, s, 'ranges of a search')),
    );
  for (let time = 0; time < MOST_WIDENINGS; time++) {
    const further = results().map(widerOf);
    if (further.every((wider) => wider === undefined)) break;
    const asked = current.flatMap((search, s) => {
      const wider = further[s];
      if (wider === undefined) return [];
      current[s] = { ...search, ranges: wider.ranges };
      widened[s] = wider.ranges.filter((range) => !(searches[s]?.ranges ?? []).includes(range));
      return [{ s, search: { ...search, ranges: wider.part, count: FEWEST_PER_OPTION * wider.part.length } }];
    });
    const made = await makeCandidates(
      parts.bench,
      tune,
      asked.map(({ search }) => search),
    );
    const left = current.map((_, s) => {
      const position = asked.findIndex((each) => each.s === s);
      const known = [...at(tried, s, 'search').keys()].map((values) => JSON.stringify(values));
      return (made[position] ?? []).filter(({ values }) => !known.includes(JSON.stringify(values)));
    });
    await halve(parts, current, left, { tried, tune, what: 'wider ranges, round' });
  }
  return results();
};
