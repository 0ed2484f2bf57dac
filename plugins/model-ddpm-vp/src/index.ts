import type { ModelFactory } from '@tweedie/core';
import { admModel, type AdmModelOptions } from '@tweedie/networks';

/**
 * A network of guided diffusion as it was trained: a variance-preserving prior that predicts epsilon and, with
 * `learn_sigma`, the fraction of the log variance. x0hat has the range [-1, 1]. Dhariwal & Nichol 2021,
 * arXiv:2105.05233; docs/methods.md 7.
 */
export const ddpmVp: ModelFactory<AdmModelOptions> = (options, context) => admModel(options, context, 'vp');
