import { describe, expect, it } from 'vitest';
import { ConfigError } from '../src/errors.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  openSafetensors,
  safetensorsMetadata,
  type SafetensorsInput,
} from '../src/safetensors.ts';

const file = (header: unknown, dataBytes: number): Uint8Array => {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
};

const tensors = new Map<string, SafetensorsInput>([
  ['mask', { dtype: 'BOOL', shape: [3], data: Uint8Array.of(1, 0, 1) }],
  ['x', { dtype: 'F32', shape: [2, 2], data: Float32Array.of(0.1, -1, Infinity, 3) }],
  ['truth', { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) }],
  ['big', { dtype: 'I64', shape: [2], data: BigInt64Array.of(9007199254740993n, -2n) }],
  ['none', { dtype: 'F32', shape: [0, 3], data: new Float32Array(0) }],
  ['bytes', { dtype: 'U8', shape: [1], data: Uint8Array.of(255) }],
  ['small', { dtype: 'I8', shape: [1], data: Int8Array.of(-128) }],
  ['short', { dtype: 'I16', shape: [1], data: Int16Array.of(-32768) }],
  ['int', { dtype: 'I32', shape: [1], data: Int32Array.of(-2147483648) }],
]);

const inMemory = (bytes: Uint8Array, ranges: number[][] = []) => ({
  size: async () => bytes.length,
  readRange: async (_: string, begin: number, end: number) => {
    ranges.push([begin, end]);
    return bytes.slice(begin, end);
  },
});

describe('safetensors', () => {
  it('reads back what it wrote, bit for bit', () => {
    const read = decodeSafetensors(encodeSafetensors(tensors, { note: 'ü' }));
    expect(new Map(read)).toEqual(new Map([...tensors].map(([name, entry]) => [name, entry])));
    expect(safetensorsMetadata(encodeSafetensors(tensors, { note: 'ü' }))).toEqual({ note: 'ü' });
  });

  it('writes equal tensors as equal bytes, whatever their order', () => {
    expect(encodeSafetensors(new Map([...tensors].reverse()))).toEqual(encodeSafetensors(tensors));
  });

  it('reads a view into a larger buffer, unaligned', () => {
    const bytes = encodeSafetensors(tensors);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(decodeSafetensors(shifted.subarray(3)).get('x')?.data).toEqual(Float32Array.of(0.1, -1, Infinity, 3));
  });

  it('reads a Buffer of Node', () => {
    expect(decodeSafetensors(Buffer.from(encodeSafetensors(tensors))).get('int')?.data).toEqual(
      Int32Array.of(-2147483648),
    );
  });

  it('widens half floats exactly', () => {
    const bytes = file(
      {
        half: { dtype: 'F16', shape: [5], data_offsets: [0, 10] },
        brain: { dtype: 'BF16', shape: [2], data_offsets: [10, 14] },
      },
      14,
    );
    const words = [0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00, 0x3f80, 0xc049];
    const view = new DataView(bytes.buffer);
    words.forEach((word, k) => view.setUint16(bytes.length - 14 + 2 * k, word, true));
    const read = decodeSafetensors(bytes);
    expect([...(read.get('half')?.data ?? [])]).toEqual([1, -2, 2 ** -24, 65504, -Infinity]);
    expect([...(read.get('brain')?.data ?? [])]).toEqual([1, -3.140625]);
  });

  it('opens a file and reads one tensor after the other by its range', async () => {
    const bytes = encodeSafetensors(tensors, { note: 'ü' });
    const ranges: number[][] = [];
    const { entries, read } = await openSafetensors('weights.safetensors', inMemory(bytes, ranges));
    expect([...entries.keys()].sort()).toEqual([...tensors.keys()].sort());
    const header = ranges.length;
    for (const [name, tensor] of tensors) expect(await read(name)).toEqual(tensor);
    expect(ranges.slice(header).map(([begin = 0, end = 0]) => end - begin)).toEqual(
      [...tensors.values()].map(({ data }) => data.byteLength),
    );
    await expect(read('y')).rejects.toThrow('[weights.safetensors] has no tensor "y".');
  });

  const entry = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  it.each<[string, Uint8Array, RegExp]>([
    ['no length', new Uint8Array(7), /7 bytes/],
    ['a header longer than the file', encodeSafetensors(tensors).subarray(0, 40), /at most 32 are possible/],
    ['a header that is not JSON', file('{"x":', 0), /not JSON/],
    ['a header that is not UTF-8', file('{}', 0).fill(0xff, 8), /not JSON/],
    ['a header that is a list', file([], 0), /not a JSON object/],
    ['an unknown dtype', file({ x: { ...entry, dtype: 'F8' } }, 8), /unknown dtype "F8"/],
    ['a dtype that is a member of Object', file({ x: { ...entry, dtype: 'toString' } }, 8), /unknown dtype/],
    ['negative extents', file({ x: { ...entry, shape: [-1, -2] } }, 8), /not a list of counts/],
    ['reversed offsets', file({ x: { ...entry, data_offsets: [8, 0] } }, 8), /takes 8 bytes/],
    ['offsets that do not match the shape', file({ x: { ...entry, shape: [3] } }, 8), /takes 12 bytes/],
    ['too few bytes', file({ x: entry }, 7), /take 8 bytes, the file holds 7/],
    ['bytes of nobody', file({ x: entry }, 9), /take 8 bytes, the file holds 9/],
    ['overlapping tensors', file({ x: entry, z: { ...entry, data_offsets: [4, 12] } }, 12), /begins at byte 4/],
  ])('refuses %s', async (_, bytes, message) => {
    const read = () => decodeSafetensors(bytes, 'weights.safetensors');
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^\[weights\.safetensors\] not a sound safetensors file/);
    await expect(openSafetensors('weights.safetensors', inMemory(bytes))).rejects.toThrow(message);
  });

  it.each<[string, Uint8Array | string, string]>([
    ['a zip of PyTorch', 'PK\u0003\u0004 and what follows', 'is a PyTorch file (a zip archive, as torch.save writes)'],
    ['a pickle of PyTorch', Uint8Array.of(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46), 'is a PyTorch file (a pickle'],
    [
      'a pointer of Git LFS',
      'version https://git-lfs.github.com/spec/v1\noid',
      'is a pointer of Git LFS, not the file',
    ],
    ['a page', '\n<!DOCTYPE html>\n<html lang="en">', 'is a page of HTML or XML: the server sent a page'],
    ['what gzip made', Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0), 'is compressed by gzip. Unpack it first'],
    ['JSON', '{ "metadata": {}, "weight_map": {} }', 'is JSON text, not safetensors.'],
    ['nothing', '', 'is empty, 0 bytes.'],
    [
      'floats of 8 bits',
      file({ x: { dtype: 'F8_E4M3', shape: [8], data_offsets: [0, 8] } }, 8),
      'tensor "x" holds F8_E4M3: floats of 8 bits or less are not read here. Write it as F16 where PyTorch is installed: ' +
        `python -c "import torch; from safetensors.torch import load_file, save_file; t = load_file('it\\'s/net.pt'); ` +
        `save_file({k: v.to(torch.float16) for k, v in t.items()}, 'it\\'s/net.converted.safetensors')"`,
    ],
  ])('says what a file is that holds %s', async (_, content, message) => {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
    const start = `[it's/net.pt] ${message}`;
    expect(() => decodeSafetensors(bytes, "it's/net.pt")).toThrow(start);
    await expect(openSafetensors("it's/net.pt", inMemory(bytes))).rejects.toThrow(start);
  });

  it('refuses to write a shape that does not fit the numbers', () => {
    expect(() => encodeSafetensors(new Map([['x', { dtype: 'F32', shape: [3], data: new Float32Array(2) }]]))).toThrow(
      'shape [3] but 2 numbers',
    );
  });
});

describe('half floats', () => {
  const written = (values: Float32Array): ArrayLike<number> =>
    decodeSafetensors(encodeSafetensors(new Map([['a', { dtype: 'F16', shape: [values.length], data: values }]]))).get(
      'a',
    )!.data as Float32Array;

  it('survive being written, all of them', () => {
    const all = Float32Array.from({ length: 65536 }, (_, bits) => {
      const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
      const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
      return exponent === 31 ? 0 : (bits & 0x8000 ? -1 : 1) * size;
    });
    const back = written(all);
    expect(all.findIndex((value, i) => !Object.is(value, back[i]))).toBe(-1);
  });

  it('are rounded as NumPy rounds', () => {
    // np.array([...], np.float32).astype(np.float16)
    const given = [
      1.0004883,
      1.00048828125,
      1.00146484375,
      65519.9,
      65520,
      1e-8,
      2 ** -25,
      2 ** -25 * 1.01,
      0.1,
      6.0999e-5,
    ];
    const expected = [1, 1, 1.001953125, 65504, Infinity, 0, 0, 2 ** -24, 0.0999755859375, 6.097555160522461e-5];
    expect(Array.from(written(Float32Array.from(given)))).toEqual(expected);
  });
});
