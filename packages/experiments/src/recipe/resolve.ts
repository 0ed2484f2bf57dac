import { ConfigError, resolveOptions, sigmaOf, type JsonSchema, type Kind, type Registry } from '@tweedie/core';
import type { FreeEnergyOptions } from '../statistics/free-energy.ts';
import { truthUnknown, type Experiment, type Images, type Labelled } from './experiment.ts';
import type { Method, Overrides, Reference } from './experiment.ts';
import { readSigma } from './noise.ts';
import { resolvePerProblem } from './per-problem.ts';
import type { ExperimentInput, LabelledInput, MethodInput, Recipe, ReferenceInput } from './recipe.ts';
import { emptySweep, expandSweep } from './sweep.ts';
import { cannotTune, resolveTune } from './tune-settings.ts';

const asObject = (input: MethodInput): Exclude<MethodInput, string> =>
  typeof input === 'string' ? { id: input } : input;

/** Refuses rows that their labels do not tell apart. */
const checkLabels = <T extends Labelled>(rows: readonly T[], where: string, what: string): readonly T[] => {
  const seen = new Set<string>();
  for (const { label } of rows) {
    if (seen.has(label))
      throw new ConfigError(where, `two ${what} are called ${JSON.stringify(label)}.`, 'Give each a label of its own.');
    seen.add(label);
  }
  return rows;
};

/**
 * Completes the options of a free energy: errors are taken over the whole histogram and the barrier anywhere in it,
 * unless the recipe says otherwise.
 */
const completeFreeEnergy = (given: NonNullable<ExperimentInput['freeEnergy']>): FreeEnergyOptions => ({
  entry: 0,
  errors: [given.from, given.to],
  barrier: [given.from, given.to],
  ...given,
});

/** The most samples of a run: each has a line in its index, which is kept in memory. */
const MOST_SAMPLES = 10_000_000;

const checkSize = (experiment: Experiment, where: string): Experiment => {
  const { images, samples, operators, sigmaY, methods } = experiment;
  const rows = operators.length * sigmaY.length * methods.length;
  const total = rows * images.count * samples;
  if (total <= MOST_SAMPLES) return experiment;
  throw new ConfigError(
    where,
    `asks for ${total} samples in ${rows} row${rows === 1 ? '' : 's'}, a run holds at most ${MOST_SAMPLES}.`,
    'Lower the number of images, samples or rows.',
  );
};

/** Looks up, checks and completes everything that an experiment names. Imports no plugin code. */
export const resolveExperiment = (
  { input, name, where, locating }: Recipe,
  registry: Registry,
  overrides: Overrides = {},
): Experiment => {
  const manifest = (kind: Kind, id: string, at: string) => registry.find(kind, id, `${where} ${at}`);
  const reference = (
    kind: Kind,
    given: ReferenceInput,
    at: string,
    extra: Readonly<Record<string, unknown>> = {},
  ): Reference => {
    const { id, options = {} } = asObject(given);
    return { id, options: resolveOptions(manifest(kind, id, at), { ...options, ...extra }, where, `${at}/options`) };
  };
  const labelled = (kind: Kind, given: LabelledInput, at: string): (Labelled & Pick<Method, 'given' | 'sweep'>)[] => {
    const { id, label = id, options = {} } = asObject(given);
    const found = manifest(kind, id, at);
    const empty = emptySweep(options, found.options as JsonSchema);
    if (empty !== undefined)
      throw new ConfigError(
        `${where} ${at}/options/${empty}`,
        'is an empty list, which makes no row.',
        'Give at least one value.',
      );
    return expandSweep(options, found.options as JsonSchema).map((row) => ({
      id,
      label: `${label}${row.suffix}`,
      options: resolveOptions(found, row.options, where, `${at}/options`),
      given: row.options,
      ...(row.suffix === '' ? {} : { sweep: { label, values: row.swept } }),
    }));
  };
  const plain = (kind: Kind, list: readonly LabelledInput[], at: string): readonly Labelled[] =>
    checkLabels(
      list.flatMap((given, i) =>
        labelled(kind, given, `${at}/${i}`).map(({ id, label, options }) => ({ id, label, options })),
      ),
      `${where} ${at}`,
      `${kind}s`,
    );

  const measurementsOf = (
    given: NonNullable<ExperimentInput['images']['measurements']>,
  ): Pick<Images, 'dataset' | 'measured' | 'measurements'> =>
    'dataset' in given
      ? { dataset: reference('dataset', given.dataset, '/images/measurements/dataset'), measured: true }
      : { measurements: given };

  return locating(() => {
    const { images } = input;
    if ([images.from, images.dataset, images.measurements].filter((source) => source !== undefined).length !== 1) {
      throw new ConfigError(
        `${where} /images`,
        'needs one of "from: prior", "dataset" and "measurements".',
        'Keep one of them.',
      );
    }
    const shown: Images = {
      count: images.count,
      offset: images.offset ?? 0,
      ...(images.dataset === undefined ? {} : { dataset: reference('dataset', images.dataset, '/images/dataset') }),
      ...(images.measurements === undefined ? {} : measurementsOf(images.measurements)),
    };
    const scheduler = (given: ReferenceInput, at: string, steps = overrides.steps): Reference =>
      reference('scheduler', given, at, steps === undefined ? {} : { steps });
    const noise = input.sigmaY;
    const poisson = typeof noise === 'object' && 'poisson' in noise ? noise.poisson : undefined;
    const operators = plain('operator', input.operators, '/operators').map((row) =>
      poisson === undefined ? row : { ...row, label: `${row.label}, Poisson noise of rate ${poisson}` },
    );
    const sigmaY =
      typeof noise === 'object' && 'poisson' in noise
        ? [sigmaOf(noise)]
        : [noise].flat().map((given, i) => readSigma(given, `${where} /sigmaY${Array.isArray(noise) ? `/${i}` : ''}`));
    const twice = sigmaY.findIndex((level, i) => sigmaY.indexOf(level) < i);
    if (twice >= 0)
      throw new ConfigError(`${where} /sigmaY/${twice}`, `a second noise level is ${sigmaY[twice]}.`, 'Keep one.');
    const metrics = plain('metric', input.metrics, '/metrics');
    if (truthUnknown(shown) && input.tune !== undefined) throw cannotTune(`${where} /tune`);
    if (truthUnknown(shown) && metrics.length > 0) {
      throw new ConfigError(
        `${where} /metrics`,
        'nothing can be scored: the images behind given measurements are not known.',
        'Say "metrics: []".',
      );
    }
    if (input.traceImages !== undefined && input.trace === undefined) {
      throw new ConfigError(
        `${where} /traceImages`,
        'has no effect without trace.',
        'Add "trace", the number of noise levels whose x0hat is kept, or remove it.',
      );
    }
    // Steps on the command line are for a quick look, whatever the recipe's budget.
    const budget = overrides.steps === undefined ? input.budget : undefined;
    const methods = input.methods.flatMap((given, i) => {
      const at = `/methods/${i}`;
      const own = asObject(given);
      if (own.steps !== undefined && budget !== undefined)
        throw new ConfigError(
          `${where} ${at}/steps`,
          `the number of steps follows from the budget of ${budget}.`,
          'Take one of the two out.',
        );
      const chosen = scheduler(
        own.scheduler ?? input.scheduler,
        own.scheduler === undefined ? '/scheduler' : `${at}/scheduler`,
        overrides.steps ?? own.steps,
      );
      return labelled('guidance', given, at).map((row): Method => ({
        ...row,
        scheduler: chosen,
        perProblem: resolvePerProblem(
          (own.perProblem ?? []).map(({ sigmaY: given, ...entry }, k) => ({
            ...entry,
            ...(given === undefined ? {} : { sigmaY: readSigma(given, `${where} ${at}/perProblem/${k}/sigmaY`) }),
          })),
          row,
          manifest('guidance', own.id, at),
          { operators, sigmaY },
          where,
          `${at}/perProblem`,
        ),
      }));
    });
    const engine = overrides.engine === undefined ? input.engine : overrides.engine;
    return checkSize(
      {
        title: input.title ?? name,
        ...(input.notes === undefined ? {} : { notes: input.notes }),
        seed: overrides.seed ?? input.seed,
        model: reference('model', input.model, '/model'),
        images: { ...shown, count: Math.min(images.count, overrides.limit ?? Infinity) },
        ...(input.tune === undefined
          ? {}
          : {
              tune: resolveTune(
                input.tune,
                { shown, metrics, dataset: (given) => reference('dataset', given, '/tune/images/dataset') },
                where,
              ),
            }),
        operators,
        sigmaY,
        ...(poisson === undefined ? {} : { poisson }),
        methods: checkLabels(methods, `${where} /methods`, 'methods'),
        scheduler: scheduler(input.scheduler, '/scheduler'),
        engine: reference('engine', engine, overrides.engine === undefined ? '/engine' : '--engine'),
        metrics,
        samples: overrides.samples ?? input.samples,
        ...(budget === undefined ? {} : { budget }),
        ...(input.floor === undefined ? {} : { floor: input.floor }),
        ...(input.freeEnergy === undefined ? {} : { freeEnergy: completeFreeEnergy(input.freeEnergy) }),
        impossible: input.impossible,
        ...(input.trace === undefined ? {} : { trace: input.trace }),
        traceImages: input.traceImages ?? 2,
        ...(input.chunk === undefined ? {} : { chunk: input.chunk }),
      },
      where,
    );
  });
};
