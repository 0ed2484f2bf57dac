/**
 * The names that may stand in a pickle of PyTorch or EDM, and what each one means. Nothing is imported and no code of a
 * file is run: a name is looked up here and nowhere else. A function on the list is computed here, an object of a class
 * that is kept becomes a node with its name and its state, and any other name is refused wherever it stands.
 */
import { ConfigError } from '@tweedie/core';
import { type ByteSource, bytesSource } from './byte-source.ts';
import { type TorchDtype, type TorchStorage, type TorchTensor, torchTensor } from './torch-tensor.ts';

type PickledBytes = { readonly kind: 'bytes'; readonly source: ByteSource };
/** A class or a function by its name, not called. */
type PickledName = { readonly kind: 'name'; readonly name: string };
/** An object of a class that is kept as data; `state` is its attributes, `items` its entries where it is a dict. */
export type PickledObject = {
  readonly kind: 'object';
  readonly name: string;
  readonly args: readonly Pickled[];
  state?: Pickled;
  readonly items: Map<Pickled, Pickled>;
};
/** Dicts are maps, lists and tuples arrays. */
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Pickled[]
  | Map<Pickled, Pickled>
  | Set<Pickled>
  | PickledBytes
  | PickledName
  | PickledObject
  | TorchStorage
  | TorchTensor;

export type PickleReader = {
  /** The path of the file, which errors begin with. */
  readonly where: string;
  /** What a persistent id stands for; without it there must be none. */
  readonly persistent?: (id: readonly Pickled[]) => Pickled;
  /** The storage in a stream of bytes within the pickle, as EDM's files have them. */
  readonly storageOf?: (bytes: ByteSource) => Promise<Pickled>;
};

export const unsound = (where: string, what: string): ConfigError =>
  new ConfigError(where, `not a sound pickle: ${what}`, 'Fetch the file again: it is damaged or no checkpoint.');
export const isKind = <K extends 'bytes' | 'name' | 'object' | 'storage' | 'tensor'>(
  value: Pickled | undefined,
  kind: K,
): value is Extract<Pickled, { kind: K }> =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;
const isPair = (value: Pickled): value is [Pickled, Pickled] => Array.isArray(value) && value.length === 2;
const isNumbers = (value: Pickled | undefined): value is number[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'number');

const dtypes: Readonly<Record<string, TorchDtype>> = {
  Float: 'F32',
  Half: 'F16',
  BFloat16: 'BF16',
  Double: 'F64',
  Long: 'I64',
  Int: 'I32',
  Short: 'I16',
  Char: 'I8',
  Byte: 'U8',
  Bool: 'BOOL',
};
/** The dtype of a class of storages: torch.FloatStorage. */
export const dtypeOfStorage = (value: Pickled | undefined): TorchDtype | undefined =>
  isKind(value, 'name') ? dtypes[/^torch\.(\w+)Storage$/.exec(value.name)?.[1] ?? ''] : undefined;

/** Classes whose objects become nodes, and class objects that stand for themselves. */
const kept: readonly RegExp[] = [
  /^torch\.nn\.modules\.container\.(ModuleDict|ModuleList|Sequential)$/,
  /^dnnlib\.util\.EasyDict$/,
  /^(pytorch_lightning|lightning|omegaconf)\.[\w.]+$/,
  /^pathlib\.\w*Path$/,
  /^argparse\.Namespace$/,
  /^typing\.Any$/,
  /^(builtins|__builtin__)\.(dict|list|int|str)$/,
];

type Call = (args: readonly Pickled[], reader: PickleReader) => Pickled | Promise<Pickled>;
const scalar: Call = async ([dtype, bytes], { where }) => {
  const name = isKind(dtype, 'object') && typeof dtype.args[0] === 'string' ? dtype.args[0] : '';
  const order = isKind(dtype, 'object') && Array.isArray(dtype.state) ? dtype.state[1] : '<';
  const readers: Readonly<Record<string, (view: DataView) => number>> = {
    f8: (view) => view.getFloat64(0, true),
    f4: (view) => view.getFloat32(0, true),
    i8: (view) => Number(view.getBigInt64(0, true)),
    i4: (view) => view.getInt32(0, true),
    b1: (view) => view.getUint8(0),
  };
  const read = readers[name];
  const wide = Number(name.slice(1));
  if (!read || order === '>' || !isKind(bytes, 'bytes') || bytes.source.size !== wide)
    throw unsound(where, `a NumPy number of type ${JSON.stringify(name)} cannot be read.`);
  const held = Uint8Array.from(await bytes.source.read(0, wide));
  return read(new DataView(held.buffer));
};
const first: Call = ([value = null]) => value;
const asSet: Call = ([list]) => new Set(Array.isArray(list) ? list : []);

/** Functions that are computed here. */
const functions: Readonly<Record<string, Call>> = {
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, strides], { where }) => {
    if (!isKind(storage, 'storage') || !isNumbers(shape) || !isNumbers(strides) || typeof offset !== 'number')
      throw unsound(where, 'a tensor is not made of a storage, an offset, a shape and strides.');
    return torchTensor(storage, offset, shape, strides, where);
  },
  'torch._utils._rebuild_parameter': first,
  'torch._utils._rebuild_parameter_with_state': first,
  'torch.Size': ([sizes]) => (Array.isArray(sizes) ? sizes : []),
  'torch.storage._load_from_bytes': ([bytes], { where, storageOf }) => {
    if (!isKind(bytes, 'bytes') || !storageOf) throw unsound(where, 'a storage is not made of bytes.');
    return storageOf(bytes.source);
  },
  'torch_utils.persistence._reconstruct_persistent_obj': ([meta], { where }) => {
    const [name, state] = meta instanceof Map ? [meta.get('class_name'), meta.get('state')] : [];
    if (typeof name !== 'string' || state === undefined) throw unsound(where, 'a module of EDM has no class or state.');
    return { kind: 'object', name: `persistent.${name}`, args: [], state, items: new Map() };
  },
  'collections.OrderedDict': ([pairs]) =>
    new Map((Array.isArray(pairs) ? pairs : []).flatMap((pair) => (isPair(pair) ? [pair] : []))),
  'collections.defaultdict': () => new Map(),
  'numpy.dtype': (args) => ({ kind: 'object', name: 'numpy.dtype', args, items: new Map() }),
  'numpy.core.multiarray.scalar': scalar,
  'numpy._core.multiarray.scalar': scalar,
  '_codecs.encode': ([text], { where }) => {
    if (typeof text !== 'string') throw unsound(where, 'bytes are not made of text.');
    return { kind: 'bytes', source: bytesSource(Uint8Array.from(text, (letter) => letter.charCodeAt(0))) };
  },
  'builtins.set': asSet,
  '__builtin__.set': asSet,
};

/** A name that a pickle asks for. */
export function named(module: string, name: string, where: string): PickledName {
  const whole = `${module}.${name}`;
  const found: PickledName = { kind: 'name', name: whole };
  const known = Object.hasOwn(functions, whole) || kept.some((one) => one.test(whole));
  if (known || dtypeOfStorage(found) !== undefined) return found;
  const script = module.startsWith('__torch__');
  throw new ConfigError(
    where,
    `the file asks for ${JSON.stringify(whole)}, which a file of weights has no use for: it is refused, and nothing of it was run.`,
    script
      ? 'It is a TorchScript program: save the state_dict() of its module instead.'
      : 'Give a file that holds tensors alone: where its program is installed, torch.save(model.state_dict(), path).',
  );
}

/** What a name gives that is called with arguments, or made an object of. */
export async function call(callable: Pickled, args: Pickled, reader: PickleReader): Promise<Pickled> {
  if (!isKind(callable, 'name') || !Array.isArray(args)) throw unsound(reader.where, 'what is called has no name.');
  const { name } = callable;
  const own = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (own) return own(args, reader);
  if (/^(builtins|__builtin__)\.|^torch\.\w+Storage$/.test(name))
    throw new ConfigError(reader.where, `the file calls ${JSON.stringify(name)}: it is refused.`, 'Give another file.');
  return { kind: 'object', name, args, items: new Map() };
}
