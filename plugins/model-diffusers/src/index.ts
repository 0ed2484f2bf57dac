import type { ModelFactory } from '@tweedie/core';
import { diffusersModel, type DiffusersOptions } from '@tweedie/networks';

export type { DiffusersOptions };

/**
 * A UNet2DModel of diffusers, as `save_pretrained` wrote it: google/ddpm-* (Ho et al. 2020, arXiv:2006.11239) and the
 * many that were trained like them. It predicts epsilon, x0 or v, whatever its scheduler_config.json says:
 *   x0hat = z - sigma o,   o,   or   z / (1 + sigma^2) - sigma o / sqrt(1 + sigma^2),      z = xt / signal
 * of o = network(z / sqrt(1 + sigma^2), t(sigma)), t by linear interpolation of ln sigma in its table of betas
 * (docs/methods.md 1.6). x0hat has the range [-1, 1].
 */
export const diffusers: ModelFactory<DiffusersOptions> = (options, context) => diffusersModel(options, context);
