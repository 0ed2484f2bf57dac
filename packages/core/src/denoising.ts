import { fromVe, toVe } from './conversions.ts';
import type { Image, Level, LevelTensors, NoiseProcess, Scalar, Tensor } from './types.ts';

/**
 * The exact posterior of denoising, A = I (arXiv:2506.13614, Proposition 4.1; docs/methods.md 3.1, 3.2): a noisy state
 * and a noisy measurement are together one, less noisy, state
 *   1/sigma*^2 = 1/sigma^2 + 1/sigmaY^2,   x* = (sigmaY^2 z + sigma^2 y) / (sigma^2 + sigmaY^2),   z = xt / signal,
 * so that E[x0 | xt, y] = D(x*, sigma*).
 */
export function combinedLevel(process: NoiseProcess, level: Level, sigmaY: number): Level {
  const total = level.sigma ** 2 + sigmaY ** 2;
  return process.levelAt(total === 0 ? 0 : (level.sigma * sigmaY) / Math.sqrt(total));
}

/** x* in the units of the process at the combined level: what the network is shown. */
export function combinedState(
  xt: Image,
  y: Tensor,
  level: LevelTensors,
  combined: LevelTensors,
  sigmaY: Scalar,
): Image {
  const varianceY = sigmaY.square();
  const variance = level.sigma.square();
  const state = toVe(xt, level).mul(varianceY).add(y.mul(variance)).div(variance.add(varianceY));
  return fromVe(state, combined);
}

/**
 * Equation 8 as a VE score of p(z | y), from the network's epsilon at the combined level:
 *   (sigma*^2 / sigma^2) s(x*, sigma*) + (y - z) / (sigma^2 + sigmaY^2),   s = -epsilon / sigma*.
 * Divide by `signal` for the score in the units of xt (Equation 38).
 */
export function posteriorScore(
  xt: Image,
  y: Tensor,
  epsilon: Image,
  level: LevelTensors,
  combined: LevelTensors,
  sigmaY: Scalar,
): Image {
  const variance = level.sigma.square();
  const prior = epsilon.mul(combined.sigma.div(variance).neg());
  return prior.add(y.sub(toVe(xt, level)).div(variance.add(sigmaY.square())));
}
