import { type AdmConfig, type AdmPlan, admPlan, type Layer } from './adm-config.ts';
import { type Parameter, weightAndBias } from './parameters.ts';

/** All tensors of a network, in the order of its state dict (docs/methods.md 7.2). */
export function admParameters(config: AdmConfig): readonly Parameter[] {
  const plan = admPlan(config);
  const { timeWidth, outChannels, lastChannels, patch, classes } = plan;
  const layers = [...plan.down, ...plan.middle, ...plan.up].flatMap((block) => block.layers);
  return [
    ...weightAndBias('time_embed.0', [4 * timeWidth, timeWidth]),
    ...weightAndBias('time_embed.2', [4 * timeWidth, 4 * timeWidth]),
    ...(classes === undefined ? [] : [{ name: 'label_emb.weight', shape: [classes, 4 * timeWidth] }]),
    ...layers.flatMap((layer) => ofLayer(layer, plan)),
    ...weightAndBias('out.0', [lastChannels]),
    ...weightAndBias('out.2', [outChannels * patch ** 2, lastChannels, 3, 3]),
  ];
}

function ofLayer(layer: Layer, { timeWidth, scaleShift, headByHead }: AdmPlan): Parameter[] {
  const { name } = layer;
  switch (layer.kind) {
    case 'convolution':
      return weightAndBias(name, [layer.outputs, layer.inputs, 3, 3]);
    case 'resample':
      return layer.convolve
        ? weightAndBias(`${name}.${layer.to === 'down' ? 'op' : 'conv'}`, [layer.channels, layer.channels, 3, 3])
        : [];
    case 'attention':
      return [
        ...weightAndBias(`${name}.norm`, [layer.channels]),
        ...weightAndBias(
          `${name}.qkv`,
          [3 * layer.channels, layer.channels, 1],
          headByHead ? { rows: rowsByRole(3 * layer.channels, layer.heads) } : {},
        ),
        ...weightAndBias(`${name}.proj_out`, [layer.channels, layer.channels, 1]),
      ];
    case 'residual':
      return [
        ...weightAndBias(`${name}.in_layers.0`, [layer.inputs]),
        ...weightAndBias(`${name}.in_layers.2`, [layer.outputs, layer.inputs, 3, 3]),
        ...weightAndBias(`${name}.emb_layers.1`, [scaleShift ? 2 * layer.outputs : layer.outputs, 4 * timeWidth]),
        ...weightAndBias(`${name}.out_layers.0`, [layer.outputs]),
        ...weightAndBias(`${name}.out_layers.3`, [layer.outputs, layer.outputs, 3, 3]),
        ...(layer.inputs === layer.outputs
          ? []
          : weightAndBias(`${name}.skip_connection`, [layer.outputs, layer.inputs, 1, 1])),
      ];
  }
}

/** The places of the rows all q, all k, all v among rows that are q, k, v of one head after the other. */
const rowsByRole = (rows: number, heads: number): readonly number[] => {
  const width = rows / 3 / heads;
  return Array.from({ length: rows }, (_, row) => {
    const [role, within] = [Math.floor(row / (heads * width)), row % (heads * width)];
    const head = Math.floor(within / width);
    return (head * 3 + role) * width + (within % width);
  });
};
