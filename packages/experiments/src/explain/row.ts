import { at, bindGuidance, drawBatch, rowsOf, type BoundGuidance, type Engine, type Problem } from '@tweedie/core';
import type { Instruments } from './instruments.ts';
import { createProbe, type Probe, type Reading } from './probe.ts';
import { seriesCollector, type SeriesCollector, type StepSeries } from './series.ts';
import { posteriorTrace, sampleTrace } from './spread.ts';
import { observed } from './state.ts';
import { meanShare, measure, plus, type MeasureName } from './vectors.ts';
import type { PlannedRow } from '../plan/rows.ts';
import { checkSignal, type Watch } from '../machine/progress.ts';
import type { Workbench } from '../plan/workbench.ts';

/**
 * Trace of the sample covariance and of the covariance of p(x0 | y), by image. `ratio` is the mean over images of the
 * first over the second.
 */
export type Diversity = {
  readonly samples: readonly number[];
  readonly posterior: readonly number[];
  readonly ratio: number;
};

export type ExplainedRow = {
  readonly operator: string;
  readonly sigmaY: number;
  readonly label: string;
  readonly method: string;
  /** Noise level of each step, in the order of the run: from the most noise down. */
  readonly sigma: readonly number[];
  /** Factor c of each step: one unit of score moves the mean by it. */
  readonly scoreWeight: readonly number[];
  /** Means over samples and images, one number per step. */
  readonly measures: Readonly<Partial<Record<MeasureName, StepSeries>>>;
  /** Numbers that the method itself returned, as they are. */
  readonly scalars: Readonly<Record<string, StepSeries>>;
  /** How guidance was read off the method. */
  readonly reading: Reading;
  /** Reasons why something does not apply, by its name. */
  readonly absent: Readonly<Record<string, string>>;
  readonly diversity: Diversity | null;
  readonly samples: number;
  readonly failed: number;
};

type Parts = {
  readonly bench: Workbench;
  readonly engine: Engine;
  readonly instruments: Instruments;
  readonly problems: readonly Problem[];
  readonly watch: Watch;
  readonly onStep: () => void;
};
type Bound = Parts & {
  readonly bound: BoundGuidance;
  readonly probe: Probe;
  readonly measures: SeriesCollector;
  readonly scalars: SeriesCollector;
};
type Outcome = { readonly reading: Reading; readonly failed: number; readonly samples: readonly Float64Array[] };

/** Runs all samples of one problem at once and looks at every step. */
const explainProblem = async (
  { bench, bound, probe, instruments, measures, scalars, watch, onStep }: Bound,
  problem: Problem,
): Promise<Outcome> => {
  const {
    experiment: { samples: count, seed },
    model,
  } = bench;
  const problems = Array.from({ length: count }, () => problem);
  const exact = typeof instruments.exact === 'string' ? undefined : await instruments.exact.start(problems);
  let reading: Reading = { from: 'nothing', because: 'no step was taken' };
  let taken = 0;
  const watched = observed(bound, model.imageShape, async (seen) => {
    const looked = await probe(seen, exact);
    ({ reading } = looked);
    for (const vectors of looked.rows) {
      for (const [name, value] of Object.entries(measure(vectors, seen.step.scoreWeight)))
        measures.add(name, taken, value);
    }
    measures.add(
      'meanScore',
      taken,
      meanShare(looked.rows.flatMap(({ prior, guidance }) => (guidance ? [plus(prior, guidance)] : []))),
    );
    for (const [name, values] of Object.entries(seen.stepped.scalars ?? {}))
      values.dataSync().forEach((value) => scalars.add(name, taken, value));
    taken++;
  });
  try {
    const samples = await drawBatch(
      {
        bound: watched,
        imageShape: model.imageShape,
        problems,
        samples: problems.map((_, sample) => sample),
        seed,
        onStep,
        ...(watch.signal && { signal: watch.signal }),
      },
      ({ x, failures }) =>
        rowsOf(x)
          .filter((_, i) => failures[i] === undefined)
          .map((row) => Float64Array.from(row)),
    );
    return { reading, samples, failed: count - samples.length };
  } finally {
    exact?.dispose();
  }
};

const diversityOf = (
  { model, experiment }: Workbench,
  { operator: { operator } }: PlannedRow,
  problems: readonly Problem[],
  drawn: readonly (readonly Float64Array[])[],
): Diversity | string => {
  if (drawn.some((samples) => samples.length < 2)) return 'it needs several samples of every image';
  if (experiment.poisson !== undefined) return 'the posterior of Poisson noise has no closed form';
  const posterior: number[] = [];
  for (const problem of problems) {
    const trace = posteriorTrace(model, operator, problem);
    if (typeof trace === 'string') return trace;
    posterior.push(trace);
  }
  const samples = drawn.map(sampleTrace);
  return {
    samples,
    posterior,
    ratio: samples.reduce((sum, trace, i) => sum + trace / at(posterior, i, 'posterior trace'), 0) / samples.length,
  };
};

/** Runs a row on a few problems and looks at every step. */
export const explainRow = async (row: PlannedRow, parts: Parts): Promise<ExplainedRow> => {
  const { bench, engine, instruments, problems, watch } = parts;
  const { operator, method, sigmaY } = row;
  const bound = await bindGuidance(method.guidance, {
    engine,
    model: bench.model,
    operator: operator.operator,
    scheduler: method.scheduler,
  });
  const probe = createProbe(instruments, row, bench.model.imageShape);
  const [measures, scalars] = [seriesCollector(bound.steps.length), seriesCollector(bound.steps.length)];
  const outcomes: Outcome[] = [];
  try {
    for (const problem of problems) {
      checkSignal(watch.signal);
      outcomes.push(await explainProblem({ ...parts, bound, probe, measures, scalars }, problem));
    }
  } finally {
    bound.dispose();
  }
  const reading = outcomes[0]?.reading ?? { from: 'nothing', because: 'there was no problem to run' };
  const diversity = diversityOf(
    bench,
    row,
    problems,
    outcomes.map(({ samples }) => samples),
  );
  return {
    operator: operator.reference.label,
    sigmaY,
    label: method.reference.label,
    method: method.reference.id,
    sigma: bound.steps.map(({ level }) => level.sigma),
    scoreWeight: bound.steps.map(({ scoreWeight }) => scoreWeight),
    measures: measures.means(),
    scalars: scalars.means(),
    reading,
    absent: {
      ...(reading.from === 'nothing' ? { guidance: reading.because } : {}),
      ...instruments.absent,
      ...(typeof diversity === 'string' ? { diversity } : {}),
    },
    diversity: typeof diversity === 'string' ? null : diversity,
    samples: problems.length * bench.experiment.samples,
    failed: outcomes.reduce((sum, { failed }) => sum + failed, 0),
  };
};
