import type { ModelFactory } from '@tweedie/core';
import { edmModel, type EdmOptions } from '@tweedie/networks';

export type { EdmOptions };

/**
 * A network of NVlabs/edm (SongUNet as DDPM++ and NCSN++, DhariwalUNet) inside one of its four preconditionings, a
 * denoiser of all noise levels that is seen through any process (Karras et al. 2022, arXiv:2206.00364, Table 1):
 *   x0hat = D(xt / signal; sigma),   D(x; sigma) = c_skip x + c_out F(c_in x, c_noise)
 * x0hat has the range [-1, 1].
 */
export const edm: ModelFactory<EdmOptions> = (options, context) => edmModel(options, context);
