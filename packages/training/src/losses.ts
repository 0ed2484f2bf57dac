import {
  at,
  type Image,
  type KeyedRandom,
  noiseProcess,
  normalQuantile,
  stopGradient,
  type Tensor,
  tf,
} from '@tweedie/core';
import { type AdmUnet, admPrediction, edmDenoiser, edmWeight, type TrainedPrediction } from '@tweedie/networks';
import type { DdpmLoss, EdmLoss } from './recipe.ts';

/** One number for each image of a batch, by name. */
type Columns = { readonly [name: string]: Float32Array };
type ColumnTensors = { readonly [name: string]: Tensor };

/** A loss: at which levels a network is trained, and what is made small there. */
export interface Loss {
  /** What belongs to one level for each of `count` images; drawn, or spread evenly over their distribution. */
  levels(count: number, random?: KeyedRandom): Columns;
  /** The loss of each image, [B]; pure. `x0` and `noise` are images, `columns` what `levels` gave, [B] each. */
  of(unet: AdmUnet, x0: Image, noise: Image, columns: ColumnTensors): Tensor;
  readonly prediction: TrainedPrediction;
}

const quantiles = (count: number): Float64Array => Float64Array.from({ length: count }, (_, i) => (i + 0.5) / count);
const column = (columns: ColumnTensors, name: string): Tensor => {
  const found = columns[name];
  if (found === undefined) throw new Error(`training: there is no column ${name}.`);
  return found;
};
const perImage = (value: Tensor): Tensor => value.reshape([-1, 1, 1, 1]);
const meanOfImage = (image: Tensor): Tensor => image.mean([1, 2, 3]);

export const lossOf = (loss: EdmLoss | DdpmLoss, learnsVariance: boolean): Loss =>
  loss.kind === 'edm' ? edmLoss(loss) : ddpmLoss(loss, learnsVariance);

/** How far from the mean of ln sigma, in standard deviations, a level counts as seen in training. */
const SEEN = 3;

/**
 * E[ w(sigma) || D(x0 + sigma eps; sigma) - x0 ||^2 ] with ln sigma normal and w such that the network's own error has
 * weight one (Karras et al. 2022, arXiv:2206.00364, Equation 2 and Table 1); a mean over the entries of an image.
 */
function edmLoss({ sigma_data: sigmaData, mean, std }: EdmLoss): Loss {
  return {
    levels: (count, random) => ({
      sigma: Float32Array.from(random?.uniform('level', count) ?? quantiles(count), (u) =>
        Math.exp(mean + std * normalQuantile(u)),
      ),
    }),
    of(unet, x0, noise, columns) {
      const sigma = column(columns, 'sigma');
      const { x0hat } = edmDenoiser(unet, sigmaData)(x0.add(noise.mul(perImage(sigma))), sigma);
      return meanOfImage(x0hat.sub(x0).square()).mul(edmWeight(sigma, sigmaData));
    },
    prediction: {
      kind: 'edm',
      sigma_data: sigmaData,
      sigma_min: Math.exp(mean - SEEN * std),
      sigma_max: Math.exp(mean + SEEN * std),
    },
  };
}

/** The share of the variational bound in the hybrid loss (Nichol and Dhariwal 2021, arXiv:2102.09672, Section 3.1). */
const BOUND = 0.001;
/** Half the distance of two grey levels of 255. */
const HALF_LEVEL = 1 / 255;

/**
 * The simple loss E[ || eps - epsilon(xt, t) ||^2 ], t uniform in the table (Ho et al. 2020, arXiv:2006.11239,
 * Equation 14); a mean over the entries of an image. Where the network gives the variance too, plus 0.001 times the
 * variational bound of all T steps, estimated as T times that of step t in bits an entry, with the mean held fixed
 * (Nichol and Dhariwal 2021, Equations 4 to 7, 15 and 16): KL(q(xNext | xt, x0) || p(xNext | xt)), and for the last
 * step the negative log-likelihood of the grey level.
 */
function ddpmLoss({ noise_schedule: schedule, diffusion_steps: steps }: DdpmLoss, learnsVariance: boolean): Loss {
  const { table } = noiseProcess({ schedule, trainingSteps: steps });
  const rows = table.map(({ signal, noise, alphaBar }, t) => {
    const before = table[t - 1]?.alphaBar ?? 1;
    const beta = 1 - alphaBar / before;
    return {
      t,
      signal,
      noise,
      x0Weight: (Math.sqrt(before) * beta) / (1 - alphaBar),
      beta,
      small: (beta * (1 - before)) / (1 - alphaBar),
      xtWeight: (Math.sqrt(1 - beta) * (1 - before)) / (1 - alphaBar),
    };
  });
  const small = (t: number): number => rows[Math.max(t, 1)]?.small ?? 0;
  return {
    levels(count, random) {
      const drawn = Array.from(random?.uniform('level', count) ?? quantiles(count), (u) =>
        at(rows, Math.floor(u * steps), 'level'),
      );
      const of = (value: (row: (typeof rows)[number]) => number): Float32Array => Float32Array.from(drawn, value);
      return {
        t: of(({ t }) => t),
        signal: of(({ signal }) => signal),
        noise: of(({ noise }) => noise),
        ...(learnsVariance && {
          x0Weight: of(({ x0Weight }) => x0Weight),
          xtWeight: of(({ xtWeight }) => xtWeight),
          logUpper: of(({ beta }) => Math.log(beta)),
          logLower: of(({ t }) => Math.log(small(t))),
          last: of(({ t }) => (t === 0 ? 1 : 0)),
        }),
      };
    },
    of(unet, x0, noise, columns) {
      const each = (name: string): Tensor => perImage(column(columns, name));
      const xt = x0.mul(each('signal')).add(noise.mul(each('noise')));
      const { epsilon, varianceFraction } = admPrediction(unet(xt, column(columns, 't')), learnsVariance);
      const simple = meanOfImage(epsilon.sub(noise).square());
      if (varianceFraction === undefined) return simple;

      const x0hat = xt.sub(stopGradient(epsilon).mul(each('noise'))).div(each('signal'));
      const meanOf = (image: Image): Image => image.mul(each('x0Weight')).add(xt.mul(each('xtWeight')));
      const [upper, lower] = [each('logUpper'), each('logLower')];
      const logVariance = varianceFraction.mul(upper.sub(lower)).add(lower);
      const mean = meanOf(x0hat);
      const divergence = normalDivergence(meanOf(x0), lower, mean, logVariance);
      const surprise = greyLevelSurprise(x0, mean, logVariance);
      const last = each('last');
      const bits = meanOfImage(last.mul(surprise).add(last.mul(-1).add(1).mul(divergence))).div(Math.LN2);
      return simple.add(bits.mul(BOUND * steps));
    },
    prediction: { kind: 'ddpm', noise_schedule: schedule, diffusion_steps: steps },
  };
}

/** KL(N(m1, exp(l1)) || N(m2, exp(l2))) of every entry, in nats. */
const normalDivergence = (m1: Tensor, l1: Tensor, m2: Tensor, l2: Tensor): Tensor =>
  l2.sub(l1).sub(1).add(l1.sub(l2).exp()).add(m1.sub(m2).square().mul(l2.neg().exp())).mul(0.5);

/** -ln of what N(mean, exp(logVariance)) gives to the grey level of x0; the outermost levels reach outward. */
function greyLevelSurprise(x0: Image, mean: Tensor, logVariance: Tensor): Tensor {
  const root = logVariance.mul(-0.5).exp().mul(Math.SQRT1_2);
  const below = (edge: Tensor): Tensor => edge.sub(mean).mul(root).erf().add(1).mul(0.5);
  const upper = tf.where(x0.greater(1 - HALF_LEVEL), tf.onesLike(x0), below(x0.add(HALF_LEVEL)));
  const lower = tf.where(x0.less(HALF_LEVEL - 1), tf.zerosLike(x0), below(x0.sub(HALF_LEVEL)));
  return upper.sub(lower).maximum(1e-12).log().neg();
}
