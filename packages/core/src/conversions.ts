import type { Image, ImageShape, LevelTensors, NoiseProcess, Prediction, Scalar, ScoreModel } from './types.ts';

/**
 * One prediction, four ways to write it (docs/methods.md 1.5, 2.1), for any process with xt = signal x0 + noise eps:
 *   x0hat = (xt - noise epsilon) / signal        epsilon = (xt - signal x0hat) / noise        score = -epsilon / noise
 * The VE state that belongs to xt is xt / signal, at level sigma = noise / signal; its score is signal times the score
 * of xt.
 */
export const predictionFromEpsilon = (xt: Image, epsilon: Image, level: LevelTensors): Prediction => ({
  x0hat: xt.sub(epsilon.mul(level.noise)).div(level.signal),
  epsilon,
});

export const epsilonFromX0 = (xt: Image, x0hat: Image, level: LevelTensors): Image =>
  xt.sub(x0hat.mul(level.signal)).div(level.noise);

export const predictionFromX0 = (xt: Image, x0hat: Image, level: LevelTensors): Prediction => ({
  x0hat,
  epsilon: epsilonFromX0(xt, x0hat, level),
});

/** A prediction with `fn` applied to each of its images. */
export const mapPrediction = (
  { x0hat, epsilon, varianceFraction }: Prediction,
  fn: (image: Image) => Image,
): Prediction => ({
  x0hat: fn(x0hat),
  epsilon: fn(epsilon),
  ...(varianceFraction && { varianceFraction: fn(varianceFraction) }),
});

/** grad log p_t(xt), in the units of xt. */
export const scoreFromEpsilon = (epsilon: Image, level: LevelTensors): Image => epsilon.neg().div(level.noise);

/** Tweedie's formula: x0hat = (xt + noise^2 score) / signal. */
export const predictionFromScore = (xt: Image, score: Image, level: LevelTensors): Prediction => ({
  x0hat: xt.add(score.mul(level.noise.square())).div(level.signal),
  epsilon: score.mul(level.noise).neg(),
});

/** The VE state (signal 1, noise sigma) that belongs to a state of any process, and back. */
export const toVe = (xt: Image, level: LevelTensors): Image => xt.div(level.signal);
export const fromVe = (state: Image, level: LevelTensors): Image => state.mul(level.signal);

/** A network trained to predict eps from VP states and a table index t. */
export interface EpsilonNetwork {
  readonly imageShape: ImageShape;
  readonly process: NoiseProcess;
  readonly range?: readonly [low: number, high: number];
  readonly weightsHash: () => string;
  /** `x` a VP state whose level is the table's at `t` (fractional between entries). */
  readonly network: (x: Image, t: Scalar) => { readonly epsilon: Image; readonly varianceFraction?: Image };
}

/**
 * A model from an epsilon network, at any noise level and in VP or VE units (docs/methods.md 1.6): the network sees the
 * VP state of the level used (`tableSigma`, `t`); outside the table that level is clamped and the prediction goes
 * through the score there,
 *   x0hat = z - sigma^2 epsilon / tableSigma,   z = xt / signal,
 * which inside the table is the usual z - sigma epsilon.
 */
export function fromEpsilonNetwork({ network, ...facts }: EpsilonNetwork): ScoreModel {
  return {
    ...facts,
    predict(xt, level) {
      const z = toVe(xt, level);
      const input = z.div(level.tableSigma.square().add(1).sqrt());
      const { epsilon, ...variance } = network(input, level.t);
      const scaled = epsilon.mul(level.sigma.div(level.tableSigma));
      return { x0hat: z.sub(scaled.mul(level.sigma)), epsilon: scaled, ...variance };
    },
  };
}
