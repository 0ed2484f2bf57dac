import { at, tf, type Cost } from '@tweedie/core';
import { estimateSeconds } from './run/estimate.ts';
import { gridOf } from './plan/grid.ts';
import { isDropped, planRows, refuseImpossible, type PlannedRow } from './plan/rows.ts';
import { withStepFloor } from './plan/step-floor.ts';
import { plain } from './results/numbers.ts';
import { problemsOf } from './results/problems.ts';
import { plural, textTable } from './machine/text-table.ts';
import { samplesFor } from './tune/rounds.ts';
import { planSearches, type Search } from './tune/search.ts';
import { truthUnknown } from './recipe/experiment.ts';
import { showImages } from './recipe/tune-settings.ts';
import { showWorkers, workersFor, type Workers } from './plan/workers.ts';
import { openWorkbench, type ExperimentSource, type Workbench } from './plan/workbench.ts';

export type PlanOptions = ExperimentSource & {
  /** Reads the weights and times a few steps of every row, to say how long the run would take here. */
  readonly measure?: boolean;
};

export type Plan = {
  readonly title: string;
  readonly rows: readonly PlannedRow[];
  readonly images: number;
  readonly samples: number;
  readonly chunk: number;
  /** Network calls of the whole run, padding left out. */
  readonly total: Omit<Cost, 'operatorCalls'>;
  readonly workers: PlanJson['workers'];
  /** The plan for a terminal. */
  readonly table: string;
  /** The plan as `tweedie plan --json` prints it. */
  readonly json: PlanJson;
};

export type PlanJson = {
  readonly title: string;
  readonly images: number;
  readonly samples: number;
  readonly chunk: number;
  readonly rows: readonly {
    readonly operator: string;
    readonly sigmaY: number;
    readonly method: string;
    readonly label: string;
    readonly steps: number;
    readonly forwards: number;
    readonly vjps: number;
    /** Why the row cannot run; null where it can. */
    readonly impossible: string | null;
    /** Time that the whole row would take on this machine; null where it was not measured. */
    readonly seconds: number | null;
    /** Label of the row that was timed in place of this one (`seconds` is its time); null where this one was. */
    readonly timedAs: string | null;
  }[];
  readonly total: Omit<Cost, 'operatorCalls'>;
  /** Child processes that would draw here, 0 for none, and why; they change no result. */
  readonly workers: Workers;
};

const { amount } = plain;

const showDuration = (seconds: number): string =>
  seconds < 120
    ? `${amount(seconds, 2)} s`
    : seconds < 7200
      ? `${amount(seconds / 60, 2)} min`
      : `${amount(seconds / 3600, 2)} h`;

/**
 * Seconds that searches would take here, compilation left out: the samples that each draws, at the time that the row
 * as it is takes for one. Zero where rows were not measured.
 */
const tuneSeconds = (
  { experiment: { images, samples, tune }, chunk }: Workbench,
  rows: readonly PlannedRow[],
  searches: readonly Search[],
): number => {
  if (tune === undefined) return 0;
  const keyOf = ({ operator, sigmaY, method }: PlannedRow): string =>
    JSON.stringify([operator.reference.label, sigmaY, method.reference.label]);
  const measured = new Map(rows.map((row) => [keyOf(row), row.seconds ?? 0]));
  const drawn = Math.ceil((images.count * samples) / chunk) * chunk;
  return searches.reduce(
    (sum, { planned, count }) =>
      sum + ((measured.get(keyOf(planned)) ?? 0) / drawn) * samplesFor(count, tune.images.count) * tune.samples,
    0,
  );
};

/** The searches that `tweedie tune` would make, where the recipe says how. */
const renderTune = (bench: Workbench, rows: readonly PlannedRow[], searches: readonly Search[]): readonly string[] => {
  const { tune } = bench.experiment;
  if (tune === undefined) return [];
  const seconds = tuneSeconds(bench, rows, searches);
  const counts = searches.map(({ planned: { operator, sigmaY, method }, ranges, count }) => [
    `${method.reference.label}, ${operator.reference.label}, sigmaY ${sigmaY}`,
    ranges.map(({ option, from, to }) => `${option} ${from} to ${to}`).join(', '),
    String(count),
  ]);
  return [
    '',
    `tweedie tune: by ${tune.metric} on images ${showImages(tune)}, ${amount(tune.budget)} network forwards (a vjp counts as two) for each method and problem${seconds > 0 ? `; about ${showDuration(seconds)} here` : ''}.`,
    '',
    counts.length === 0
      ? '  Nothing to tune: the methods declare no tunable options, or the recipe gives all of them.'
      : textTable(['method and problem', 'options', 'candidates'], counts),
  ];
};

/** The steps of a row: those of its problems, where a budget or options of their own make them differ. */
const stepsShown = (own: readonly (PlannedRow | undefined)[], usual: number): string => {
  const counts = new Set(own.flatMap((row) => (row ? [row.method.steps.length] : [])));
  return counts.size === 0 ? String(usual) : [...counts].join(', ');
};

const render = (
  bench: Workbench,
  rows: readonly PlannedRow[],
  { total, workers }: Pick<Plan, 'total' | 'workers'>,
): string => {
  const { experiment, model, methods, chunk, shapes } = bench;
  const reasons = new Set(rows.flatMap(({ impossible, work }) => impossible ?? work ?? []));
  const notes = new Map([...reasons].map((reason, i) => [reason, i + 1]));
  const cell = ({ impossible, cost, work }: PlannedRow): string =>
    impossible !== undefined
      ? `impossible (${notes.get(impossible)})`
      : work !== undefined
        ? `no network (${notes.get(work)})`
        : `${amount(cost.forwards)} + ${amount(cost.vjps)}`;
  const columns = problemsOf(rows.map((row) => ({ operator: row.operator.reference.label, sigmaY: row.sigmaY, row })));
  const titles = columns.map(
    ({ operator, sigmaY }) => `${operator}${experiment.sigmaY.length > 1 ? `, ${sigmaY}` : ''}`,
  );
  const grid = gridOf(
    methods.map(({ reference }) => reference.label),
    columns.map((column) => ({ rows: column.rows.map(({ row }) => row) })),
  );
  const matrix = grid.map(({ label, rows: own }, i) => [
    label,
    stepsShown(own, at(methods, i, 'method of a line').steps.length),
    ...own.map((row) => (row ? cell(row) : '')),
  ]);
  const { images, samples, sigmaY } = experiment;
  const seconds = rows.reduce((sum, row) => sum + (row.seconds ?? 0), 0) / Math.max(1, workers.count);
  const shared = rows.filter(({ timedAs }) => timedAs !== undefined).length;
  const timing = `Timed: ${rows.filter((row) => row.seconds !== undefined).length - shared} of these rows; ${shared} more differ from one of them in options of type number alone, which are taken to cost no time.`;
  return [
    `${experiment.title}: ${plural(images.count, truthUnknown(images) ? 'measurement' : 'image')}${truthUnknown(images) ? ' of images' : ''} of ${shapes.length > 1 ? `${shapes.length} sizes` : model.imageShape.join('x')}, sigmaY ${sigmaY.join(', ')}, ${plural(samples, 'sample')} per image, chunks of ${chunk}`,
    '',
    'Network calls for one sample, forwards + vjps (papers count forwards alone as NFE):',
    '',
    textTable(['method', 'steps', ...titles], matrix),
    ...(notes.size > 0 ? ['', ...[...notes].map(([note, number]) => `  (${number}) ${note}`)] : []),
    '',
    showWorkers(bench, workers),
    `In all: ${amount(total.forwards)} forwards, ${amount(total.vjps)} vjps${seconds > 0 ? `, about ${showDuration(seconds)} here` : ''}.`,
    ...(shared > 0 ? [timing] : []),
  ].join('\n');
};

/**
 * Says what an experiment would run, what is impossible and why, and what it costs. Imports the plugins named; unless
 * it is to measure, reads no weights and runs nothing.
 */
export const plan = async ({ measure = false, ...source }: PlanOptions): Promise<Plan> => {
  const opened = await openWorkbench(source);
  try {
    const bench = await withStepFloor(opened);
    const counted = planRows(bench);
    refuseImpossible(bench, counted);
    const rows = measure ? (await estimateSeconds(bench, counted)).filter((row) => !isDropped(row)) : counted;
    const { title, images, samples } = bench.experiment;
    const possible = rows.filter(({ impossible }) => impossible === undefined);
    const sum = (part: 'forwards' | 'vjps'): number =>
      possible.reduce((all, { cost }) => all + cost[part], 0) * images.count * samples;
    const total = { forwards: sum('forwards'), vjps: sum('vjps') };
    const workers = workersFor(bench, rows, { weights: tf.memory().numBytes });
    const facts = { title, images: images.count, samples, chunk: bench.chunk, total, workers };
    const json = {
      ...facts,
      rows: rows.map(({ operator, sigmaY, method: { reference, steps }, cost, impossible, seconds, timedAs }) => ({
        operator: operator.reference.label,
        sigmaY,
        method: reference.id,
        label: reference.label,
        steps: steps.length,
        ...cost,
        impossible: impossible ?? null,
        seconds: seconds ?? null,
        timedAs: timedAs ?? null,
      })),
    };
    const searches = bench.experiment.tune ? planSearches(bench, bench.experiment.tune) : [];
    return {
      ...facts,
      rows,
      table: [render(bench, rows, facts), ...renderTune(bench, rows, searches)].join('\n'),
      json,
    };
  } finally {
    opened.dispose();
  }
};
