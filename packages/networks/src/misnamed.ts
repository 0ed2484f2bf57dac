/** What a checkpoint is whose tensors have other names than the network's. */

/** What stands in an error: what is wrong with the names, and the remedy. */
type Misnamed = { readonly what: string; readonly remedy: string };

const show = (names: Iterable<string>): string =>
  [...names]
    .slice(0, 3)
    .map((name) => `"${name}"`)
    .join(', ');

/**
 * Why no tensor of `wanted` is among the names of a checkpoint, prefixes taken off: an optimizer's state, another
 * network.
 * Undefined where some are there: then it is a question of the configuration.
 */
export const misnamed = (wanted: readonly string[], names: ReadonlySet<string>): Misnamed | undefined => {
  if (wanted.some((name) => names.has(name))) return undefined;
  if ([...names].some((name) => /(^|\.)(exp_avg|exp_avg_sq|momentum_buffer|param_groups)(\.|$)/.test(name)))
    return {
      what: `it holds the state of an optimizer (${show(names)}), not a network.`,
      remedy: 'Give the file of the network itself; guided diffusion writes it as ema_*.pt and model*.pt, not opt*.pt.',
    };
  const family = families.find(([sign]) => [...names].some((name) => name.startsWith(sign)));
  if (family && !wanted.some((name) => name.startsWith(family[0])))
    return { what: `its tensors (${show(names)}) are those of a network of ${family[1]}.`, remedy: family[2] };
  return {
    what: `none of its ${names.size} tensors (${show(names)}) has a name of this network.`,
    remedy: `Give weights of the network, whose names are like ${show(wanted)}.`,
  };
};

/** How names of other families begin, whose they are, and what reads them. */
const families: readonly (readonly [sign: string, whose: string, remedy: string])[] = [
  ['down_blocks.', 'diffusers', 'Take model/diffusers, and give the folder with its config.json.'],
  ['map_layer0.', 'NVlabs/edm', 'Take model/edm, and give the file as its weights.'],
  ['input_blocks.', 'guided diffusion', 'Take model/ddpm-vp or model/ddpm-ve, and give its configuration as options.'],
];
