/** Files made by hand: 64-bit archives, and what no sound file holds. */
import { crc32 } from 'node:zlib';
import { ConfigError } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { openTensors, openTorchFile } from '../src/index.ts';
import { inMemory } from './mutations.ts';

type Record = { readonly name: string; readonly bytes: Uint8Array; readonly method?: number };
const little = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, k) => Number((BigInt(value) >> BigInt(8 * k)) & 0xffn));

/** A zip archive whose sizes and places stand in the 64-bit fields, as those of files above 4 GB do. */
function archive(records: readonly Record[], is64 = true): Uint8Array {
  const out: number[] = [];
  const directory: number[] = [];
  for (const { name, bytes, method = 0 } of records) {
    const begin = out.length;
    const text = [...new TextEncoder().encode(name)];
    const shared = [...little(0, 2), ...little(method, 2), ...little(0, 4), ...little(crc32(bytes), 4)];
    const sizes = [...little(bytes.length, 4), ...little(bytes.length, 4)];
    out.push(...little(0x04034b50, 4), 45, 0, ...shared, ...sizes, ...little(text.length, 2), 0, 0, ...text, ...bytes);
    const extra = is64
      ? [1, 0, 24, 0, ...little(bytes.length, 8), ...little(bytes.length, 8), ...little(begin, 8)]
      : [];
    const ones = little(0xffffffff, 4);
    directory.push(
      ...[...little(0x02014b50, 4), 45, 0, 45, 0, ...shared, ...(is64 ? [...ones, ...ones] : sizes)],
      ...[...little(text.length, 2), ...little(extra.length, 2), ...little(0, 10), ...(is64 ? ones : little(begin, 4))],
      ...text,
      ...extra,
    );
  }
  const begin = out.length;
  out.push(...directory);
  if (is64) {
    const end64 = out.length;
    out.push(...little(0x06064b50, 4), ...little(44, 8), 45, 0, 45, 0, ...little(0, 8));
    for (const value of [records.length, records.length, directory.length, begin]) out.push(...little(value, 8));
    out.push(...little(0x07064b50, 4), ...little(0, 4), ...little(end64, 8), ...little(1, 4));
  }
  const count = little(is64 ? 0xffff : records.length, 2);
  const place = is64
    ? [...little(0xffffffff, 4), ...little(0xffffffff, 4)]
    : [...little(directory.length, 4), ...little(begin, 4)];
  out.push(...little(0x06054b50, 4), 0, 0, 0, 0, ...count, ...count, ...place, 0, 0);
  return Uint8Array.from(out);
}

const text = (value: string): number[] => [0x58, ...little(value.length, 4), ...new TextEncoder().encode(value)];
const name = (module: string, what: string): number[] => [...new TextEncoder().encode(`c${module}\n${what}\n`)];
const tuple = (...parts: number[][]): number[] => [0x28, ...parts.flat(), 0x74];
const int = (value: number): number[] => [0x4a, ...little(value, 4)];
const storage = (key: string, count: number): number[] => [
  ...tuple(text('storage'), name('torch', 'FloatStorage'), text(key), text('cpu'), int(count)),
  0x51,
];
const tensor = (count: number, offset: number, shape: number[], strides: number[]): number[] => [
  ...name('torch._utils', '_rebuild_tensor_v2'),
  ...tuple(storage('0', count), int(offset), tuple(...shape.map(int)), tuple(...strides.map(int)), [0x89], [0x4e]),
  0x52,
];
const pickle = (...parts: number[][]): Uint8Array => Uint8Array.from([0x80, 2, ...parts.flat(), 0x2e]);
const dict = (...entries: number[][]): number[] => [0x7d, 0x28, ...entries.flat(), 0x75];

const numbers = Float32Array.of(1, 2, 3, 4, 5, 6);
const records = (data: Uint8Array): Record[] => [
  { name: 'net/data.pkl', bytes: data },
  { name: 'net/data/0', bytes: new Uint8Array(numbers.buffer) },
];
const open = (bytes: Uint8Array) => openTensors('net.pt', inMemory({ 'net.pt': bytes }));

describe('a zip archive', () => {
  it.each([true, false])('of torch.save is read, 64-bit sizes: %s', async (is64) => {
    const { read } = await open(archive(records(pickle(dict(text('w'), tensor(6, 1, [2, 2], [1, 2])))), is64));
    expect(await read('w')).toEqual({ dtype: 'F32', shape: [2, 2], data: Float32Array.of(2, 4, 3, 5) });
  });

  const sound = records(pickle(dict(text('w'), tensor(6, 0, [6], [1]))));
  it.each<[string, Record[], string]>([
    [
      'compressed records',
      sound.map((record) => ({ ...record, method: 8 })),
      'record "net/data.pkl" of the zip archive is compressed, which those of torch.save are not.',
    ],
    ['no pickle', [{ name: 'word/document.xml', bytes: numbers as never }], 'it holds word/document.xml.'],
    ['a record twice', [...sound, ...sound.slice(1)], 'it holds two records "net/data/0".'],
    [
      'a record of another size',
      [...sound.slice(0, 1), { name: 'net/data/0', bytes: new Uint8Array(20) }],
      'record "net/data/0" has 20 bytes, 6 numbers of F32 do not.',
    ],
    [
      'big-endian numbers',
      [...sound, { name: 'net/byteorder', bytes: new TextEncoder().encode('big') }],
      'its numbers are stored big-endian.',
    ],
  ])('with %s is refused', async (_, content, message) => {
    await expect(open(archive(content))).rejects.toThrow(message);
  });
});

describe('a pickle', () => {
  const opened = (...parts: number[][]) =>
    openTorchFile('net.pt', inMemory({ 'net.pt': archive(records(pickle(...parts))) }));

  it.each<[string, number[][], string]>([
    [
      'a view outside of its storage',
      [tensor(6, 4, [3], [1])],
      'shape [3], strides [1] and offset 4 does not lie within',
    ],
    ['a negative extent', [tensor(6, 0, [-1], [1])], 'shape [-1]'],
    ['a view of gigabytes', [tensor(6, 0, [30000, 30000], [0, 0])], 'does not lie within its storage'],
    ['a text longer than the file', [[0x58, 255, 255, 255, 0]], 'it ends at byte 8 in the middle.'],
    ['bytes longer than the file', [[0x8e, 0, 0, 0, 0, 1, 0, 0, 0]], '4294967296 bytes at byte 11 end behind it.'],
    ['an empty stack', [[0x52]], 'its stack is empty at byte 3.'],
    ['no end', [[0x4e], [0x30]], 'its stack is empty'],
    ['protocol 0', [[0x80, 0]], 'its protocol is 0, 2 to 5 are read.'],
    ['an opcode of extensions', [[0x82, 1]], 'opcode 0x82 at byte 2 is not one of a checkpoint.'],
    ['a call of eval', [name('builtins', 'eval')], 'the file asks for "builtins.eval"'],
    ['getattr', [name('builtins', 'getattr')], 'the file asks for "builtins.getattr"'],
    ['a name out of the prototype', [name('constructor', 'x')], 'the file asks for "constructor.x"'],
    ['a class called', [name('builtins', 'dict'), [0x29, 0x52]], 'the file calls "builtins.dict"'],
    ['a TorchScript module', [name('__torch__.net', 'Net')], 'It is a TorchScript program'],
    ['a whole module', [name('mynet.model', 'UNet')], 'torch.save(model.state_dict(), path)'],
  ])('with %s is refused', async (_, parts, message) => {
    await expect(opened(...parts)).rejects.toThrow(ConfigError);
    await expect(opened(...parts)).rejects.toThrow(message);
  });

  it('of millions of opcodes is refused before it fills the memory', async () => {
    const endless = new Uint8Array(3_000_000).fill(0x4e);
    endless.set([0x80, 2]);
    await expect(openTorchFile('net.pkl', inMemory({ 'net.pkl': endless }))).rejects.toThrow(
      'more than 2000000 opcodes',
    );
  });

  it('that holds itself, or an optimizer, says what it is', async () => {
    await expect(
      open(archive(records(pickle(dict(text('state'), dict(), text('param_groups'), [0x5d]))))),
    ).rejects.toThrow('[net.pt] holds the state of an optimizer (param_groups), not a network.');
    const circle = pickle([0x7d, 0x71, 1], text('model'), [0x68, 1, 0x73]);
    await expect(open(archive(records(circle)))).rejects.toThrow('holds no dict of tensors: its entries are "model".');
    await expect(
      open(archive(records(pickle(dict(text('ema'), dict(text('shadow_params'), [0x5d])))))),
    ).rejects.toThrow('are a plain list (shadow_params) without names');
    await expect(open(archive(records(pickle([0x5d]))))).rejects.toThrow('holds a list of 0, not a dict of tensors.');
  });
});
