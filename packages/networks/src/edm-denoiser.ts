import { type Image, type Prediction, type Tensor } from '@tweedie/core';
import type { AdmUnet } from './adm-unet.ts';

/**
 * The preconditioned denoiser of EDM (Karras et al. 2022, arXiv:2206.00364, Table 1 and Section 5) around a network F,
 * whose input and target have unit variance at every level for data of standard deviation d (`sigma_data`):
 *   x0hat = d^2 / (sigma^2 + d^2) x + sigma d / sqrt(sigma^2 + d^2) F(x / sqrt(sigma^2 + d^2), ln(sigma) / 4)
 * for x = x0 + sigma eps; epsilon = (x - x0hat) / sigma is written out, so that nothing cancels where sigma is small.
 * sigma is [B] or [], above 0.
 */
export const edmDenoiser =
  (network: AdmUnet, sigmaData: number) =>
  (x: Image, sigma: Tensor): Prediction => {
    const level = sigma.reshape([-1, 1, 1, 1]);
    const scale = level
      .square()
      .add(sigmaData ** 2)
      .rsqrt();
    const output = network(x.mul(scale), sigma.log().div(4)).mul(scale.mul(sigmaData));
    const shrunk = x.mul(scale.square());
    return {
      x0hat: shrunk.mul(sigmaData ** 2).add(output.mul(level)),
      epsilon: shrunk.mul(level).sub(output),
    };
  };

/**
 * The weight of a squared error of x0hat with which F's error has unit weight, (sigma^2 + d^2) / (sigma d)^2 (the same
 * table).
 */
export const edmWeight = (sigma: Tensor, sigmaData: number): Tensor =>
  sigma
    .square()
    .add(sigmaData ** 2)
    .div(sigma.mul(sigmaData).square());
