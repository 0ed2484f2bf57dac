import type { ModelFactory, ProcessOptions } from '@tweedie/core';
import { trainedModel } from '@tweedie/networks';

export interface TrainedOptions {
  readonly weights: string;
  readonly process: Required<ProcessOptions>;
}

/**
 * A U-Net that `tweedie train` made, from its file alone. With the EDM loss it is a denoiser of all noise levels and is
 * seen through any process (Karras et al. 2022, arXiv:2206.00364, Table 1):
 *   x0hat = D(xt / signal; sigma);
 * with the DDPM loss it predicts epsilon on the table that it was trained on, and of `process` only `kind` counts.
 */
export const trained: ModelFactory<TrainedOptions> = ({ weights, process }, context) =>
  trainedModel(weights, process, context);
