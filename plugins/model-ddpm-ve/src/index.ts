import type { ModelFactory } from '@tweedie/core';
import { admModel, type AdmModelOptions } from '@tweedie/networks';

/**
 * The network of model/ddpm-vp seen through the variance-exploding process z = x0 + sigma eps with the same noise
 * levels:
 *   x0hat(z, sigma) = z - sigma epsilon(z / sqrt(1 + sigma^2), t(sigma))
 * with t by linear interpolation of ln sigma in the table. docs/methods.md 1.5, 1.6 (Equations 30 to 32 of
 * arXiv:2506.13614).
 */
export const ddpmVe: ModelFactory<AdmModelOptions> = (options, context) => admModel(options, context, 've');
