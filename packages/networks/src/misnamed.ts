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
  const diffusers = [...names].some((name) => name.startsWith('down_blocks.'));
  return {
    what: diffusers
      ? `its tensors (${show(names)}) are those of a network of diffusers.`
      : `none of its ${names.size} tensors (${show(names)}) has a name of this network.`,
    remedy: diffusers
      ? 'Take model/diffusers, and give the folder with its config.json.'
      : `Give weights of the network, whose names are like ${show(wanted)}.`,
  };
};
