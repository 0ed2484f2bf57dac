/** NumPy's files of one array: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
import { ConfigError, showShape } from './errors.ts';
import { sizeOf } from './shapes.ts';

/** An array as it lies in a file, row-major. */
export type NpyArray = { readonly shape: readonly number[]; readonly data: Float32Array | Float64Array };

/** The first bytes of every such file, before its version. */
const magic = '\x93NUMPY';
/** The header fills up to a multiple of this, so that the numbers are aligned. */
const alignment = 64;

/** The bytes of an array, format 1.0. */
export function encodeNpy({ shape, data }: NpyArray): Uint8Array {
  const type = data instanceof Float32Array ? '<f4' : '<f8';
  const tuple = `(${shape.map((n) => `${n},`).join(' ')})`;
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const before = magic.length + 4;
  const header = text.padEnd(Math.ceil((before + text.length + 1) / alignment) * alignment - before - 1) + '\n';
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([
    Buffer.from(`${magic}\x01\x00`, 'latin1'),
    length,
    Buffer.from(header, 'latin1'),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

/** Reads an array of float32 or float64. Throws ConfigError where `source` is no such file, or is cut. */
export function decodeNpy(bytes: Uint8Array, source: string): NpyArray {
  const refuse = (what: string): ConfigError =>
    new ConfigError(source, what, 'Write it with numpy.save, as float32 or float64 in C order.');
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.toString('latin1', 0, magic.length) !== magic || file.length < magic.length + 6)
    throw refuse('is no .npy file.');
  const isFirst = file[magic.length] === 1;
  const start = magic.length + (isFirst ? 4 : 6);
  const end = start + (isFirst ? file.readUInt16LE(magic.length + 2) : file.readUInt32LE(magic.length + 2));
  const header = file.toString('latin1', start, Math.min(end, file.length));
  const type = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const axes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (type === undefined || axes === undefined) throw refuse('has a header without type or shape.');
  if (type !== '<f4' && type !== '<f8') throw refuse(`holds numbers of type ${type}.`);
  if (/'fortran_order':\s*True/.test(header)) throw refuse('is in Fortran order.');
  const shape = axes.split(',').flatMap((axis) => (axis.trim() === '' ? [] : [Number(axis)]));
  const count = sizeOf(shape);
  const needed = count * (type === '<f4' ? 4 : 8);
  if (file.length - end < needed)
    throw refuse(`holds ${Math.max(0, file.length - end)} bytes of numbers, ${showShape(shape)} needs ${needed}.`);
  // A copy, which begins where numbers may begin.
  const { buffer } = Uint8Array.from(file.subarray(end, end + needed));
  return { shape, data: type === '<f4' ? new Float32Array(buffer) : new Float64Array(buffer) };
}
