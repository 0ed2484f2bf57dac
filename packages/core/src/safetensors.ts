/**
 * The safetensors format: eight bytes of header length, a JSON header with dtype, shape and byte range of every tensor,
 * then the bytes, row-major and little-endian. The reader refuses whatever does not add up; nothing in a file can make
 * it run code.
 */
import { ConfigError, messageOf, showShape } from './errors.ts';
import type { Files } from './files.ts';
import { asHalfFloats, foreignFile } from './foreign-file.ts';
import { halfToNumber, numberToHalf } from './half-float.ts';
import { itemSizes, type SafetensorsDtype, safetensorsHead } from './safetensors-head.ts';
import { sizeOf } from './shapes.ts';

type Arrays = {
  F64: Float64Array;
  F32: Float32Array;
  /** Half floats are widened to float32, which is exact. */
  F16: Float32Array;
  BF16: Float32Array;
  I64: BigInt64Array;
  I32: Int32Array;
  I16: Int16Array;
  I8: Int8Array;
  U8: Uint8Array;
  /** One byte each, 0 or 1. */
  BOOL: Uint8Array;
};
type Entry<D extends SafetensorsDtype> = {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: Arrays[D];
};
/** One tensor: `data` holds shape[0] * shape[1] * ... numbers, row-major. */
export type SafetensorsEntry = { [D in SafetensorsDtype]: Entry<D> }[SafetensorsDtype];
/** A tensor that can be written; as F16 each number is rounded to the nearest half float. */
export type SafetensorsInput = Exclude<SafetensorsEntry, { readonly dtype: 'BF16' }>;

/** The longest header that the reference implementation reads. */
const maxHeaderBytes = 100_000_000;

type Located = {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
};

/** All tensors of a file by name. `source` (its path) begins every error. */
export function decodeSafetensors(bytes: Uint8Array, source = 'safetensors'): Map<string, SafetensorsEntry> {
  const { header, dataStart } = readHeader(bytes, source);
  const located = locateAll(header, bytes.length - dataStart, source);
  return new Map(
    located.map(
      ({ name, dtype, shape, begin, end }) =>
        [name, decodeEntry(dtype, shape, copyOf(bytes.subarray(dataStart + begin, dataStart + end)))] as const,
    ),
  );
}

/** A file whose tensors are read when they are asked for. */
export type SafetensorsFile = {
  readonly entries: ReadonlyMap<string, { readonly dtype: SafetensorsDtype; readonly shape: readonly number[] }>;
  /** The free text fields of the header. */
  readonly metadata: Readonly<Record<string, string>>;
  read(name: string): Promise<SafetensorsEntry>;
};

/** Opens a file of any size: reads its header, and each tensor by its range. */
export async function openSafetensors(
  path: string,
  files: Pick<Files, 'size' | 'readRange'>,
): Promise<SafetensorsFile> {
  const size = await files.size(path);
  const dataStart = 8 + headerLength(await files.readRange(path, 0, Math.min(512, size)), size, path);
  const { header } = readHeader(await files.readRange(path, 0, dataStart), path);
  const entries = new Map(locateAll(header, size - dataStart, path).map((located) => [located.name, located]));
  return {
    entries,
    metadata: metadataOf(header, path),
    async read(name) {
      const located = entries.get(name);
      if (located === undefined)
        throw new ConfigError(path, `has no tensor "${name}".`, 'Correct the name, or take the file that has it.');
      const { dtype, shape, begin, end } = located;
      return decodeEntry(dtype, shape, copyOf(await files.readRange(path, dataStart + begin, dataStart + end)));
    },
  };
}

/** Throws where a file of `size` bytes is cut or otherwise not sound; `head` is its beginning, the header at least. */
export function checkSafetensors(head: Uint8Array, size: number, source: string): void {
  const { header, dataStart } = readHeader(head, source);
  locateAll(header, size - dataStart, source);
}

/** The free text fields of a file's header. */
export function safetensorsMetadata(bytes: Uint8Array, source = 'safetensors'): Readonly<Record<string, string>> {
  return metadataOf(readHeader(bytes, source).header, source);
}

function metadataOf(header: Record<string, unknown>, source: string): Readonly<Record<string, string>> {
  const metadata = header['__metadata__'] ?? {};
  if (!isRecord(metadata)) throw broken(source, 'its __metadata__ is not an object.');
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, String(value)]));
}

/**
 * The bytes of a file. Tensors are laid out by item size, then by name, so equal tensors give equal bytes whatever the
 * order of the map and every tensor is aligned.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsInput>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const ordered = [...tensors].sort(
    ([a, { dtype: p }], [b, { dtype: q }]) => itemSizes[q] - itemSizes[p] || (a < b ? -1 : 1),
  );
  for (const [name, { shape, data }] of ordered)
    if (data.length !== sizeOf(shape)) {
      const what = `tensor "${name}" has shape ${showShape(shape)} but ${data.length} numbers.`;
      throw new ConfigError('safetensors', what, '');
    }
  const head = safetensorsHead(ordered, metadata);
  const size = ordered.reduce((sum, [, { dtype, data }]) => sum + data.length * itemSizes[dtype], head.length);
  const bytes = new Uint8Array(size);
  bytes.set(head);
  let position = head.length;
  for (const [, { dtype, data }] of ordered) {
    const written = dtype === 'F16' ? Uint16Array.from(data, numberToHalf) : data;
    bytes.set(new Uint8Array(written.buffer, written.byteOffset, written.byteLength), position);
    position += written.byteLength;
  }
  return bytes;
}

/** The header's length, which the first eight bytes say; `size` is that of the whole file. */
function headerLength(bytes: Uint8Array, size: number, source: string): number {
  if (size === 0) throw new ConfigError(source, 'is empty, 0 bytes.', 'Fetch or write the file again.');
  if (size < 8) throw broken(source, `it has ${size} bytes, less than the 8 of the header length.`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  const available = Math.min(size - 8, maxHeaderBytes);
  if (length > BigInt(available))
    throw (
      foreign(bytes, source) ?? broken(source, `its header says ${length} bytes, at most ${available} are possible.`)
    );
  return Number(length);
}

function readHeader(bytes: Uint8Array, source: string): { header: Record<string, unknown>; dataStart: number } {
  const dataStart = 8 + headerLength(bytes, bytes.length, source);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, dataStart)));
  } catch (cause) {
    throw foreign(bytes, source) ?? broken(source, `its header is not JSON (${messageOf(cause)}).`, cause);
  }
  if (!isRecord(header)) throw broken(source, 'its header is not a JSON object.');
  return { header, dataStart };
}

/** Finds the tensors in the `available` bytes behind the header. */
function locateAll(header: Record<string, unknown>, available: number, source: string): readonly Located[] {
  const located = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => locate(name, value, source));
  checkCoverage(located, available, source);
  return located;
}

function locate(name: string, value: unknown, source: string): Located {
  const fail = (what: string) => broken(source, `tensor "${name}" ${what}`);
  if (!isRecord(value)) throw fail('is not described by an object.');
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype === 'string' && /^F[468]_/.test(dtype))
    throw new ConfigError(
      source,
      `tensor "${name}" holds ${dtype}: floats of 8 bits or less are not read here.`,
      asHalfFloats(source),
    );
  if (!isDtype(dtype))
    throw fail(`has the unknown dtype ${JSON.stringify(dtype)}; known are ${Object.keys(itemSizes).join(', ')}.`);
  if (!isCounts(shape)) throw fail(`has the shape ${JSON.stringify(shape)}, which is not a list of counts.`);
  if (!isCounts(offsets) || offsets.length !== 2)
    throw fail(`has the data_offsets ${JSON.stringify(offsets)}, not two positions.`);
  const [begin = 0, end = 0] = offsets;
  const expected = sizeOf(shape) * itemSizes[dtype];
  if (end - begin !== expected)
    throw fail(
      `of dtype ${dtype} and shape ${showShape(shape)} takes ${expected} bytes, its offsets [${begin}, ${end}] hold ${end - begin}.`,
    );
  return { name, dtype, shape, begin, end };
}

/**
 * Throws unless every data byte belongs to exactly one tensor, as the format wants; so a name that the header repeats
 * is found, too.
 */
function checkCoverage(located: readonly Located[], available: number, source: string): void {
  let position = 0;
  for (const { name, begin, end } of [...located].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== position)
      throw broken(source, `tensor "${name}" begins at byte ${begin}, the one before it ends at ${position}.`);
    position = end;
  }
  if (position !== available) throw broken(source, `its tensors take ${position} bytes, the file holds ${available}.`);
}

/** The tensor whose row-major little-endian numbers are in `buffer`, which it may keep. */
export function decodeEntry(dtype: SafetensorsDtype, shape: readonly number[], buffer: ArrayBuffer): SafetensorsEntry {
  switch (dtype) {
    case 'F64':
      return { dtype, shape, data: new Float64Array(buffer) };
    case 'F32':
      return { dtype, shape, data: new Float32Array(buffer) };
    case 'F16':
      return { dtype, shape, data: widened(new Uint16Array(buffer), halfToNumber) };
    case 'BF16':
      return {
        dtype,
        shape,
        data: new Float32Array(leadingHalves(new Uint16Array(buffer)).buffer),
      };
    case 'I64':
      return { dtype, shape, data: new BigInt64Array(buffer) };
    case 'I32':
      return { dtype, shape, data: new Int32Array(buffer) };
    case 'I16':
      return { dtype, shape, data: new Int16Array(buffer) };
    case 'I8':
      return { dtype, shape, data: new Int8Array(buffer) };
    case 'U8':
      return { dtype, shape, data: new Uint8Array(buffer) };
    case 'BOOL':
      return { dtype, shape, data: new Uint8Array(buffer) };
  }
}

/** A loop: `Float32Array.from` takes ten times as long, seconds for a large network. */
function widened(words: Uint16Array, toNumber: (bits: number) => number): Float32Array {
  const numbers = new Float32Array(words.length);
  for (let i = 0; i < words.length; i++) numbers[i] = toNumber(words[i] ?? 0);
  return numbers;
}

/** The bits of float32 numbers from their upper 16, which bfloat16 is. */
function leadingHalves(words: Uint16Array): Uint32Array<ArrayBuffer> {
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) bits[i] = (words[i] ?? 0) << 16;
  return bits;
}

/** A copy in a buffer of its own. `slice` would not do: for a Buffer of Node it gives a view of the pool. */
const copyOf = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isDtype = (value: unknown): value is SafetensorsDtype =>
  typeof value === 'string' && Object.hasOwn(itemSizes, value);
const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry) && entry >= 0);
/** The error for a file of another kind, told from its first bytes. */
const foreign = (head: Uint8Array, source: string): ConfigError | undefined => {
  const found = foreignFile(head, source);
  return found && new ConfigError(source, found.what, found.remedy);
};
const broken = (source: string, what: string, cause?: unknown): ConfigError =>
  new ConfigError(
    source,
    `not a sound safetensors file: ${what}`,
    'Fetch or write the file again.',
    cause === undefined ? {} : { cause },
  );
