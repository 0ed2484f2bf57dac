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
  modelForShape,
  openRegistry,
  resolveOptions,
  rowsOf,
  showShape,
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
import type { ShapeFinder } from './plan/given-picture.ts';
import { givenProblem, type SampleProblem } from './plan/given-problem.ts';
import type { Progress, Watch } from './machine/progress.ts';
import type { ReferenceInput } from './recipe/recipe.ts';
import { readSigma, warnOfUnits, type SigmaInput } from './recipe/noise.ts';
import { chunkFor, rangeOf } from './plan/workbench.ts';
import { misfitMeter, type MisfitMeter } from './run/misfit.ts';

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
  /** Shape of the image, for a model that takes several; default: the model's own. */
  readonly shape?: ImageShape;
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

/** Throws ConfigError where the method cannot work with the other parts. */
const refuseConflict = (options: SamplesOptions, registry: Registry, parts: Parameters<typeof conflict>[0]): void => {
  const idOf = (kind: Kind, part: ReferenceInput | object) =>
    isReference(part) ? registry.find(kind, asReference(part).id) : undefined;
  const reason = conflict(parts, {
    model: idOf('model', options.model),
    operator: idOf('operator', options.operator),
    guidance: idOf('guidance', options.method),
  });
  if (reason !== undefined)
    throw new ConfigError('sample', `the method cannot work here: ${reason}.`, 'Choose another method or operator.');
};

/** Model and operator for the images of one shape, and which images they are. */
type Group = { readonly model: ScoreModel; readonly operator: Operator; readonly indices: readonly number[] };

/** Makes every part and checks it against the others. */
const assemble = async (options: SamplesOptions, noise: NoiseLevel, container: Container, registry: Registry) => {
  const model = await make(container, 'model', options.model);
  await options.check?.({ model, container });
  const operators = new Map<string, Operator>();
  const operatorFor = async (imageShape: ImageShape): Promise<Operator> => {
    const key = showShape(imageShape);
    const operator = operators.get(key) ?? (await make(container, 'operator', options.operator, { imageShape }));
    operators.set(key, operator);
    return operator;
  };
  const shapes = await options.shapes({ model, container, operatorFor });
  const groups: Group[] = [];
  for (const key of new Set(shapes.map(showShape))) {
    const indices = shapes.flatMap((shape, index) => (showShape(shape) === key ? [index] : []));
    const shape = at(shapes, at(indices, 0, 'image of a shape'), 'shape');
    groups.push({ model: modelForShape(model, shape), operator: await operatorFor(shape), indices });
  }
  const guidance = await make(container, 'guidance', options.method);
  const scheduler = await make(container, 'scheduler', options.scheduler ?? 'ddpm');
  for (const { model, operator } of groups)
    refuseConflict(options, registry, { model, operator, scheduler, guidance, noise });
  const engine = await make(container, 'engine', options.engine ?? 'onnxruntime');
  await model.load?.();
  return { model, groups, guidance, scheduler, engine };
};

/** Draws posterior samples of one problem. Every part may be a registered plugin or an object of your own. */
export const sample = async ({ problem, shape, ...options }: SampleOptions): Promise<Sampled> => {
  const all: Sampled[] = [];
  await sampleEach({
    ...options,
    shapes: async ({ model }) => [shape ?? model.imageShape],
    problem: async (parts) => (typeof problem === 'function' ? problem(parts) : problem),
    onSampled: (sampled) => void all.push(sampled),
  });
  return at(all, 0, 'problem');
};

/** The parts of `sample` for several problems: all of them are made before the first is drawn. */
export type SamplesOptions = Omit<SampleOptions, 'problem' | 'shape'> & {
  /** Asked when the model is made, before its weights and the operator are read. */
  readonly check?: (parts: Omit<ProblemParts, 'operator'>) => Promise<void>;
  /** The shape of each image. Those of one shape share what is made and compiled. */
  readonly shapes: (parts: ShapeFinder) => Promise<readonly ImageShape[]>;
  readonly problem: (parts: ProblemParts, index: number) => Promise<SampleProblem>;
  /** Called when all problems are made, before the first is drawn. */
  readonly onReady?: () => void;
  /** Gets what was drawn of one problem, as soon as it is. */
  readonly onSampled: (sampled: Sampled, index: number) => void | Promise<void>;
};

/** What does not change from group to group. */
type Run = {
  readonly guidance: Guidance<TensorTree>;
  readonly scheduler: Scheduler;
  readonly engine: Engine;
  readonly meter: MisfitMeter;
  /** Problems of all groups. */
  readonly total: number;
};

/** Draws the problems of one group, one after the other. `done` have been drawn before. */
const drawGroup = async (
  { samples: count = 1, seed = 0, signal, onProgress, onSampled }: SamplesOptions,
  { guidance, scheduler, engine, meter, total }: Run,
  { model, operator, indices }: Group,
  problems: readonly Problem[],
  done: number,
): Promise<void> => {
  const { imageShape } = model;
  const size = Math.min(count, chunkFor(imageShape));
  const bound = await bindGuidance(guidance, { engine, model, operator, scheduler });
  let rows = 0;
  const draw = async (problem: Problem, before: number): Promise<Sampled> => {
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
          onStep: (step) =>
            onProgress?.({
              phase: 'sampling',
              done: before * count + first + (size * step.done) / step.total,
              total: total * count,
              label: `step ${step.done} of ${step.total}`,
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
    const calls = bound.cost();
    const measurement = { shape: problem.y.shape, data: Float32Array.from(problem.y.dataSync()) };
    const cost = {
      forwards: calls.forwards / rows,
      vjps: calls.vjps / rows,
      operatorCalls: calls.operatorCalls / rows,
    };
    const seconds = (performance.now() - started) / 1000;
    const defined = misfits.map((misfit, i) => (failures[i] === undefined ? misfit : undefined));
    const steps = bound.steps.length;
    return { imageShape, samples, failures, misfits: defined, steps, measurement, cost, seconds };
  };
  try {
    for (const [place, problem] of problems.entries())
      await onSampled(await draw(problem, done + place), at(indices, place, 'problem of a group'));
  } finally {
    bound.dispose();
  }
};

/** Draws posterior samples of several problems of one operator: the parts are made and compiled once for each shape. */
export const sampleEach = async (options: SamplesOptions): Promise<void> => {
  const { seed = 0, registries, localRegistries, folder = process.cwd() } = options;
  const sigmaY = typeof options.sigmaY === 'object' ? options.sigmaY : readSigma(options.sigmaY, 'sample');
  const registry = openRegistry({ folders: [process.cwd(), folder], registries, localRegistries });
  const container = createContainer({ registry, files: createFiles(folder) });
  try {
    const { model, groups, ...parts } = await assemble(options, sigmaY, container, registry);
    if (typeof options.sigmaY !== 'object') warnOfUnits([options.sigmaY], rangeOf(model), container.warn);
    const key = keyOf(registry, options.operator);
    const problemFor = async ({ model, operator }: Group, index: number): Promise<Problem> => {
      const given = await options.problem({ model, operator, container }, index);
      const { imageShape } = model;
      const stated = {
        name: 'given',
        imageShape,
        operator,
        operatorKey: key,
        ...(given.image && { image: given.image }),
      };
      return 'x0' in given
        ? makeProblem({ ...stated, x0: given.x0, sigmaY, seed })
        : givenProblem({ ...stated, y: given.y, sigmaY: sigmaOf(sigmaY), where: 'sample' });
    };
    const made: { readonly group: Group; readonly problems: Problem[] }[] = [];
    const meter = misfitMeter(parts.engine);
    try {
      for (const group of groups) {
        const problems: Problem[] = [];
        made.push({ group, problems });
        for (const index of group.indices) problems.push(await problemFor(group, index));
      }
      options.onReady?.();
      const total = made.reduce((sum, { problems }) => sum + problems.length, 0);
      let done = 0;
      for (const { group, problems } of made) {
        await drawGroup(options, { ...parts, meter, total }, group, problems, done);
        done += problems.length;
      }
    } finally {
      meter.dispose();
      for (const { problems } of made) problems.forEach(disposeProblem);
    }
  } finally {
    container.dispose();
  }
};
