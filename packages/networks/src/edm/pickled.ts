/** The networks in the pickles of NVlabs/edm: modules as data, their program text left unread. */
import { ConfigError } from '@tweedie/core';
import { isKind, type Pickled, type PickledObject } from '../checkpoints/pickle-names.ts';
import type { TorchTensor } from '../checkpoints/torch-tensor.ts';
import type { EdmConfig } from './plan.ts';
import { type Preconditioning, usualPreconditioning } from './preconditioning.ts';

export type PickledNetwork = {
  readonly config: EdmConfig;
  readonly preconditioning: Preconditioning;
  /** Tensors of the network by their names, buffers too. */
  readonly tensors: ReadonlyMap<string, TorchTensor>;
};

const [deepest, mostTensors] = [16, 20_000];
type Fields = ReadonlyMap<Pickled, Pickled>;

/** A dict's entries, whether it is a dict or an object of a class of dicts. */
const fieldsOf = (value: Pickled | undefined): Fields =>
  value instanceof Map ? value : isKind(value, 'object') ? value.items : new Map();
const stateOf = (module: PickledObject): Fields => (module.state instanceof Map ? module.state : new Map());

/** Names and tensors of a module and of those below it. */
function tensorsOf(module: PickledObject, where: string): ReadonlyMap<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  const visit = ({ state }: PickledObject, prefix: string, depth: number): void => {
    if (depth > deepest || tensors.size > mostTensors)
      throw new ConfigError(where, 'its modules are nested without end.', 'Give another file.');
    const own = state instanceof Map ? state : new Map<Pickled, Pickled>();
    for (const table of ['_parameters', '_buffers'])
      for (const [name, value] of fieldsOf(own.get(table)))
        if (isKind(value, 'tensor')) tensors.set(`${prefix}${String(name)}`, value);
    for (const [name, value] of fieldsOf(own.get('_modules')))
      if (isKind(value, 'object')) visit(value, `${prefix}${String(name)}.`, depth + 1);
  };
  visit(module, '', 0);
  return tensors;
}

/** The arguments that a module was made with, and the defaults of its class for others. */
function reader(fields: Fields, where: string) {
  const wrong = (name: string, wanted: string): ConfigError => {
    const value = fields.get(name);
    const shown = typeof value === 'object' && value !== null ? 'an object' : String(value);
    return new ConfigError(where, `its ${name} is ${shown}, not ${wanted}.`, 'Fetch the file again.');
  };
  const number = (name: string, usual: number): number => {
    const value = fields.get(name) ?? usual;
    if (typeof value !== 'number' || !(value >= 0 && value <= 1e6)) throw wrong(name, 'a number from 0 up');
    return value;
  };
  const count = (name: string, usual: number): number => {
    const value = number(name, usual);
    if (!Number.isInteger(value)) throw wrong(name, 'a whole number');
    return value;
  };
  const list = (name: string, usual: readonly number[]): readonly number[] => {
    const value: unknown = fields.get(name) ?? usual;
    const isList = Array.isArray(value) && value.length <= 64;
    if (!isList || !value.every((each): each is number => typeof each === 'number' && each >= 0 && each <= 1e6))
      throw wrong(name, 'a list of numbers');
    return value;
  };
  const oneOf = <T extends string>(name: string, usual: T, valid: readonly T[]): T => {
    const value = fields.get(name) ?? usual;
    const found = valid.find((each) => each === value);
    if (found === undefined) throw wrong(name, `one of ${valid.join(', ')}`);
    return found;
  };
  return { number, count, list, oneOf };
}

function configOf(fields: Fields, type: EdmConfig['type'], where: string): EdmConfig {
  const { count, list, oneOf } = reader(fields, where);
  const usual = {
    song: { width: 128, multipliers: [1, 2, 2, 2], depth: 4, attentionAt: [16] },
    dhariwal: { width: 192, multipliers: [1, 2, 3, 4], depth: 3, attentionAt: [32, 16, 8] },
  }[type];
  const isSong = type === 'song';
  return {
    type,
    size: count('img_resolution', 0),
    inChannels: count('in_channels', 0),
    outChannels: count('out_channels', 0),
    classes: count('label_dim', 0),
    width: count('model_channels', usual.width),
    multipliers: list('channel_mult', usual.multipliers),
    embeddingMultiplier: count('channel_mult_emb', 4),
    depth: count('num_blocks', usual.depth),
    attentionAt: list('attn_resolutions', usual.attentionAt),
    embedding: isSong ? oneOf('embedding_type', 'positional', ['positional', 'fourier']) : 'positional',
    noiseMultiplier: isSong ? count('channel_mult_noise', 1) : 1,
    encoder: isSong ? oneOf('encoder_type', 'standard', ['standard', 'residual', 'skip']) : 'standard',
    decoder: isSong ? oneOf('decoder_type', 'standard', ['standard', 'skip']) : 'standard',
    filter: isSong ? list('resample_filter', [1, 1]) : [1, 1],
  };
}

const networks: Readonly<Record<string, EdmConfig['type']>> = { SongUNet: 'song', DhariwalUNet: 'dhariwal' };
const classes: Readonly<Record<string, (fields: Fields, where: string) => Preconditioning>> = {
  EDMPrecond: (fields, where) => {
    const { sigmaData } = usualPreconditioning.edm;
    return { kind: 'edm', sigmaData: reader(fields, where).number('sigma_data', sigmaData) };
  },
  VPPrecond: (fields, where) => {
    const { betaD, betaMin, steps } = usualPreconditioning.vp;
    const { number, count } = reader(fields, where);
    return {
      kind: 'vp',
      betaD: number('beta_d', betaD),
      betaMin: number('beta_min', betaMin),
      steps: count('M', steps),
    };
  },
  VEPrecond: () => usualPreconditioning.ve,
  iDDPMPrecond: (fields, where) => {
    const { steps, c1, c2 } = usualPreconditioning.iddpm;
    const { number, count } = reader(fields, where);
    return { kind: 'iddpm', steps: count('M', steps), c1: number('C_1', c1), c2: number('C_2', c2) };
  },
};

const className = (value: Pickled | undefined): string =>
  isKind(value, 'object') ? value.name.replace(/^persistent\./, '') : String(value);

/** The network under `ema`. Throws ConfigError where the pickle is another or its classes are not implemented. */
export function pickledNetwork(value: Pickled, where: string): PickledNetwork {
  const outer = value instanceof Map ? value.get('ema') : undefined;
  if (!isKind(outer, 'object')) {
    const keys = value instanceof Map ? [...value.keys()].map(String).slice(0, 5).join(', ') : 'no dict';
    throw new ConfigError(
      where,
      `is a pickle without a network under "ema" (it holds ${keys}): not one of NVlabs/edm.`,
      'Give a network snapshot of NVlabs/edm, or a checkpoint that torch.save wrote.',
    );
  }
  const refuse = (name: string, known: readonly string[]): ConfigError =>
    new ConfigError(where, `its class ${JSON.stringify(name)} is not implemented.`, `Read are ${known.join(', ')}.`);
  const makes = Object.hasOwn(classes, className(outer)) ? classes[className(outer)] : undefined;
  if (!makes) throw refuse(className(outer), Object.keys(classes));
  const inner = fieldsOf(stateOf(outer).get('_modules')).get('model');
  const type = Object.hasOwn(networks, className(inner)) ? networks[className(inner)] : undefined;
  if (!isKind(inner, 'object') || type === undefined) throw refuse(className(inner), Object.keys(networks));
  return {
    config: configOf(fieldsOf(stateOf(inner).get('_init_kwargs')), type, where),
    preconditioning: makes(stateOf(outer), where),
    tensors: tensorsOf(inner, where),
  };
}
