import type { ModelFactory, ProcessOptions } from '@tweedie/core';
import { trainedModel } from '@tweedie/networks';

export interface PhotoOptions {
  readonly process: Required<ProcessOptions>;
}

const weights = new URL('../weights.safetensors', import.meta.url).href;

/**
 * A small convolutional denoiser of photographs as a prior, trained with `tweedie train` on 29 of them
 * (photographs.train.yaml). RGB in [-1, 1], any size; D(z; sigma) at any sigma, seen through any process (Karras et al.
 * 2022, arXiv:2206.00364, Table 1). A forward pass costs 1.3 GFLOP at 64x64.
 */
export const photo: ModelFactory<PhotoOptions> = ({ process }, context) => trainedModel(weights, process, context);
