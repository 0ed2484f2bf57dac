/** From what a file of torch.save holds to the state dict that is meant. */
import { ConfigError } from '@tweedie/core';
import { isKind, type Pickled } from './pickle-names.ts';
import type { TorchTensor } from './torch-tensor.ts';

export type StateDict = {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  /** What was taken of several and what was left out, for the user. */
  readonly notes: readonly string[];
};

/** Names that state dicts go by inside a training checkpoint; averages stand before the weights that are trained on. */
const averaged = ['ema', 'ema_state_dict', 'model_ema', 'params_ema'];
const running = ['state_dict', 'model_state_dict', 'model', 'net', 'params'];

const show = (names: readonly string[]): string => {
  const some = names.slice(0, 4).map((name) => JSON.stringify(name));
  return `${some.join(', ')}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`;
};

const tensorsOf = (value: Pickled | undefined): Map<string, TorchTensor> =>
  new Map(
    value instanceof Map
      ? [...value].flatMap(([key, entry]) =>
          typeof key === 'string' && isKind(entry, 'tensor') ? [[key, entry] as const] : [],
        )
      : [],
  );

/** Tensors and nothing else; an empty dict is none. */
const isStateDict = (value: Pickled | undefined): boolean =>
  value instanceof Map && value.size > 0 && tensorsOf(value).size === value.size;

const keysOf = (value: Pickled | undefined): readonly string[] =>
  value instanceof Map ? [...value.keys()].filter((key) => typeof key === 'string') : [];

/**
 * The state dict of a file: the value itself, or the first that it holds under a usual name, averaged weights before
 * the running ones. Throws ConfigError where there is none, saying what is there.
 */
export function stateDictOf(value: Pickled, where: string): StateDict {
  if (isStateDict(value)) return { tensors: tensorsOf(value), notes: [] };
  if (Array.isArray(value) && value.length > 0 && value.every((entry) => isKind(entry, 'tensor'))) {
    const numbered = value.flatMap((entry, k) => (isKind(entry, 'tensor') ? [[String(k), entry] as const] : []));
    return { tensors: new Map(numbered), notes: ['a list of tensors, named by their places'] };
  }
  if (!(value instanceof Map))
    throw new ConfigError(
      where,
      `holds ${nameOf(value)}, not a dict of tensors.`,
      'Save the state_dict() of the network.',
    );
  for (const key of averaged)
    if (keysOf(value.get(key)).includes('shadow_params'))
      throw new ConfigError(
        where,
        `its averaged weights, under "${key}", are a plain list (shadow_params) without names, which cannot be matched to a network.`,
        'Where its program is installed, copy them into the model and save model.state_dict().',
      );
  const found = [...averaged, ...running].find((key) => isStateDict(value.get(key)));
  if (found !== undefined) {
    const whose = averaged.includes(found) ? 'averaged weights' : 'weights';
    const rest = keysOf(value).filter((key) => key !== found);
    const left = rest.length > 0 ? `; left out: ${show(rest)}` : '';
    return { tensors: tensorsOf(value.get(found)), notes: [`${whose} taken, "${found}"${left}`] };
  }
  if (keysOf(value).includes('param_groups'))
    throw new ConfigError(
      where,
      'holds the state of an optimizer (param_groups), not a network.',
      'Give the file of the network itself; guided diffusion writes it as ema_*.pt and model*.pt, not opt*.pt.',
    );
  const own = tensorsOf(value);
  if (own.size === 0)
    throw new ConfigError(
      where,
      `holds no dict of tensors: its entries are ${show(keysOf(value))}.`,
      `Give a state dict, or a dict that holds one as ${show([...averaged, ...running].slice(0, 3))} ...`,
    );
  const rest = keysOf(value).filter((key) => !own.has(key));
  return { tensors: own, notes: [`left out, no tensors: ${show(rest)}`] };
}

const nameOf = (value: Pickled): string => {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isKind(value, 'object') || isKind(value, 'name')) return value.name;
  return isKind(value, 'tensor') ? 'one tensor' : String(value);
};
