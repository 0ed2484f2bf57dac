/** What a network says, whatever it was trained to say: noise, image or v, as x0hat and epsilon. */
import {
  type Image,
  type LevelTensors,
  type Prediction,
  type Scalar,
  type ScoreModel,
  type Tensor,
  tf,
  toVe,
} from '@tweedie/core';

export const predictionTypes = ['epsilon', 'sample', 'v_prediction'] as const;
export type PredictionType = (typeof predictionTypes)[number];

/**
 * x0hat and epsilon at a level of VE states z = x0 + sigma eps from the output o of a network that sees x = a z,
 * a = 1 / sqrt(1 + sigma^2):
 *   epsilon        x0hat = z - sigma o                 epsilon = o
 *   sample         x0hat = o                           epsilon = (z - o) / sigma
 *   v_prediction   x0hat = a^2 z - sigma a o           epsilon = a o + sigma a^2 z
 * The last is that of Salimans & Ho 2022, arXiv:2202.00512.
 */
function predictionOf(type: PredictionType, output: Image, z: Image, sigma: Tensor): Prediction {
  if (type === 'epsilon') return { x0hat: z.sub(output.mul(sigma)), epsilon: output };
  if (type === 'sample') return { x0hat: output, epsilon: z.sub(output).div(sigma) };
  const a = sigma.square().add(1).rsqrt();
  const shown = z.mul(a.square());
  return { x0hat: shown.sub(output.mul(a.mul(sigma))), epsilon: output.mul(a).add(shown.mul(sigma)) };
}

/** A network's two halves: what it predicts, and (v + 1) / 2, the fraction of the log variance, where it is learned. */
export function splitOutput(
  output: Image,
  learned: boolean,
): { readonly output: Image; readonly variance: Pick<Prediction, 'varianceFraction'> } {
  if (!learned) return { output, variance: {} };
  const [first, v] = tf.split(output, 2, 3) as [Image, Image];
  return { output: first, variance: { varianceFraction: v.add(1).div(2) } };
}

export type TableNetwork = {
  readonly type: PredictionType;
  /** The output carries a second half, the fraction of the log variance. */
  readonly learned: boolean;
  /** `x` a VP state whose level is the table's at `t`, fractional between entries. */
  readonly network: (x: Image, t: Scalar) => Image;
};

/**
 * The prediction of a network that was trained on a table of levels, in VP or VE units. Outside of the table the level
 * is clamped and the prediction goes through the score there (docs/methods.md 1.6): with r = (sigma / tableSigma)^2,
 *   x0hat = (1 - r) z + r x0hat_table,   epsilon = (sigma / tableSigma) epsilon_table.
 */
export const tablePrediction =
  ({ type, learned, network }: TableNetwork): ScoreModel['predict'] =>
  (xt: Image, level: LevelTensors) => {
    const z = toVe(xt, level);
    const { tableSigma, sigma, t } = level;
    const { output, variance } = splitOutput(network(z.mul(tableSigma.square().add(1).rsqrt()), t), learned);
    const { x0hat, epsilon } = predictionOf(type, output, z, tableSigma);
    const ratio = sigma.div(tableSigma);
    const share = ratio.square();
    return {
      x0hat: z.mul(share.neg().add(1)).add(x0hat.mul(share)),
      epsilon: epsilon.mul(ratio),
      ...variance,
    };
  };
