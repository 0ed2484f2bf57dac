/** What a checkpoint is whose tensors have other names than the network's. */

/** What stands in an error: what is wrong with the names, and the remedy. */
type Misnamed = { readonly what: string; readonly remedy: string };

/** Who puts what before the names of a network. */
const origins: readonly (readonly [prefix: RegExp, whose: string])[] = [
  [/^module\.$/, " of PyTorch's DataParallel"],
  [/(^|[._])(ema|ema_model|model_ema|averaged?)\.$/, ' of averaged weights (EMA)'],
  [/diffusion_model\.$/, ' of a latent or pixel diffusion program that wraps the network'],
];

const show = (names: Iterable<string>): string =>
  [...names]
    .slice(0, 3)
    .map((name) => `"${name}"`)
    .join(', ');

/** A command that takes the prefix off every name, for where safetensors is installed. */
const stripped = (source: string, prefix: string): string => {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '/').replaceAll("'", "\\'")}'`;
  return (
    `python -c "from safetensors.numpy import load_file, save_file; p = ${quoted(prefix)}; ` +
    `save_file({k[len(p):]: v for k, v in load_file(${quoted(source)}).items() if k.startswith(p)}, ` +
    `${quoted(`${source.replace(/\.safetensors$/, '')}.renamed.safetensors`)})"`
  );
};

/**
 * Why no tensor of `wanted` is among the names of a checkpoint: a prefix, an optimizer's state, another network.
 * Undefined where some are there: then it is a question of the configuration.
 */
export const misnamed = (
  wanted: readonly string[],
  names: ReadonlySet<string>,
  source: string,
): Misnamed | undefined => {
  const [first = ''] = wanted;
  if (wanted.some((name) => names.has(name))) return undefined;
  const prefixes = [...names].filter((name) => name.endsWith(`.${first}`)).map((name) => name.slice(0, -first.length));
  const [prefix] = prefixes;
  if (prefix !== undefined) {
    const whose = origins.find(([pattern]) => pattern.test(prefix))?.[1] ?? '';
    const others = prefixes.length > 1 ? ` It holds ${prefixes.length} networks, under ${show(prefixes)}.` : '';
    return {
      what: `the names of its tensors begin with "${prefix}"${whose}, and those of the network do not.${others}`,
      remedy: `Take it off: ${stripped(source, prefix)}`,
    };
  }
  if ([...names].some((name) => /(^|\.)(exp_avg|exp_avg_sq|momentum_buffer|param_groups)(\.|$)/.test(name)))
    return {
      what: `it holds the state of an optimizer (${show(names)}), not a network.`,
      remedy: 'Give the file of the network itself; guided diffusion writes it as ema_*.pt and model*.pt, not opt*.pt.',
    };
  const diffusers = [...names].some((name) => name.startsWith('down_blocks.'));
  return {
    what: diffusers
      ? `its tensors (${show(names)}) are those of a network of diffusers, which is not read here.`
      : `none of its ${names.size} tensors (${show(names)}) has a name of this network.`,
    remedy: `Give weights of guided diffusion's U-Net, whose names are like ${show(wanted)}.`,
  };
};
