/** Scores the samples of an image as a set: against the posterior where it is known, and against the clean image. */
import {
  disposeProblem,
  type GaussianMixture,
  type Image,
  keyedRandom,
  knownPosteriors,
  type KnownPosteriors,
  mixtureDraws,
  type Problem,
  rowsOf,
  tf,
} from '@tweedie/core';
import { checkSignal } from '../machine/progress.ts';
import { posteriorRefusal } from '../plan/step-floor.ts';
import { benchesOf, operatorOn } from '../plan/workbench.ts';
import { crps, hpdRank, mmseGap, rankShare, sbcRank, spreadSkill, tarpRank } from '../statistics/calibration.ts';
import { gaussianDensity } from '../statistics/mixture-density.ts';
import {
  energyDistance,
  knownMoments,
  meanOwnDistance,
  modeWeightError,
  momentErrors,
  nearestNeighbourAccuracy,
} from '../statistics/posterior-distance.ts';
import { directionsOf, slicedDistances, slicedLaw } from '../statistics/sliced-wasserstein.ts';
import { soundOf, type Score } from './cells.ts';
import { lawOf, modesScore } from './complete-modes.ts';
import { FLOOR_SETS, floorCell, measureKey } from './measure-keys.ts';
import { loadProblem } from './problems.ts';
import { meanCell, type IndexRow } from './run-index.ts';
import type { Run } from './runner.ts';

type Rows = readonly ArrayLike<number>[];
type Values = Readonly<Record<string, number>>;

/** Members of a set that energy distances and nearest neighbours are taken to: a fixed cost whatever the image. */
const REFERENCE_NUMBERS = 200_000;
const referenceSize = (d: number): number => Math.max(64, Math.min(512, Math.floor(REFERENCE_NUMBERS / d)));

/** A component of the prior counts in a posterior from this weight on. */
const LIVE = 1e-3;

const drawn = (law: GaussianMixture, key: string, count: number, d: number): readonly Float64Array[] => {
  const [draw, random] = [mixtureDraws(law), keyedRandom(key)];
  const [u, noise] = [random.uniform('component', count), random.normal('x0', count * d)];
  return Array.from({ length: count }, (_, i) => draw(u[i] ?? 0.5, noise.subarray(i * d, (i + 1) * d)));
};

/** Posterior samples in coordinates and as images, and the clean image in both, where it is known. */
type Set = { readonly coordinates: Rows; readonly pixels: Rows };
type Truth = { readonly coordinates: ArrayLike<number>; readonly pixels: ArrayLike<number> };

const truthValues = (pixels: Rows, truth: ArrayLike<number>): Values => ({
  crps: crps(truth, pixels),
  spreadSkill: spreadSkill(truth, pixels),
});

type PriorDensity = ReturnType<typeof gaussianDensity>;

/** Measures sets of n samples of one problem whose posterior is known; sliced distances are in the image's units. */
const posteriorMeter = async (
  known: KnownPosteriors,
  priorDensity: PriorDensity,
  problem: Problem,
  n: number,
  truth: Truth | undefined,
) => {
  const { law, components } = await lawOf(known, problem);
  const d = law.means.length / law.weights.length;
  const directions = directionsOf(keyedRandom('sliced Wasserstein'), d);
  const [sliced, moments, density] = [slicedLaw(law, directions, n), knownMoments(law), gaussianDensity(law)];
  const reference = drawn(law, `reference draws ${problem.hash}`, referenceSize(d), d);
  const ownDistance = meanOwnDistance(reference);
  const live = new Set([...components].filter((_, i) => (law.weights[i] ?? 0) >= LIVE));
  const [point] = drawn(known.prior, `TARP ${problem.hash}`, 1, d);
  const [direction] = directions;

  const ranks = (samples: Rows): Values => {
    if (truth === undefined || point === undefined || direction === undefined) return {};
    const x0 = truth.coordinates;
    const share = (rank: number): number => rankShare(rank, n);
    return {
      mmseGap: mmseGap(x0, samples, moments.mean),
      tarp: share(tarpRank(x0, samples, point)),
      sbc: share(sbcRank(x0, samples, direction)),
      ...(density ? { hpd: share(hpdRank(x0, samples, density.logDensity)) } : {}),
    };
  };
  const valuesOf = ({ coordinates: samples, pixels }: Set): Values => {
    const { w1, w2 } = slicedDistances(samples, sliced);
    const few = samples.slice(0, reference.length);
    return {
      slicedW1: w1,
      slicedW2: w2,
      slicedW1Absolute: w1,
      energyDistance: energyDistance(few, reference, ownDistance),
      c2st: nearestNeighbourAccuracy(few, reference.slice(0, few.length)),
      ...momentErrors(samples, moments),
      ...(density ? { modeWeightError: modeWeightError(samples, law.weights, density) } : {}),
      ...(priorDensity
        ? { hitRate: samples.filter((x) => live.has(priorDensity.nearest(x))).length / samples.length }
        : {}),
      ...ranks(samples),
      ...(truth ? truthValues(pixels, truth.pixels) : {}),
    };
  };
  return { law, d, valuesOf };
};

const toCoordinates = async (known: KnownPosteriors, rows: Rows, shape: Image['shape']): Promise<Rows> => {
  const x: Image = tf.tensor(Float32Array.from(rows.flatMap((row) => Array.from(row))), [
    rows.length,
    shape[1],
    shape[2],
    shape[3],
  ]);
  try {
    return await known.toCoordinates(x);
  } finally {
    x.dispose();
  }
};

const scoresOf = (cell: string, values: Values): readonly Score[] =>
  Object.entries(values).map(([id, value]) => ({ cell, metric: measureKey(id), value }));

/** In units of what independent draws have on average. */
const inUnits = (values: Values, units: Values): Values => ({
  ...values,
  ...Object.fromEntries(['slicedW1', 'slicedW2'].map((id) => [id, (values[id] ?? NaN) / (units[id] ?? NaN)] as const)),
});

/** What is wanted of one image: the samples of rows that have not been measured. */
type Wanted = { readonly hash: string; readonly sets: readonly (readonly string[])[] };

const wantedOf = (
  rows: readonly IndexRow[],
  position: number,
  { cells, known }: { cells: Parameters<typeof soundOf>[1]; known: ReadonlySet<string> },
): Wanted => ({
  hash: rows[0]?.problems[position] ?? '',
  sets: rows.flatMap(({ cells: all }) => {
    const samples = all[position] ?? [];
    return samples.length > 1 && soundOf(samples, cells).length === samples.length && !known.has(meanCell(samples))
      ? [samples]
      : [];
  }),
});

/**
 * Makes the measures that are not there yet, and for each problem those of FLOOR_SETS sets of independent draws. An
 * image of which a sample failed has none in that row.
 */
export const completeMeasures = async (run: Run): Promise<void> => {
  const { index, store, watch, bench, engine } = run;
  if (index.samples < 2) return;
  const cells = await store.cells();
  const measured = new Set([
    ...(await store.scores(measureKey('slicedW1'))).keys(),
    ...(await store.scores(measureKey('crps'))).keys(),
  ]);
  const tables = bench.operators.flatMap((part) => bench.experiment.sigmaY.map((sigmaY) => ({ part, sigmaY })));
  const total = tables.length * index.images.length;
  let done = 0;
  for (const { part, sigmaY } of tables) {
    const { label } = part.reference;
    const rows = index.rows.filter((row) => row.operator === label && row.sigmaY === sigmaY);
    for (const own of benchesOf(bench)) {
      const wanted = own.positions.map((position) => wantedOf(rows, position, { cells, known: measured }));
      if (wanted.every(({ sets }) => sets.length === 0)) {
        done += wanted.length;
        continue;
      }
      const there = operatorOn(own, part);
      const found =
        posteriorRefusal(own, there) === undefined
          ? await knownPosteriors(engine, { model: own.model, operator: there.operator })
          : 'not known';
      const known = typeof found === 'string' ? undefined : found;
      const priorDensity = known && gaussianDensity(known.prior);
      try {
        for (const { hash, sets } of wanted) {
          checkSignal(watch.signal);
          if (sets.length > 0) {
            const scores = await scoresOfImage(run, { hash, sets }, known, priorDensity);
            if (scores.length > 0) await store.save([], scores, index.imageShape);
          }
          watch.onProgress?.({ phase: 'measures', done: ++done, total, label: `${label}, sigmaY ${sigmaY}` });
        }
      } finally {
        known?.dispose();
      }
    }
  }
};

const scoresOfImage = async (
  { index, store, bench }: Run,
  { hash, sets }: Wanted,
  known: KnownPosteriors | undefined,
  priorDensity: PriorDensity,
): Promise<readonly Score[]> => {
  const problem = loadProblem(store.folder, hash);
  try {
    const shape = [1, ...problem.x0.shape] as Image['shape'];
    const x0 = index.truthUnknown ? undefined : problem.x0.dataSync();
    const samplesOf = async (keys: readonly string[]): Promise<Rows> => {
      const rows: Float32Array[] = [];
      for (const key of keys) rows.push(await store.readSample(key));
      return rows;
    };
    if (known === undefined) {
      if (x0 === undefined) return [];
      const scores: Score[] = [];
      for (const keys of sets) scores.push(...scoresOf(meanCell(keys), truthValues(await samplesOf(keys), x0)));
      return scores;
    }
    const n = index.samples;
    // Ranks of an image that is no draw of the prior need not be uniform: coverage is not asked of them.
    const fromPrior = bench.experiment.images.dataset === undefined;
    const [coordinates] = x0 === undefined ? [] : await toCoordinates(known, [x0], shape);
    const truth = x0 && coordinates ? { pixels: x0, coordinates } : undefined;
    const { law, d, valuesOf: all } = await posteriorMeter(known, priorDensity, problem, n, truth);
    const valuesOf = (set: Set): Values => {
      const values = all(set);
      const { hpd: _, tarp: __, sbc: ___, ...rest } = values;
      return fromPrior ? values : rest;
    };
    const floors: Values[] = [];
    for (let set = 0; set < FLOOR_SETS; set++) {
      const draws = drawn(law, `floor ${set} of ${hash}`, n, d);
      const images = await known.toImages(draws);
      floors.push(valuesOf({ coordinates: draws, pixels: rowsOf(images) }));
      images.dispose();
    }
    const meanFloor = (id: string): number => floors.reduce((sum, values) => sum + (values[id] ?? NaN), 0) / FLOOR_SETS;
    const units = { slicedW1: meanFloor('slicedW1'), slicedW2: meanFloor('slicedW2') };
    const scores = floors.flatMap((values, set) => scoresOf(floorCell(hash, n, set), inUnits(values, units)));
    scores.push(modesScore(law, hash, n));
    for (const keys of sets) {
      const pixels = await samplesOf(keys);
      const values = valuesOf({ coordinates: await toCoordinates(known, pixels, shape), pixels });
      scores.push(...scoresOf(meanCell(keys), inUnits(values, units)));
    }
    return scores;
  } finally {
    disposeProblem(problem);
  }
};
