/** Which tensors of a file are the network's, and what they are called without what stands before their names. */
import { ConfigError } from '@tweedie/core';

export type NetworkNames = {
  /** From the name in the network to the name in the file. */
  readonly stored: ReadonlyMap<string, string>;
  readonly notes: readonly string[];
};

/** Names that every network of a family has: the second tells it from others that share the first. */
const anchors: readonly (readonly [name: string, other: string])[] = [
  ['input_blocks.0.0.weight', 'time_embed.0.weight'],
  ['map_layer0.weight', 'map_layer1.weight'],
  ['conv_in.weight', 'time_embedding.linear_1.weight'],
];

const isAverage = (prefix: string): boolean => /(^|[._])(ema|ema_model|model_ema|averaged?)\.(model\.)?$/.test(prefix);
const quoted = (prefixes: readonly string[]): string => prefixes.map((prefix) => `"${prefix}"`).join(', ');

/**
 * The names of the one network that a file holds, without their prefix (`module.`, `model.diffusion_model.` ...). Of
 * averaged and running weights the averaged ones are taken. Where no known network is found, the names as they are.
 * Throws ConfigError where there are several that cannot be told apart.
 */
export function networkNames(names: readonly string[], where: string): NetworkNames {
  const all = new Set(names);
  const prefixes = anchors.flatMap(([name, other]) =>
    names
      .filter((each) => each === name || each.endsWith(`.${name}`))
      .map((each) => each.slice(0, -name.length))
      .filter((prefix) => all.has(prefix + other)),
  );
  const averages = prefixes.filter(isAverage);
  const [first, ...more] = averages.length === 1 ? averages : prefixes;
  if (first === undefined) return { stored: new Map(names.map((name) => [name, name])), notes: [] };
  if (more.length > 0)
    throw new ConfigError(
      where,
      `holds ${prefixes.length} networks, under ${quoted(prefixes)}, and nothing says which is meant.`,
      'Save the tensors of one of them in a file of its own.',
    );
  const stored = new Map(
    names.filter((name) => name.startsWith(first)).map((name) => [name.slice(first.length), name]),
  );
  const others = [...new Set(names.filter((name) => !name.startsWith(first)).map((name) => `${name.split('.')[0]}`))];
  const notes = [
    ...(first === '' ? [] : [`prefix "${first}" taken off`]),
    ...(averages.length > 0 ? ['averaged weights taken'] : []),
    ...(others.length > 0 ? [`left out, not of this network: ${others.slice(0, 4).join(', ')}`] : []),
  ];
  const flat = averages.length === 0 ? flatAverages(stored, all, first) : undefined;
  if (!flat) return { stored, notes };
  if (typeof flat === 'string') return { stored, notes: [...notes, flat] };
  return { stored: flat, notes: [...notes, 'averaged weights taken, "model_ema."'] };
}

/**
 * The averages of latent diffusion: `model_ema.` and the name below the model with every dot deleted. A sentence where
 * some are missing, undefined where there are none.
 */
function flatAverages(
  stored: ReadonlyMap<string, string>,
  all: ReadonlySet<string>,
  prefix: string,
): ReadonlyMap<string, string> | string | undefined {
  const below = prefix.replace(/^model\./, '');
  const flat = new Map([...stored.keys()].map((name) => [name, `model_ema.${`${below}${name}`.replaceAll('.', '')}`]));
  const present = [...flat.values()].filter((name) => all.has(name)).length;
  if (present === 0) return undefined;
  return present === flat.size
    ? flat
    : `running weights taken, for ${flat.size - present} of ${flat.size} averages under "model_ema." are missing`;
}
