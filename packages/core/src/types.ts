/**
 * Every interface between the parts of Tweedie, on one page; how a plugin makes its part is in `plugin.ts`. Names: `xt`
 * noisy state, `x0hat` = E[x0 | xt], `epsilon` predicted and `noise` drawn noise, `y` measurement. Images are float32,
 * [batch, height, width, channels], in [-1, 1] where the model says so. Norms are per sample.
 */
import type { Scalar, Tensor, Tensor4D } from '@tensorflow/tfjs-core';
export type { Scalar, Tensor } from '@tensorflow/tfjs-core';
/** [batch, height, width, channels]. Arithmetic on an image gives an image; the other operand broadcasts against it. */
export type Image = ImageMath & Tensor4D;
interface ImageMath {
  add(b: Tensor | number): Image;
  sub(b: Tensor | number): Image;
  mul(b: Tensor | number): Image;
  div(b: Tensor | number): Image;
  neg(): Image;
  onesLike(): Image;
}
export type Measurement = Tensor;
export type ImageShape = readonly [height: number, width: number, channels: number];

/** Anything made of tensors. A number is a scalar that may change from call to call. */
export type TensorTree = Tensor | number | readonly TensorTree[] | { readonly [key: string]: TensorTree };
/** What stands for a tree inside a compiled function: numbers have become scalar tensors. */
export type Traced<T> = [TensorTree] extends [T]
  ? T
  : T extends number
    ? Scalar
    : T extends Tensor
      ? T
      : { readonly [K in keyof T]: Traced<T[K]> };
/** What may be passed for a traced tree: a number wherever there is a tensor. */
export type Feed<T> = [TensorTree] extends [T]
  ? T
  : T extends Tensor
    ? T | number
    : { readonly [K in keyof T]: Feed<T[K]> };

// ------------------------------------------------------------------------------------------------------------- engines

/** Calls counted in the graph that ran, in rows: a batch of 16 through the network counts 16 (particles included). */
export type Cost = { readonly forwards: number; readonly vjps: number; readonly operatorCalls: number };

export interface Compiled<A extends readonly unknown[], R> {
  (...args: { [K in keyof A]: Feed<A[K]> } & readonly unknown[]): Promise<R>;
  readonly cost: Cost; // sum over all calls since compilation
  /** Number of traces made so far: one per set of argument shapes. */
  readonly compilations: number;
  dispose(): void;
}

/** Plugin kind `engine`: runs pure TensorFlow.js functions. */
export interface Engine {
  readonly id: string;
  /** What ran, as results store it: library version, device, threads. */
  readonly facts: Readonly<Record<string, string | number>>;
  /** A pure function of tensors, made fast: traced once per set of argument shapes; what it captures is a constant. */
  compile<A extends readonly TensorTree[], R extends TensorTree>(fn: (...args: A) => R): Compiled<A, R>;
  dispose?(): void;
}

// --------------------------------------------------------------------------------------------- noise levels and models

/**
 * A noise level: xt = signal * x0 + noise * eps, sigma = noise / signal, alphaBar = 1 / (1 + sigma^2).
 * VP: signal = sqrt(alphaBar), noise = sqrt(1 - alphaBar). VE: signal = 1, noise = sigma.
 */
export type Level = {
  readonly sigma: number;
  readonly alphaBar: number;
  readonly signal: number;
  readonly noise: number;
  /** The index that a network trained on the process's table is shown, fractional between entries. */
  readonly t: number;
  /** The sigma that belongs to t; differs from `sigma` where t is clamped to the table (docs/methods.md 1.6). */
  readonly tableSigma: number;
};
export type LevelTensors = Traced<Level>;
export interface NoiseProcess {
  readonly kind: 'vp' | 've';
  /** From the least noise (t = 0) to the most. */
  readonly table: readonly Level[];
  /** The level of any sigma >= 0: t is interpolated in ln sigma; outside the table it is clamped (`tableSigma`). */
  levelAt(sigma: number): Level;
}

export type Prediction = {
  readonly x0hat: Image;
  readonly epsilon: Image; // of a model: xt = signal x0hat + noise epsilon
  /** Learned-range variance: log variance = f * ln(upper) + (1 - f) * ln(lower); only the schedule knows the bounds. */
  readonly varianceFraction?: Image;
};

export type Covariance =
  | { readonly kind: 'isotropic'; readonly variances: Float64Array } // [K]
  | { readonly kind: 'diagonal'; readonly variances: Float64Array } // [K, d]
  | { readonly kind: 'full'; readonly matrices: Float64Array } // [K, d, d], row-major, symmetric positive definite
  /** C_k = F_k F_k^T + variances[k] I, the r columns of each F_k at right angles; factors [K, d, r], variances [K] */
  | { readonly kind: 'low-rank'; readonly factors: Float64Array; readonly variances: Float64Array };

/** A prior in closed form, sum_k weights[k] N(means[k], C_k), over the d = H W C entries of an image (row-major). */
export interface GaussianMixture {
  readonly weights: Float64Array; // [K], positive, sum 1
  readonly means: Float32Array | Float64Array; // [K, d]
  readonly covariance: Covariance;
}

/** Plugin kind `model`: a diffusion prior. Facts are known at once (the planner reads them); `load` reads weights. */
export interface ScoreModel {
  readonly imageShape: ImageShape;
  /** Where it takes other sizes too (`modelForShape`): the model of one, in whole multiples, weights shared. */
  readonly sizes?: { readonly multipleOf: number; forShape(shape: ImageShape): ScoreModel };
  readonly process: NoiseProcess;
  readonly range?: readonly [low: number, high: number]; // of pixels: methods clamp x0hat only where it is given
  /** Without `range`: the range of the data that it was made of. Metrics and pictures use it; nothing is clamped. */
  readonly dataRange?: readonly [low: number, high: number];
  readonly predictsVariance?: boolean; // predictions carry a `varianceFraction`
  readonly classes?: Classes;
  /** The prior in closed form, where there is one; call after `load`. */
  readonly mixture?: () => GaussianMixture;
  readonly covariance?: Covariance['kind']; // of `mixture`, where that is known before `load`
  /** Reads what is large; called once, before the first `predict`. */
  load?(): Promise<void>;
  weightsHash(): string; // SHA-256 of the weights (or of what stands for them); call after `load`
  /** Pure and differentiable. `xt` in the units of `process`. */
  predict(xt: Image, level: LevelTensors, condition?: TensorTree): Prediction;
  dispose?(): void;
}
/** Of a class-conditional model: `condition` [B] are classes from 0; `needed` where no option names one. */
export type Classes = { readonly count: number; readonly needed: boolean };

// ----------------------------------------------------------------------------------------------------------- operators

/** Which image a problem is of: its name, and its place in its source, from 0. Not given where any draw will do. */
export type ImagePlace = { readonly name: string; readonly index: number };
/** A linear operator A = U diag(q) V^T with V square; `q` is zero on directions that A does not see. Batched, pure. */
export interface SpectralForm {
  /** V^T x, [B, d] */
  toSpectral(x: Image): Tensor;
  /** V c, the image of spectral coefficients c [B, d] */
  fromSpectral(c: Tensor): Image;
  /** U^T y put on the d spectral coordinates, zero where q is zero, [B, d] */
  measurementToSpectral(y: Measurement): Tensor;
  readonly singularValues: Tensor; // q >= 0, [B, d] or [1, d]
  /** V is the identity (`pixels`), the same whatever was drawn (`fixed`), or another for each draw (`drawn`). */
  readonly basis: 'pixels' | 'fixed' | 'drawn';
}

/** The denoising problem that DPS-w fits its weight on (docs/methods.md 4.4). */
export interface ReferenceTask {
  /** y brought to the image space with unit gain. */
  readonly reference: Image;
  /** 1 where `reference` carries information, 0 elsewhere; broadcasts against an image. */
  readonly mask: Tensor;
  /** Entries per observed entry of the image (1 for a full mask), [B]; the enhanced variant multiplies by it. */
  readonly entriesPerObserved: Tensor;
  readonly factor: number; // on the fitted weight: 1, or the downsampling factor for super-resolution
  /** True where || mask (reference - x) ||^2 and || y - A(x) ||^2 have one gradient: then one vjp serves both. */
  readonly sharesGradient: boolean;
}

/**
 * Plugin kind `operator`: A in y = A(x0) + sigmaY * noise. `drawn` is what was drawn for one problem (mask, kernel);
 * in the batched functions its tensors have a leading batch axis. Optional members are capabilities.
 */
export interface Operator<P extends TensorTree = TensorTree> {
  readonly linear: boolean;
  readonly identity?: boolean; // true where A = I
  readonly measurementShape: readonly number[]; // of y, without the batch axis
  /** Draws what is random in the operator: once for a problem, with which it is stored; no batch axis. */
  draw(random: KeyedRandom, image?: ImagePlace): P;
  forward(x: Image, drawn: P): Measurement;
  /** A^T; `adjointOf` gives it for every linear operator, by autodiff if need be. */
  adjoint?(v: Measurement, drawn: P): Image;
  pseudoInverse?(y: Measurement, drawn: P): Image;
  /** (A A^T + ridge I)^-1 y, ridge > 0; `solveOf` gives it for every linear operator. */
  solve?(y: Measurement, ridge: Tensor, drawn: P): Measurement;
  svd?(drawn: P): SpectralForm;
  denoisingReference?(y: Measurement, drawn: P): ReferenceTask;
  /** Where measurement noise lands; by default everywhere. A mask operator zeroes it on hidden entries. */
  shapeNoise?(noise: Measurement, drawn: P): Measurement;
}

// ---------------------------------------------------------------------------------------------------------- schedulers

export type Coefficients = { readonly [name: string]: number };
/** One move from `level` to `next`, every coefficient in float64. Passed to compiled functions as it is. */
export type Step<C extends Coefficients = Coefficients> = {
  /** Position in the schedule; counts down, the last step is 0. */
  readonly index: number;
  readonly level: Level;
  readonly next: Level;
  /** c_t: what one unit of score adds to the mean of the step (DDPM: beta / sqrt(alpha)). */
  readonly scoreWeight: number;
  /** The scheduler's own coefficients. */
  readonly coefficients: C;
};
export type StepTensors<C extends Coefficients = Coefficients> = Traced<Step<C>>;
/** The distribution of xNext; `std` broadcasts, `predictedStd` is given where it differs: a last step adds no noise. */
export type Transition = { readonly mean: Image; readonly std: Tensor; readonly predictedStd?: Tensor };
export type Denoise = (x: Image, level: LevelTensors) => Prediction;

/** Plugin kind `scheduler`. */
export interface Scheduler<C extends Coefficients = Coefficients> {
  /** True where `transition` reads `varianceFraction`: only models that predict their variance will do. */
  readonly usesVariance?: boolean;
  levels(process: NoiseProcess): readonly Step<C>[];
  /** Pure: the distribution of xNext given xt and a prediction, whose x0hat may be guided or clamped. */
  transition(xt: Image, prediction: Prediction, step: StepTensors<C>): Transition;
  /** A whole step that calls the model twice (Heun): at `xt`, then at `step.next`; `compileSteps` does the last one. */
  advance?(denoise: Denoise, xt: Image, prediction: Prediction, step: StepTensors<C>, noise: Image): Image;
}

// ------------------------------------------------------------------------------------------------------------ guidance

type Given = { readonly y: Measurement; readonly drawn: TensorTree; readonly condition?: Tensor };
/** A batch of problems of one operator and noise level, [B, ...] each; rows may differ in image, mask and class. */
export type Measured = Given & { readonly sigmaY: number };
export type MeasuredTensors = Given & { readonly sigmaY: Scalar };

export interface Setting {
  readonly engine: Engine;
  readonly model: ScoreModel;
  readonly operator: Operator;
  readonly scheduler: Scheduler;
}

/** Plugin kind `guidance`. */
export interface Guidance<S extends TensorTree = Image> {
  /** Why this method cannot work with these parts at this noise, or undefined. Asked before weights are read. */
  refuses?(parts: Omit<Setting, 'engine'>, sigmaY: number): string | undefined;
  /** Rows through the network for one sample over the whole run; default: the manifest's cost of each step. */
  cost?(parts: Omit<Setting, 'engine'>, steps: readonly Step[], sigmaY: number): Omit<Cost, 'operatorCalls'>;
  /** The method's own grid of levels, whatever the scheduler; default: the scheduler's. */
  levels?(process: NoiseProcess): readonly Step[];
  /** SHA-256 of what it reads beside its options, if anything: samples are kept by it. */
  contentHash?(): string;
  /** Compiles what the method needs, for all problems of a setting; once more before a run, to see that it works. */
  bind(setting: Setting): Sampler<S> | Promise<Sampler<S>>;
}

/** A bound method: state in, state out. Every function may be called for any batch of problems of its setting. */
export interface Sampler<S extends TensorTree = Image> {
  /** The state before the step `first`; default: pure noise of its level. */
  start?(problem: Measured, first: Step, random: StepRandom): Promise<S>;
  step(state: S, step: Step, problem: Measured, random: StepRandom): Promise<Stepped<S>>;
  /** The image that the last state stands for; default: the state itself. */
  result?(state: S, problem: Measured): Image | Promise<Image>;
  dispose?(): void;
}

/** What a step hands back; `scalars` are [B] each. The loop owns and disposes all of it. */
export type Stepped<S> = {
  readonly state: S;
  readonly x0hat?: Image;
  readonly scalars?: { readonly [name: string]: Tensor };
};

// ------------------------------------------------------------------------------------------------------ random numbers

/** Random numbers of one stream, by purpose (drawing an operator, measurement noise): same key, same numbers. */
export interface KeyedRandom {
  normal(purpose: string, count: number): Float32Array;
  /** In (0, 1). */
  uniform(purpose: string, count: number): Float64Array;
  /** A random order of 0..count-1. */
  permutation(purpose: string, count: number): Int32Array;
}

/** The stream of one sample of one problem. Nothing about the method, the batch or the order of work is in it. */
export type SampleKey = { readonly seed: number; readonly problem: string; readonly sample: number };
/** The numbers of one step of a batch, [B, ...]: row b belongs to sample b, whatever its neighbours. */
export interface StepRandom {
  /** Whose numbers they are; for samples that another program has made. Not given where any draw will do. */
  readonly keys?: readonly SampleKey[];
  /** Standard normal numbers. `donated`: numbers of this shape, no longer needed, whose memory is taken. */
  normal(purpose: string, shape: Image['shape'], donated?: Tensor): Image;
  normal(purpose: string, shape: readonly number[], donated?: Tensor): Tensor;
  /** Numbers in (0, 1). */
  uniform(purpose: string, shape: readonly number[]): Tensor;
}

// -------------------------------------------------------------------------------------------------- metrics, data sets

/** Plugin kind `metric`: one number per sample. */
export interface Metric {
  readonly better: 'higher' | 'lower';
  readonly unit?: string;
  /** What it took as full scale and whether it clips, in words that follow its name; told below a table. */
  readonly scale?: string;
  compare(x: Image, reference: Image): Promise<readonly number[]>;
}

/** Plugin kind `dataset`: images in a fixed order, in [-1, 1]. */
export interface Dataset {
  readonly imageShape: ImageShape; // of the first one where they differ, which `shapeOf` tells
  shapeOf?(index: number): ImageShape;
  readonly size: number;
  /** A row-major H, W, C image, a name that stays the same from run to run, and its class, where all have one. */
  item(index: number): Promise<{ readonly name: string; readonly x0: Float32Array; readonly label?: number }>;
}
