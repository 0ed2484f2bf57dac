/** The small world of test/fixtures/methods/core.json, in which every golden step happens: prior, operators, problems, states, times. */
import {
  bindGuidance,
  type BoundGuidance,
  type Engine,
  fromEpsilonNetwork,
  type Guidance,
  type Image,
  type Measured,
  mixtureModel,
  noiseProcess,
  type Operator,
  predictionFromX0,
  type Scalar,
  type Scheduler,
  type ScoreModel,
  type Step,
  type StepRandom,
  type Tensor,
  type TensorTree,
  tf,
} from '@tweedie/core';
import { testContext } from './context.ts';
import { fixtureImage, readFixtureJson, readFixtureTensors } from './fixtures.ts';

type OperatorFacts = { kind: string; measurementShape: [number, number, number]; mask?: string; matrix?: string; factor?: number };
type Time = { schedule: string; index: number; t: number };
type Core = {
  tensors: string;
  shape: [number, number, number];
  prior: { means: string; standardDeviations: number[]; weights: number[] };
  network: { fraction: number };
  xStar: string;
  operators: Record<string, OperatorFacts>;
  problems: Record<string, { operator: string; sigmaY: number; y: string }>;
  times: Record<string, Time>;
};

export const methodCore = (): Core => readFixtureJson<Core>('methods', 'core.json');

/** `full1000`, `respaced100`, `ddim100` as the `steps` of a scheduler. */
export function stepsOfSchedule(schedule: string): number | string {
  const [, form, count] = /^(full|respaced|ddim)(\d+)$/.exec(schedule) ?? [];
  if (form === undefined) throw new Error(`unknown schedule '${schedule}' in the fixtures.`);
  return form === 'ddim' ? schedule : Number(count);
}

export function methodWorld() {
  const core = methodCore();
  const tensors = readFixtureTensors('methods', core.tensors);
  const [channels, height, width] = core.shape;
  const d = channels * height * width;
  const imageShape = [height, width, channels] as const;
  const image = (name: string): Image => {
    const entry = tensors.get(name);
    if (entry === undefined) throw new Error(`core.safetensors has no tensor ${name}`);
    return fixtureImage(entry);
  };
  const dense = (name: string): Float32Array => Float32Array.from(tensors.get(name)?.data ?? [], Number);

  const process = noiseProcess();
  const means = tensors.get(core.prior.means);
  const meansHwc = tf.tidy(() => tf.transpose(tf.tensor4d(Float32Array.from(means?.data ?? [], Number), [core.prior.weights.length, ...core.shape]), [0, 2, 3, 1]).dataSync() as Float32Array);
  const mixture = mixtureModel({
    imageShape,
    process,
    mixture: () => ({
      weights: Float64Array.from(core.prior.weights),
      means: meansHwc,
      covariance: { kind: 'isotropic', variances: Float64Array.from(core.prior.standardDeviations, (s) => s * s) },
    }),
  });

  /** With the learned-range fraction of the fixtures and, by default, the pixel range. `table`: as a network that knows only the table's levels. */
  async function model({ clip = true, table = false } = {}): Promise<ScoreModel> {
    await mixture.load?.();
    const facts = { ...mixture, ...(clip && { range: [-1, 1] as const }), predictsVariance: true };
    const fraction = (x: Image): Image => tf.fill(x.shape, core.network.fraction);
    if (!table) return { ...facts, predict: (xt, level) => ({ ...mixture.predict(xt, level), varianceFraction: fraction(xt) }) };
    const logs = process.table.map(({ sigma }) => Math.log(sigma));
    const network = (x: Image, t: Scalar) => {
      const below = t.floor();
      const at = (index: Tensor) => tf.gather(tf.tensor1d(logs), index.cast('int32').clipByValue(0, logs.length - 1).cast('int32'));
      const sigma: Scalar = tf.exp(at(below).mul(tf.sub(1, t.sub(below))).add(at(below.add(1)).mul(t.sub(below)))).reshape<Scalar>([]);
      const alphaBar = tf.reciprocal(sigma.square().add(1)) as Scalar;
      const level = { sigma, alphaBar, signal: alphaBar.sqrt<Scalar>(), noise: sigma.mul<Scalar>(alphaBar.sqrt()), t, tableSigma: sigma };
      return { epsilon: predictionFromX0(x, mixture.predict(x, level).x0hat, level).epsilon, varianceFraction: fraction(x) };
    };
    return { ...fromEpsilonNetwork({ ...facts, network }), predictsVariance: true };
  }

  /** Masks as they are, everything else as the dense matrix that is stored. */
  function operator(name: string, variant = ''): Operator {
    const facts = core.operators[name];
    if (facts === undefined) throw new Error(`core.json has no operator ${name}`);
    const [c, h, w] = facts.measurementShape;
    const full = { entriesPerObserved: tf.tensor1d([1]), factor: 1, sharesGradient: false, mask: tf.scalar(1) };
    const common = { linear: true, measurementShape: [h, w, c], draw: () => ({}) };
    if (facts.kind === 'identity') {
      return { ...common, identity: true, forward: (x) => x.clone(), denoisingReference: (y: Image) => ({ ...full, reference: y, sharesGradient: true }) };
    }
    if (facts.kind === 'mask') {
      const mask = image(facts.mask ?? '');
      const observed = mask.sum().dataSync()[0] ?? 1;
      return {
        ...common,
        forward: (x) => x.mul(mask),
        denoisingReference: (y: Image) => ({ ...full, reference: y, mask, entriesPerObserved: tf.tensor1d([mask.size / observed]), sharesGradient: true }),
        svd: () => ({
          pixels: true,
          singularValues: mask.mul(tf.onesLike(image(core.prior.means).slice([0, 0, 0, 0], [1, -1, -1, -1]))).reshape([1, d]),
          toSpectral: (x) => x.reshape([x.shape[0], d]),
          fromSpectral: (c) => c.reshape([c.shape[0] ?? 1, ...imageShape]),
          measurementToSpectral: (y) => y.mul(mask).reshape([y.shape[0] ?? 1, d]),
        }),
      };
    }
    const matrix = tf.tensor2d(dense(facts.matrix ?? ''), [c * h * w, d]);
    const factor = facts.factor ?? 1;
    /** y brought to the image's size with unit gain: as it is, by nearest neighbours, or factor^2 A^T y. */
    const lifted = (y: Image): Image => {
      if (variant === 'adjoint-gain') {
        const rows = tf.transpose(y, [0, 3, 1, 2]).reshape([-1, c * h * w]).matMul(matrix).mul(factor ** 2);
        return rows.reshape([-1, channels, height, width]).transpose([0, 2, 3, 1]);
      }
      return factor === 1 ? y : tf.image.resizeNearestNeighbor(y, [height, width]);
    };
    return {
      ...common,
      forward: (x) => tf.transpose(x, [0, 3, 1, 2]).reshape([x.shape[0], d]).matMul(matrix, false, true).reshape([x.shape[0], c, h, w]).transpose([0, 2, 3, 1]),
      denoisingReference: (y: Image) => ({ ...full, reference: lifted(y), factor }),
    };
  }

  function problem(name: string): Measured & { operator: string } {
    const facts = core.problems[name];
    if (facts === undefined) throw new Error(`core.json has no problem ${name}`);
    return { y: image(facts.y), sigmaY: facts.sigmaY, drawn: {}, operator: facts.operator };
  }

  const context = testContext();
  const schedulers = new Map<string, Promise<Scheduler>>();
  const scheduler = (id: string, options: Record<string, unknown>): Promise<Scheduler> => {
    const key = JSON.stringify([id, options]);
    const known = schedulers.get(key) ?? context.plugin('scheduler', { id, options });
    schedulers.set(key, known);
    return known;
  };

  return {
    core,
    model,
    operator,
    problem,
    scheduler,
    context,
    engine: (): Promise<Engine> => context.plugin('engine', { id: 'onnxruntime' }),
    imageShape,
    /** The truth of the problems, [H, W, C]. */
    xStar: (): Tensor => tf.squeeze(image(core.xStar), [0]),
    /** State, noise of a step and second noise at a time of core.json. */
    state: (time: string) => {
      const { t } = core.times[time] ?? { t: -1 };
      return { t, xt: image(`state/t${t}/xt`), noise: image(`state/t${t}/noise`), noise2: image(`state/t${t}/noise2`) };
    },
    stepAt: (steps: readonly Step[], time: string): Step => {
      const step = steps.find(({ index }) => index === core.times[time]?.index);
      if (step === undefined) throw new Error(`the schedule has no step for ${time}`);
      return step;
    },
  };
}

/** The stored noises in place of random numbers: `step` for the reverse step, anything else the second draw. */
export const storedRandom = (noise: Image, noise2: Image): StepRandom => ({
  normal: (purpose: string) => (purpose === 'step' ? noise : noise2),
  uniform: () => {
    throw new Error('no uniform numbers are stored.');
  },
});

/** Binds once per key: golden steps of one variant share a compilation. */
export function bindings(engine: Engine) {
  const bound = new Map<string, Promise<BoundGuidance>>();
  return (key: string, make: () => Promise<{ guidance: Guidance<TensorTree>; model: ScoreModel; operator: Operator; scheduler: Scheduler }>) => {
    const known = bound.get(key) ?? make().then(({ guidance, ...setting }) => bindGuidance(guidance, { engine, ...setting }));
    bound.set(key, known);
    return known;
  };
}

/** The largest absolute difference between a computed image and a stored [C, H, W] tensor. */
export function largestDifference(x: TensorTree, file: string, name: string): number {
  if (!(x instanceof tf.Tensor)) throw new Error('the state is no image: take the image from it.');
  const entry = readFixtureTensors('methods', file).get(name);
  if (entry === undefined) throw new Error(`${file} has no tensor ${name}`);
  return tf.tidy(() => {
    const [c = 1, h = 1, w = 1] = entry.shape;
    const got = tf.transpose(x, [0, 3, 1, 2]).dataSync();
    return Array.from({ length: c * h * w }, (_, i) => Math.abs((got[i] ?? NaN) - Number(entry.data[i]))).reduce((a, b) => (Number.isNaN(b) ? Infinity : Math.max(a, b)), 0);
  });
}
