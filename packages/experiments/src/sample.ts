import {
  at,
  bindGuidance,
  createContainer,
  disposeProblem,
  drawBatch,
  labelFor,
  makeProblem,
  openRegistry,
  rowsOf,
  sigmaOf,
  stackTrees,
  tf,
  type Cost,
  type Engine,
  type Guidance,
  type Image,
  type ImageShape,
  type NoiseLevel,
  type Operator,
  type Problem,
  type RegistryOptions,
  type SampleFailure,
  type TensorTree,
  type Scheduler,
} from '@tweedie/core';
import { createFiles } from '@tweedie/files';
import { assemble, keyOf, type AssemblyOptions, type Group, type PartsInput, type ProblemParts } from './assemble.ts';
import { givenProblem, type SampleProblem } from './plan/given-problem.ts';
import type { Progress, Watch } from './machine/progress.ts';
import { readSigma, warnOfUnits, type SigmaInput } from './recipe/noise.ts';
import { chunkFor, rangeOf } from './plan/workbench.ts';
import { misfitMeter, type MisfitMeter } from './run/misfit.ts';

export type SampleOptions = Watch &
  PartsInput & {
    /** A problem, or what makes one from the image shape. */
    readonly problem: SampleProblem | ((parts: ProblemParts) => Promise<SampleProblem>);
    /** Shape of the image, for a model that takes several; default: the model's own. */
    readonly shape?: ImageShape;
    /** Standard deviation of the noise in the units of A's output, a fraction (`25/127.5`) too; or Poisson. */
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
  readonly measurement: {
    readonly shape: readonly number[];
    readonly data: Float32Array;
    /** 1 where `data` measures something and 0 where a mask hides it; absent where everything is seen. */
    readonly seen?: Float32Array;
  };
  /** || y - A(x) || in units of the noise, one per sample; not defined without noise and for one that failed. */
  readonly misfits: readonly (number | undefined)[];
  /** Steps of the schedule. */
  readonly steps: number;
  /** Cost of one sample. */
  readonly cost: Cost;
  /** Wall clock of sampling, compilation included. */
  readonly seconds: number;
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
export type SamplesOptions = Omit<SampleOptions, 'problem' | 'shape' | 'sigmaY'> &
  AssemblyOptions & {
    /** The noise of all problems, or what says that of each. */
    readonly sigmaY: SampleOptions['sigmaY'] | ((parts: ProblemParts, index: number) => Promise<NoiseLevel>);
    /** Makes a problem; of several each is made twice, once to check it, so that not all are held at a time. */
    readonly problem: (parts: ProblemParts, index: number) => Promise<SampleProblem>;
    /** Called when all problems have been made, before the first is drawn. */
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

/** A problem to draw; `alike` as in `SampleProblem`. */
type Made = { readonly problem: Problem; readonly alike: boolean };

/** Where a measurement is not hidden, for an operator that says where its noise lands. */
export const seenOf = (operator: Operator, drawn: TensorTree): Float32Array | undefined => {
  const { shapeNoise } = operator;
  if (shapeNoise === undefined) return undefined;
  const seen = tf.tidy(() => shapeNoise(tf.ones([1, ...operator.measurementShape]), stackTrees([drawn])));
  const values = Float32Array.from(seen.dataSync());
  seen.dispose();
  return values;
};

/** The mean of the channels in each of them. */
const levelled = (x: Image): Image => tf.tidy(() => tf.mean(x, 3, true).tile([1, 1, 1, x.shape[3]]) as Image);

/** Draws one problem. */
const drawOne = async (
  { samples: count = 1, seed = 0, signal, onProgress }: SamplesOptions,
  {
    meter,
    total,
    bound,
    size,
  }: Run & { readonly bound: Awaited<ReturnType<typeof bindGuidance>>; readonly size: number },
  { model, operator }: Group,
  { problem, alike }: Made,
  before: number,
): Promise<Sampled> => {
  const { imageShape } = model;
  const samples: Float32Array[] = [];
  const failures: (SampleFailure | undefined)[] = [];
  const misfits: (number | undefined)[] = [];
  const started = performance.now();
  const callsBefore = bound.cost();
  let rows = 0;
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
      async ({ x, failures }, measured) => {
        const images = alike ? levelled(x) : x;
        try {
          const misfits = measured.sigmaY > 0 ? [...(await meter.measure(operator, images, measured))] : [];
          // The residual of one channel, in units of its own noise.
          const unit = alike ? Math.sqrt(imageShape[2]) : 1;
          return { images: rowsOf(images), failures, misfits: misfits.map((misfit) => unit * misfit) };
        } finally {
          if (alike) images.dispose();
        }
      },
    );
    samples.push(...drawn.images.slice(0, count - first));
    failures.push(...drawn.failures.slice(0, count - first));
    misfits.push(...drawn.images.slice(0, count - first).map((_, row) => drawn.misfits[row]));
    rows += size;
  }
  const calls = bound.cost();
  const seen = seenOf(operator, problem.drawn);
  return {
    imageShape,
    samples,
    failures,
    measurement: {
      shape: problem.y.shape,
      data: Float32Array.from(problem.y.dataSync()),
      ...(seen && { seen }),
    },
    misfits: misfits.map((misfit, i) => (failures[i] === undefined ? misfit : undefined)),
    steps: bound.steps.length,
    cost: {
      forwards: (calls.forwards - callsBefore.forwards) / rows,
      vjps: (calls.vjps - callsBefore.vjps) / rows,
      operatorCalls: (calls.operatorCalls - callsBefore.operatorCalls) / rows,
    },
    seconds: (performance.now() - started) / 1000,
  };
};

/** Draws posterior samples of several problems of one operator: the parts are made and compiled once for each shape. */
export const sampleEach = async (options: SamplesOptions): Promise<void> => {
  const { seed = 0, registries, localRegistries, folder = process.cwd(), sigmaY } = options;
  const fixed =
    typeof sigmaY === 'function' ? undefined : typeof sigmaY === 'object' ? sigmaY : readSigma(sigmaY, 'sample');
  const noiseOf = async (parts: ProblemParts, index: number): Promise<NoiseLevel> =>
    typeof sigmaY === 'function' ? sigmaY(parts, index) : (fixed ?? 0);
  const registry = openRegistry({ folders: [process.cwd(), folder], registries, localRegistries });
  const container = createContainer({ registry, files: createFiles(folder) });
  try {
    const { model, groups, ...parts } = await assemble(options, noiseOf, container, registry);
    if (typeof sigmaY === 'number' || typeof sigmaY === 'string') warnOfUnits([sigmaY], rangeOf(model), container.warn);
    const key = keyOf(registry, options.operator);
    const make = async ({ model, operator }: Group, { index, noise }: Group['images'][number]): Promise<Made> => {
      const given = await options.problem({ model, operator, container }, index);
      const { imageShape } = model;
      const image = given.image && { image: given.image };
      const label = labelFor(model, given.label, 'sample');
      const stated = { name: 'given', imageShape, operator, operatorKey: key, ...image, ...label };
      if ('x0' in given) {
        const problem = makeProblem({ ...stated, x0: given.x0, sigmaY: noise, seed });
        return { problem, alike: false };
      }
      const alike = given.alike === true && imageShape[2] > 1;
      const sigma = sigmaOf(noise) * (alike ? Math.sqrt(imageShape[2]) : 1);
      return { problem: givenProblem({ ...stated, y: given.y, sigmaY: sigma, where: 'sample' }), alike };
    };
    const total = groups.reduce((sum, { images }) => sum + images.length, 0);
    let kept: Made | undefined;
    const meter = misfitMeter(parts.engine);
    try {
      for (const group of groups)
        for (const image of group.images) {
          const made = await make(group, image);
          if (total === 1) kept = made;
          else disposeProblem(made.problem);
        }
      options.onReady?.();
      let done = 0;
      for (const group of groups) {
        const { operator, model } = group;
        const bound = await bindGuidance(parts.guidance, { ...parts, model, operator });
        const size = Math.min(options.samples ?? 1, chunkFor(model.imageShape));
        try {
          for (const image of group.images) {
            const made = kept ?? (await make(group, image));
            kept = undefined;
            try {
              const sampled = await drawOne(options, { ...parts, meter, total, bound, size }, group, made, done);
              await options.onSampled(sampled, image.index);
            } finally {
              disposeProblem(made.problem);
            }
            done += 1;
          }
        } finally {
          bound.dispose();
        }
      }
    } finally {
      meter.dispose();
      if (kept) disposeProblem(kept.problem);
    }
  } finally {
    container.dispose();
  }
};
