import {
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
  type Registry,
  type SampleFailure,
  type TensorTree,
  type Scheduler,
  type ScoreModel,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';
import { givenProblem } from './plan/given-problem.ts';
import type { Progress, Watch } from './machine/progress.ts';
import type { ReferenceInput } from './recipe/recipe.ts';
import { readSigma, warnOfUnits, type SigmaInput } from './recipe/noise.ts';
import { chunkFor, rangeOf } from './plan/workbench.ts';

/**
 * The clean image, to be measured first; or a measurement. Row-major; `x0` is an image, `y` has the operator's
 * measurement shape.
 */
export type SampleProblem = { readonly x0: Float32Array } | { readonly y: Float32Array };

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
  readonly problem:
    | SampleProblem
    | ((parts: {
        readonly model: ScoreModel;
        readonly operator: Operator;
        readonly container: Container;
      }) => Promise<SampleProblem>);
  /** Standard deviation of the measurement noise in the units of A's output, a fraction (`25/255`) too; or Poisson. */
  readonly sigmaY: SigmaInput | NoiseLevel;
  /** Number of posterior samples; default 1. */
  readonly samples?: number;
  readonly seed?: number;
  readonly registries?: readonly string[];
  /** The folder in which relative paths in options start; default the working folder. */
  readonly folder?: string;
};

export type Sampled = {
  readonly imageShape: ImageShape;
  /** One image per sample, row-major H, W, C; one that failed is what it ended as. */
  readonly samples: readonly Float32Array[];
  readonly failures: readonly (SampleFailure | undefined)[];
  readonly measurement: { readonly shape: readonly number[]; readonly data: Float32Array };
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
const assemble = async (options: SampleOptions, noise: NoiseLevel, container: Container, registry: Registry) => {
  const model = await make(container, 'model', options.model);
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
export const sample = async (options: SampleOptions): Promise<Sampled> => {
  const { samples: count = 1, seed = 0, registries = [], folder = process.cwd(), signal, onProgress } = options;
  const sigmaY = typeof options.sigmaY === 'object' ? options.sigmaY : readSigma(options.sigmaY, 'sample');
  const registry = openRegistry({ folders: [process.cwd(), folder], files: registries });
  const container = createContainer({ registry, files: createFiles(folder) });
  try {
    const { model, operator, guidance, scheduler, engine } = await assemble(options, sigmaY, container, registry);
    if (typeof options.sigmaY !== 'object') warnOfUnits([options.sigmaY], rangeOf(model), container.warn);
    const { imageShape } = model;
    const given =
      typeof options.problem === 'function' ? await options.problem({ model, operator, container }) : options.problem;
    const key = keyOf(registry, options.operator);
    const problem =
      'x0' in given
        ? makeProblem({ name: 'given', x0: given.x0, imageShape, operator, operatorKey: key, sigmaY, seed })
        : givenProblem({
            name: 'given',
            y: given.y,
            imageShape,
            operator,
            operatorKey: key,
            sigmaY: sigmaOf(sigmaY),
            where: 'sample',
          });
    const size = Math.min(count, chunkFor(imageShape));
    const problems = Array.from({ length: size }, () => problem);
    const bound = await bindGuidance(guidance, { engine, model, operator, scheduler });
    const samples: Float32Array[] = [];
    const failures: (SampleFailure | undefined)[] = [];
    const started = performance.now();
    let rows = 0;
    try {
      while (samples.length < count) {
        const first = samples.length;
        const drawn = await drawBatch(
          {
            bound,
            imageShape,
            problems,
            samples: problems.map((_, row) => Math.min(first + row, count - 1)),
            seed,
            ...(signal && { signal }),
            onStep: ({ done, total }) =>
              onProgress?.({
                phase: 'sampling',
                done: first + (size * done) / total,
                total: count,
                label: `step ${done} of ${total}`,
              } satisfies Progress),
          },
          ({ x, failures }) => ({ images: rowsOf(x), failures }),
        );
        samples.push(...drawn.images.slice(0, count - first));
        failures.push(...drawn.failures.slice(0, count - first));
        rows += size;
      }
      const total = bound.cost();
      const measurement = { shape: problem.y.shape, data: Float32Array.from(problem.y.dataSync()) };
      const cost = {
        forwards: total.forwards / rows,
        vjps: total.vjps / rows,
        operatorCalls: total.operatorCalls / rows,
      };
      return { imageShape, samples, failures, measurement, cost, seconds: (performance.now() - started) / 1000 };
    } finally {
      bound.dispose();
      disposeProblem(problem);
    }
  } finally {
    container.dispose();
  }
};
