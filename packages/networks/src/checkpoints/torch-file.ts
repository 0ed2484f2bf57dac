/** Files of torch.save: a zip archive, or the pickles one after the other that were written before PyTorch 1.6. */
import { ConfigError, type Files, foreignFile, itemSizes } from '@tweedie/core';
import { type ByteSource, fileSource } from './byte-source.ts';
import { unpickle } from './pickle.ts';
import { dtypeOfStorage, type Pickled, type PickleReader, unsound } from './pickle-names.ts';
import type { TorchStorage } from './torch-tensor.ts';
import { checkedRecord, openZip } from './zip.ts';

export type TorchFile = { readonly layout: 'zip' | 'legacy' | 'pickle'; readonly value: Pickled };

/** How a file begins that `openTorchFile` reads: a zip archive or a pickle of protocol 2 to 5. */
export const isTorchFile = (head: Uint8Array): boolean =>
  (head[0] === 0x50 && head[1] === 0x4b) || (head[0] === 0x80 && (head[1] ?? 0) >= 2 && (head[1] ?? 0) <= 5);

/** What a legacy stream begins with: protocol 2, then the magic number in ten bytes. */
const legacyStart = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const startsLegacy = (head: Uint8Array): boolean => legacyStart.every((byte, k) => head[k] === byte);

/**
 * The value that a file of torch.save holds, with its tensors as views that are read when they are wanted; a bare
 * pickle too, as EDM writes. Throws ConfigError where the file is not sound or holds a name that is not accepted.
 */
export async function openTorchFile(path: string, files: Pick<Files, 'size' | 'readRange'>): Promise<TorchFile> {
  const source = await fileSource(path, files);
  const head = await source.read(0, Math.min(512, source.size));
  if (head[0] === 0x50 && head[1] === 0x4b) return { layout: 'zip', value: await readZip(source, path) };
  if (startsLegacy(head)) return { layout: 'legacy', value: await readLegacy(source, path) };
  if (isTorchFile(head)) {
    const storageOf = (bytes: ByteSource): Promise<Pickled> => readLegacy(bytes, path);
    return { layout: 'pickle', value: (await unpickle(source, { where: path, storageOf })).value };
  }
  const found = foreignFile(head, path);
  if (source.size === 0) throw new ConfigError(path, 'is empty, 0 bytes.', 'Fetch or write the file again.');
  throw new ConfigError(path, found?.what ?? 'is not a file of PyTorch.', found?.remedy ?? 'Give a checkpoint.');
}

/** What a persistent id says: ('storage', class, key, device, count). */
function storageId(id: readonly Pickled[], where: string): Pick<TorchStorage, 'dtype' | 'count'> & { key: string } {
  const [tag, type, key, , count, view = null] = id;
  const dtype = dtypeOfStorage(type);
  const isCount = typeof count === 'number' && Number.isSafeInteger(count) && count >= 0;
  if (tag !== 'storage' || dtype === undefined || typeof key !== 'string' || !isCount || view !== null)
    throw unsound(where, 'a persistent id does not describe a storage.');
  return { dtype, key, count };
}

async function readZip(source: ByteSource, where: string): Promise<Pickled> {
  const records = await openZip(source, where);
  const roots = [...records.keys()].flatMap((name) => /^([^/]+\/)data\.pkl$/.exec(name)?.[1] ?? []);
  const [root] = roots;
  const pickle = records.get(`${root}data.pkl`);
  if (roots.length !== 1 || root === undefined || pickle === undefined) {
    const some = [...records.keys()].slice(0, 3).join(', ');
    throw new ConfigError(
      where,
      `is a zip archive that torch.save did not write: it holds ${records.size === 0 ? 'nothing' : some}.`,
      'Unpack it, and give the checkpoint that was in it.',
    );
  }
  const order = records.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(await order.read(0, Math.min(16, order.size))).trim() !== 'little')
    throw new ConfigError(where, 'its numbers are stored big-endian.', 'Save it again on another machine.');
  const storages = new Map<string, TorchStorage>();
  const persistent = (id: readonly Pickled[]): Pickled => {
    const { dtype, key, count } = storageId(id, where);
    const known = storages.get(key);
    if (known?.dtype === dtype && known.count === count) return known;
    const name = `${root}data/${key}`;
    const record = records.get(name);
    if (!record) throw unsound(where, `the record ${JSON.stringify(name)} with the numbers of a tensor is absent.`);
    if (record.size !== count * itemSizes[dtype])
      throw unsound(
        where,
        `record ${JSON.stringify(name)} has ${record.size} bytes, ${count} numbers of ${dtype} do not.`,
      );
    const { read } = checkedRecord(record, where);
    const storage: TorchStorage = { kind: 'storage', name: JSON.stringify(name), dtype, count, read };
    storages.set(key, storage);
    return storage;
  };
  const text = checkedRecord(pickle, where);
  // The CRC of the pickle is checked before any of it is believed.
  await text.read(0, Math.min(1, pickle.size));
  return (await unpickle(text, { where, persistent })).value;
}

/**
 * A legacy stream: the pickles of a magic number, a version, facts of the machine, the value and the list of storages,
 * then the storages, a 64-bit count and the numbers each.
 */
async function readLegacy(source: ByteSource, where: string): Promise<Pickled> {
  const head = await source.read(0, Math.min(legacyStart.length, source.size));
  if (!startsLegacy(head)) throw unsound(where, 'the bytes of a storage do not begin as PyTorch writes them.');
  let at = 0;
  const next = async (reader: PickleReader = { where }): Promise<Pickled> => {
    const { value, end } = await unpickle(source, reader, at);
    at = end;
    return value;
  };
  await next();
  const version = await next();
  const machine = await next();
  if (version !== 1001) throw unsound(where, `the version of its format is ${String(version)}, 1001 is read.`);
  if (machine instanceof Map && machine.get('little_endian') === false)
    throw new ConfigError(where, 'its numbers are stored big-endian.', 'Save it again on another machine.');

  const begins = new Map<string, number>();
  const wanted = new Map<string, TorchStorage>();
  const persistent = (id: readonly Pickled[]): Pickled => {
    const { dtype, key, count } = storageId(id, where);
    const known = wanted.get(key);
    if (known?.dtype === dtype && known.count === count) return known;
    if (known) throw unsound(where, `storage ${key} is described in two ways.`);
    const read = async (begin: number, end: number): Promise<Uint8Array> => {
      const start = begins.get(key) ?? 0;
      return source.read(start + begin, start + end);
    };
    const storage: TorchStorage = { kind: 'storage', name: JSON.stringify(key), dtype, count, read };
    wanted.set(key, storage);
    return storage;
  };
  const value = await next({ where, persistent });
  const keys = await next();
  if (!Array.isArray(keys)) throw unsound(where, 'the list of its storages is gone.');
  for (const key of keys) {
    const storage = typeof key === 'string' ? wanted.get(key) : undefined;
    if (typeof key !== 'string' || !storage || begins.has(key)) throw unsound(where, 'it lists a storage of nobody.');
    if (at + 8 > source.size) throw unsound(where, `it ends at byte ${source.size}, before storage ${key}.`);
    const count = new DataView(new Uint8Array(await source.read(at, at + 8)).buffer).getBigInt64(0, true);
    const bytes = storage.count * itemSizes[storage.dtype];
    if (count !== BigInt(storage.count) || at + 8 + bytes > source.size)
      throw unsound(where, `storage ${key} of ${storage.count} numbers holds ${count}, or ends behind the file.`);
    begins.set(key, at + 8);
    at += 8 + bytes;
  }
  const absent = [...wanted.keys()].find((key) => !begins.has(key));
  if (absent !== undefined) throw unsound(where, `the numbers of storage ${absent} are absent.`);
  return value;
}
