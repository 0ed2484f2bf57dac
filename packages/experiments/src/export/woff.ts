/** Fonts as npm packages carry them, in the form that PDFKit reads fast. */
import { inflateSync } from 'node:zlib';

const HEADER = { woff: 44, sfnt: 12 };
const ENTRY = { woff: 20, sfnt: 16 };

/**
 * The OpenType font inside a WOFF file (W3C, WOFF File Format 1.0): its tables, each inflated once. PDFKit takes packed
 * ones too, but inflates all glyphs again for each that it draws, which takes twenty times as long.
 */
export const unpackWoff = (woff: Buffer): Buffer => {
  const count = woff.readUInt16BE(12);
  const tables = Array.from({ length: count }, (_, i) => {
    const entry = woff.subarray(HEADER.woff + i * ENTRY.woff);
    const [offset, packed, length] = [entry.readUInt32BE(4), entry.readUInt32BE(8), entry.readUInt32BE(12)];
    const data = woff.subarray(offset, offset + packed);
    return {
      tag: entry.subarray(0, 4),
      checksum: entry.subarray(16, 20),
      data: packed < length ? inflateSync(data) : data,
    };
  });
  const power = Math.floor(Math.log2(count));
  const head = Buffer.alloc(HEADER.sfnt + count * ENTRY.sfnt);
  woff.copy(head, 0, 4, 8); // the kind of its outlines
  head.writeUInt16BE(count, 4);
  head.writeUInt16BE(16 * 2 ** power, 6);
  head.writeUInt16BE(power, 8);
  head.writeUInt16BE(16 * (count - 2 ** power), 10);
  const parts: Buffer[] = [head];
  let place = head.length;
  for (const [i, { tag, checksum, data }] of tables.entries()) {
    const entry = HEADER.sfnt + i * ENTRY.sfnt;
    head.set(tag, entry);
    head.set(checksum, entry + 4);
    head.writeUInt32BE(place, entry + 8);
    head.writeUInt32BE(data.length, entry + 12);
    // Tables begin at multiples of four bytes.
    const gap = Buffer.alloc((4 - (data.length % 4)) % 4);
    parts.push(data, gap);
    place += data.length + gap.length;
  }
  return Buffer.concat(parts);
};
