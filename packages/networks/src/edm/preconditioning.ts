/** The denoisers around a network F of NVlabs/edm: D(x; sigma) = c_skip x + c_out F(c_in x, c_noise). */
import { type Image, type Prediction, type Tensor, tf } from '@tweedie/core';
import { edmDenoiser } from '../edm-denoiser.ts';

/** The four of Karras et al. 2022, arXiv:2206.00364, Table 1, with the numbers that they were trained with. */
export type Preconditioning =
  | { readonly kind: 'edm'; readonly sigmaData: number }
  | { readonly kind: 'vp'; readonly betaD: number; readonly betaMin: number; readonly steps: number }
  | { readonly kind: 've' }
  | { readonly kind: 'iddpm'; readonly steps: number; readonly c1: number; readonly c2: number };
export type PreconditioningKind = Preconditioning['kind'];

/** The numbers of the released classes. */
export const usualPreconditioning: { readonly [K in PreconditioningKind]: Extract<Preconditioning, { kind: K }> } = {
  edm: { kind: 'edm', sigmaData: 0.5 },
  vp: { kind: 'vp', betaD: 19.9, betaMin: 0.1, steps: 1000 },
  ve: { kind: 've' },
  iddpm: { kind: 'iddpm', steps: 1000, c1: 0.001, c2: 0.008 },
};

/** The number that a network of VPPrecond is shown: (M - 1) u, u the continuous time whose noise level is sigma. */
const vpTime = (sigma: Tensor, { betaD, betaMin, steps }: Extract<Preconditioning, { kind: 'vp' }>): Tensor =>
  sigma
    .square()
    .add(1)
    .log()
    .mul(2 * betaD)
    .add(betaMin ** 2)
    .sqrt()
    .sub(betaMin)
    .mul((steps - 1) / betaD);

/** The levels u_0 > ... > u_M = 0 of iDDPMPrecond, in float64. */
export function iddpmLevels({ steps, c1, c2 }: Extract<Preconditioning, { kind: 'iddpm' }>): Float64Array {
  const a = (j: number): number => Math.sin((Math.PI / 2) * (j / (steps * (1 + c2)))) ** 2;
  const levels = new Float64Array(steps + 1);
  for (let j = steps; j > 0; j--)
    levels[j - 1] = Math.sqrt(((levels[j] ?? 0) ** 2 + 1) / Math.max(a(j - 1) / a(j), c1) - 1);
  return levels;
}

/** The number that a network of iDDPMPrecond is shown: M - 1 - j, j the index of the level nearest to sigma [n, 1]. */
function iddpmTime(sigma: Tensor, kind: Extract<Preconditioning, { kind: 'iddpm' }>): Tensor {
  const levels = iddpmLevels(kind);
  // The nearest one is as far from the end as there are middles between neighbours below sigma.
  const middles = levels.slice(1).map((level, j) => (level + (levels[j] ?? 0)) / 2);
  const below = tf.greater(sigma.reshape([-1, 1]), tf.tensor2d(Float32Array.from(middles), [1, middles.length]));
  return below.toFloat().sum(1).sub(1);
}

/**
 * x0hat and epsilon = (x - x0hat) / sigma of VE states x = x0 + sigma eps, sigma [B] or [] above 0. For the three whose
 * network predicts noise nothing cancels in epsilon: it is F or -F itself.
 *   edm     edmDenoiser
 *   vp      x - sigma F(x / sqrt(1 + sigma^2), (M - 1) u(sigma))
 *   ve      x + sigma F(x, ln(sigma / 2))
 *   iddpm   as vp, with the index of the nearest level counted from the last
 */
export function preconditioned(
  network: (x: Image, noise: Tensor) => Image,
  kind: Preconditioning,
): (x: Image, sigma: Tensor) => Prediction {
  if (kind.kind === 'edm') return edmDenoiser(network, kind.sigmaData);
  return (x, sigma) => {
    const level = sigma.reshape([-1, 1, 1, 1]);
    if (kind.kind === 've') {
      const output = network(x, sigma.div(2).log());
      return { x0hat: x.add(output.mul(level)), epsilon: output.neg() };
    }
    const time = kind.kind === 'vp' ? vpTime(sigma, kind) : iddpmTime(sigma, kind);
    const epsilon = network(x.mul(level.square().add(1).rsqrt()), time);
    return { x0hat: x.sub(epsilon.mul(level)), epsilon };
  };
}
