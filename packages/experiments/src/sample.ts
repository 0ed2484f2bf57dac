import {
  at,
  conflict,
  bindGuidance,
  canonicalJson,
  ConfigError,
  createContainer,
  disposeProblem,
  drawBatch,
  makeProblem,
  openRegistry,
  resolveOptions,
  rowsOf,
  sigmaOf,
  type Container,
  type Cost,
  type Engine,
  type Guidance,
  type ImageShape,
  type Kind,
  type NoiseLevel,
  type Operator,
  type PluginKinds,
  type Problem,
  type Registry,
  type RegistryOptions,
  type SampleFailure,
  type TensorTree,
  type Scheduler,
  type ScoreModel,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';
import { givenProblem, type SampleProblem } from './plan/given-problem.ts';
import type { Progress, Watch } from './machine/progress.ts';
import type { ReferenceInput } from './recipe/recipe.ts';
import { readSigma, warnOfUnits, type SigmaInput } from './recipe/noise.ts';
import { chunkFor, rangeOf } from './plan/workbench.ts';
import { misfitMeter } from './run/misfit.ts';

type ProblemParts = { readonly model: ScoreModel; readonly operator: Operator; readonly container: Container };

export type SampleOptions = Watch & {
  /** Each part by reference, or an object of its kind. */
  readonly model: ReferenceInput | ScoreModel;
  readonly operator: ReferenceInput | Operator;
  readonly method: ReferenceInput | Guidance<TensorTree>;
  /** Scheduler; default `ddpm`. */
  readonly scheduler?: ReferenceInput | Scheduler;
  /** Engine; default `onnxruntime`. */
  readonly engine?: ReferenceInput | Engine;
  /** A problem, or what makes one from the image shape. */
  readonly problem: SampleProblem | ((parts: ProblemParts) => Promise<SampleProblem>);
  /** Standard deviation of the measurement noise in the units of A's output, a fraction (`25/255`) too; or Poisson. */
  readonly sigmaY: SigmaInput | NoiseLevel;
  /** Number of posterior samples; default 1. */
  readonly samples?: number;
  readonly seed?: number;
  readonly registries?: RegistryOptions['registries'];
  readonly localRegistries?: RegistryOptions['localRegistries'];
  /** The folder in which relative paths in options start; default the working folder. */
  readonly folder?: string;
};

export type Sampled = {
  readonly imageShape: ImageShape;
  /** One image per sample, row-major H, W, C; one that failed is what it ended as. */
  readonly samples: readonly Float32Array[];
  readonly failures: readonly (SampleFailure | undefined)[];
  readonly measurement: { readonly shape: readonly number[]; readonly data: Float32Array };
  /** || y - A(x) || in units of the noise, one per sample; not defined without noise and for one that failed. */
  readonly misfits: readonly (number | undefined)[];
  /** Steps of the schedule. */
  readonly steps: number;
  /** Cost of one sample. */
  readonly cost: Cost;
  /** Wall clock of sampling, compilation included. */
  readonly seconds: number;
};

const isReference = (part: ReferenceInput | object): part is ReferenceInput =>
  typeof part === 'string' || ('id' in part && !('compile' in part));

const asReference = (reference: ReferenceInput) => (typeof reference === 'string' ? { id: reference } : reference);

const make = async <K extends Kind>(
  container: Container,
  kind: K,
  part: ReferenceInput | PluginKinds[K],
  extra?: { imageShape: ImageShape },
): Promise<PluginKinds[K]> => (isReference(part) ? container.plugin(kind, asReference(part), extra) : part);

/** The name of an operator in a problem's random numbers: its resolved reference, or that it came as an object. */
const keyOf = (registry: Registry, part: ReferenceInput | Operator): string => {
  if (!isReference(part)) return 'operator given as an object';
  const { id, options } = { options: {}, ...asReference(part) };
  return canonicalJson({ id, options: resolveOptions(registry.find('operator', id), options) });
};

/** Makes every part and checks it against the others. */
const assemble = async (options: SamplesOptions, noise: NoiseLevel, container: Container, registry: Registry) => {
  const model = await make(container, 'model', options.model);
  await options.check?.({ model, container });
  const operator = await make(container, 'operator', options.operator, { imageShape: model.imageShape });
  const guidance = await make(container, 'guidance', options.method);
  const scheduler = await make(container, 'scheduler', options.scheduler ?? 'ddpm');
  const idOf = (kind: Kind, part: ReferenceInput | object) =>
    isReference(part) ? registry.find(kind, asReference(part).id) : undefined;
  const reason = conflict(
    { model, operator, scheduler, guidance, noise },
    {
      model: idOf('model', options.model),
      operator: idOf('operator', options.operator),
      guidance: idOf('guidance', options.method),
    },
  );
  if (reason !== undefined)
    throw new ConfigError('sample', `the method cannot work here: ${reason}.`, 'Choose another method or operator.');
  const engine = await make(container, 'engine', options.engine ?? 'onnxruntime');
  await model.load?.();
  return { model, operator, guidance, scheduler, engine };
};

/** Draws posterior samples of one problem. Every part may be a registered plugin or an object of your own. */
export const sample = async ({ problem, ...options }: SampleOptions): Promise<Sampled> => {
  const all: Sampled[] = [];
  await sampleEach({
    ...options,
    problems: async (parts) => [typeof problem === 'function' ? await problem(parts) : problem],
    onSampled: (sampled) => void all.push(sampled),
  });
  return at(all, 0, 'problem');
};

/** The parts of `sample` for several problems: all of them are made before the first is drawn. */
export type SamplesOptions = Omit<SampleOptions, 'problem'> & {
  /** Asked when the model is made, before its weights and the operator are read. */
  readonly check?: (parts: Omit<ProblemParts, 'operator'>) => Promise<void>;
  readonly problems: (parts: ProblemParts) => Promise<readonly SampleProblem[]>;
  /** Gets what was drawn of one problem, as soon as it is. */
  readonly onSampled: (sampled: Sampled, index: number) => void | Promise<void>;
};

/** Draws posterior samples of several problems of one operator: the parts are made and compiled once. */
export const sampleEach = async (options: SamplesOptions): Promise<void> => {
  const { samples: count = 1, seed = 0, registries, localRegistries, folder = process.cwd() } = options;
  const { signal, onProgress } = options;
  const sigmaY = typeof options.sigmaY === 'object' ? options.sigmaY : readSigma(options.sigmaY, 'sample');
  const registry = openRegistry({ folders: [process.cwd(), folder], registries, localRegistries });
  const container = createContainer({ registry, files: createFiles(folder) });
  try {
    const { model, operator, guidance, scheduler, engine } = await assemble(options, sigmaY, container, registry);
    if (typeof options.sigmaY !== 'object') warnOfUnits([options.sigmaY], rangeOf(model), container.warn);
    const { imageShape } = model;
    const key = keyOf(registry, options.operator);
    const given = await options.problems({ model, operator, container });
    const problems = given.map((one) => {
      const stated = { name: 'given', imageShape, operator, operatorKey: key, ...(one.image && { image: one.image }) };
      return 'x0' in one
        ? makeProblem({ ...stated, x0: one.x0, sigmaY, seed })
        : givenProblem({ ...stated, y: one.y, sigmaY: sigmaOf(sigmaY), where: 'sample' });
    });
    const size = Math.min(count, chunkFor(imageShape));
    const bound = await bindGuidance(guidance, { engine, model, operator, scheduler });
    const meter = misfitMeter(engine);
    let rows = 0;
    const draw = async (problem: Problem, index: number): Promise<Sampled> => {
      const samples: Float32Array[] = [];
      const failures: (SampleFailure | undefined)[] = [];
      const misfits: (number | undefined)[] = [];
      const started = performance.now();
      while (samples.length < count) {
        const first = samples.length;
        const drawn = await drawBatch(
          {
            bound,
            imageShape,
            problems: Array.from({ length: size }, () => problem),
            samples: Array.from({ length: size }, (_, row) => Math.min(first + row, count - 1)),
            seed,
            ...(signal && { signal }),
            onStep: ({ done, total }) =>
              onProgress?.({
                phase: 'sampling',
                done: index * count + first + (size * done) / total,
                total: problems.length * count,
                label: `step ${done} of ${total}`,
              } satisfies Progress),
          },
          async ({ x, failures }, measured) => ({
            images: rowsOf(x),
            failures,
            misfits: measured.sigmaY > 0 ? [...(await meter.measure(operator, x, measured))] : [],
          }),
        );
        samples.push(...drawn.images.slice(0, count - first));
        failures.push(...drawn.failures.slice(0, count - first));
        misfits.push(...drawn.images.slice(0, count - first).map((_, row) => drawn.misfits[row]));
        rows += size;
      }
      const total = bound.cost();
      const measurement = { shape: problem.y.shape, data: Float32Array.from(problem.y.dataSync()) };
      const cost = {
        forwards: total.forwards / rows,
        vjps: total.vjps / rows,
        operatorCalls: total.operatorCalls / rows,
      };
      const seconds = (performance.now() - started) / 1000;
      const defined = misfits.map((misfit, i) => (failures[i] === undefined ? misfit : undefined));
      const steps = bound.steps.length;
      return { imageShape, samples, failures, misfits: defined, steps, measurement, cost, seconds };
    };
    try {
      for (const [index, problem] of problems.entries()) await options.onSampled(await draw(problem, index), index);
    } finally {
      meter.dispose();
      bound.dispose();
      for (const problem of problems) disposeProblem(problem);
    }
  } finally {
    container.dispose();
  }
};
