/**
 * The records of a zip archive, for the files of torch.save: they are stored without compression, so that a record is
 * a range of the file. The central directory is read, 64-bit sizes too; nothing is unpacked.
 */
import { crc32 } from 'node:zlib';
import { ConfigError } from '@tweedie/core';
import { type ByteSource, sliceOf } from './byte-source.ts';

export type ZipRecord = ByteSource & {
  readonly name: string;
  /** CRC-32 of its bytes, as the directory says. */
  readonly crc: number;
};

const endSize = 22;
const longestComment = 0xffff;
const largestDirectory = 1 << 26;
const bytesAtOnce = 1 << 26;
/** What a 32-bit or a 16-bit field holds when the number stands in the zip64 part. */
const [elsewhere, elsewhereShort] = [0xffffffff, 0xffff];
const signatures = { end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50, entry: 0x02014b50, local: 0x04034b50 };
const CUT = 'Fetch the file again: it is cut off or damaged.';

const broken = (where: string, what: string): ConfigError =>
  new ConfigError(where, `not a sound zip archive (as torch.save writes): ${what}`, CUT);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const safe = (value: bigint, where: string): number => {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw broken(where, `a size or place of ${value} bytes is too large.`);
  return Number(value);
};

type Directory = { readonly begin: number; readonly size: number; readonly count: number };

async function findDirectory(source: ByteSource, where: string): Promise<Directory> {
  const from = Math.max(0, source.size - endSize - longestComment);
  const tail = await source.read(from, source.size);
  const view = viewOf(tail);
  let at = tail.length - endSize;
  const isEnd = (place: number): boolean =>
    view.getUint32(place, true) === signatures.end &&
    place + endSize + view.getUint16(place + 20, true) === tail.length;
  while (at >= 0 && !isEnd(at)) at--;
  if (at < 0) throw broken(where, 'the list of its records, which stands at the end, is gone.');
  const plain = {
    count: view.getUint16(at + 10, true),
    size: view.getUint32(at + 12, true),
    begin: view.getUint32(at + 16, true),
  };
  const is64 = plain.count === elsewhereShort || plain.size === elsewhere || plain.begin === elsewhere;
  if (!is64) return plain;
  if (at < 20 || view.getUint32(at - 20, true) !== signatures.locator64)
    throw broken(where, 'its 64-bit end record is gone.');
  const begin64 = safe(view.getBigUint64(at - 12, true), where);
  if (begin64 + 56 > source.size) throw broken(where, 'its 64-bit end record lies outside of the file.');
  const end64 = viewOf(await source.read(begin64, begin64 + 56));
  if (end64.getUint32(0, true) !== signatures.end64) throw broken(where, 'its 64-bit end record is damaged.');
  return {
    count: safe(end64.getBigUint64(32, true), where),
    size: safe(end64.getBigUint64(40, true), where),
    begin: safe(end64.getBigUint64(48, true), where),
  };
}

/** Size, size as stored and place of an entry, from the zip64 field where the 32-bit ones do not hold them. */
function placeOf(view: DataView, at: number, where: string): readonly [size: number, stored: number, begin: number] {
  const numbers = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  let extra = at + 46 + view.getUint16(at + 28, true);
  const end = extra + view.getUint16(at + 30, true);
  for (; extra + 4 <= end; extra += 4 + view.getUint16(extra + 2, true)) {
    if (view.getUint16(extra, true) !== 1) continue;
    let field = extra + 4;
    const fieldEnd = Math.min(end, field + view.getUint16(extra + 2, true));
    for (const [k, value] of numbers.entries()) {
      if (value !== elsewhere || field + 8 > fieldEnd) continue;
      numbers[k] = safe(view.getBigUint64(field, true), where);
      field += 8;
    }
    break;
  }
  const [size = 0, stored = 0, begin = 0] = numbers;
  return [size, stored, begin];
}

/** The records of an archive by name. Throws ConfigError where it is not sound, or a record is not stored as it is. */
export async function openZip(source: ByteSource, where: string): Promise<ReadonlyMap<string, ZipRecord>> {
  const directory = await findDirectory(source, where);
  if (directory.begin + directory.size > source.size || directory.size > largestDirectory)
    throw broken(where, `the list of its records (${directory.size} bytes) does not fit into the file.`);
  const bytes = await source.read(directory.begin, directory.begin + directory.size);
  const view = viewOf(bytes);
  const records = new Map<string, ZipRecord>();
  let at = 0;
  for (let k = 0; k < directory.count; k++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== signatures.entry)
      throw broken(where, `entry ${k} of the list of its records is damaged.`);
    const [nameSize, extraSize, commentSize] = [28, 30, 32].map((place) => view.getUint16(at + place, true)) as [
      number,
      number,
      number,
    ];
    const next = at + 46 + nameSize + extraSize + commentSize;
    if (next > bytes.length) throw broken(where, `entry ${k} of the list of its records is cut off.`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameSize));
    const [size, stored, begin] = placeOf(view, at, where);
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    const crc = view.getUint32(at + 16, true);
    if (records.has(name)) throw broken(where, `it holds two records ${JSON.stringify(name)}.`);
    if ((flags & 1) === 1 || method !== 0)
      throw new ConfigError(
        where,
        `record ${JSON.stringify(name)} of the zip archive is ${flags & 1 ? 'encrypted' : 'compressed'}, which those of torch.save are not.`,
        'If the checkpoint was zipped again, unpack it and give what was in it; else fetch the file again.',
      );
    if (stored !== size) throw broken(where, `record ${JSON.stringify(name)} has two sizes, ${size} and ${stored}.`);
    if (begin + 30 + nameSize + size > source.size)
      throw broken(where, `record ${JSON.stringify(name)} ends behind the file.`);
    records.set(name, { name, crc, ...recordSource(source, begin, nameSize, size, where) });
    at = next;
  }
  return records;
}

/** The bytes of a record, which begin behind a header of its own; that is read with the first of them. */
function recordSource(source: ByteSource, header: number, nameSize: number, size: number, where: string): ByteSource {
  let begin: number | undefined;
  return {
    size,
    async read(from, to) {
      if (begin === undefined) {
        const local = viewOf(await source.read(header, header + 30));
        const data = header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
        const sound = local.getUint32(0, true) === signatures.local && local.getUint16(26, true) === nameSize;
        if (!sound || data + size > source.size) throw broken(where, `the record at byte ${header} is damaged.`);
        begin = data;
      }
      return sliceOf(source, begin, begin + size).read(from, to);
    },
  };
}

/**
 * A record that checks its CRC-32 before it gives the first bytes: at once where it is read as a whole, else by
 * reading it once from end to end, a part at a time.
 */
export function checkedRecord(record: ZipRecord, where: string): ByteSource {
  let checked = false;
  const check = (crc: number): void => {
    if (crc !== record.crc)
      throw broken(where, `record ${JSON.stringify(record.name)} is damaged, its CRC-32 does not match.`);
    checked = true;
  };
  return {
    size: record.size,
    async read(begin, end) {
      if (!checked && (begin > 0 || end < record.size)) {
        let crc = 0;
        for (let at = 0; at < record.size; at += bytesAtOnce)
          crc = crc32(await record.read(at, Math.min(record.size, at + bytesAtOnce)), crc);
        check(crc);
      }
      const bytes = await record.read(begin, end);
      if (!checked) check(crc32(bytes));
      return bytes;
    },
  };
}
