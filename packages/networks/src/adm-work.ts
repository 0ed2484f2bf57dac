import { type AdmConfig, type AdmPlan, admPlan, type Layer } from './adm-config.ts';

/**
 * Multiply-adds of one image through the network: convolutions, linear maps, products of attention
 * (docs/methods.md 7.1). An input gradient takes about as many again.
 */
export function admMultiplyAdds(config: AdmConfig): number {
  const plan = admPlan(config);
  const { timeWidth, imageSize, lastChannels, outChannels, patch } = plan;
  let pixels = (imageSize / patch) ** 2;
  let sum = 4 * timeWidth * timeWidth + (4 * timeWidth) ** 2;
  for (const layer of [...plan.down, ...plan.middle, ...plan.up].flatMap(({ layers }) => layers)) {
    pixels *= growth(layer);
    sum += ofLayer(layer, pixels, plan);
  }
  return sum + 9 * pixels * lastChannels * outChannels * patch ** 2;
}

/** How many pixels a layer gives for each one that it takes. */
function growth(layer: Layer): number {
  const resampled = layer.kind === 'residual' ? layer.resample : layer.kind === 'resample' ? layer.to : 'none';
  return { none: 1, down: 1 / 4, up: 4 }[resampled];
}

/** `pixels` are those behind the layer: residual blocks resample before they convolve. */
function ofLayer(layer: Layer, pixels: number, { timeWidth, scaleShift }: AdmPlan): number {
  switch (layer.kind) {
    case 'convolution':
      return 9 * pixels * layer.inputs * layer.outputs;
    case 'resample':
      return layer.convolve ? 9 * pixels * layer.channels ** 2 : 0;
    case 'attention':
      return 4 * pixels * layer.channels ** 2 + 2 * pixels ** 2 * layer.channels;
    case 'residual': {
      const { inputs, outputs } = layer;
      const skip = inputs === outputs ? 0 : pixels * inputs * outputs;
      return 9 * pixels * (inputs + outputs) * outputs + skip + 4 * timeWidth * (scaleShift ? 2 : 1) * outputs;
    }
  }
}
