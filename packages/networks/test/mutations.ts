/** Files in memory, and sound files that were damaged. */
import type { Files } from '@tweedie/core';
import { testContext } from '@tweedie/testing';
import fc from 'fast-check';

/** Files of a context, of which those named are in memory. */
export const inMemory = (held: Readonly<Record<string, Uint8Array>>): Files => {
  const { files } = testContext('.');
  return {
    ...files,
    size: async (path) => held[path]?.length ?? files.size(path),
    readRange: async (path, begin, end) => held[path]?.slice(begin, end) ?? files.readRange(path, begin, end),
  };
};

/** One damage: bytes that are others, lost or there twice. */
type Damage = { readonly how: (typeof ways)[number]; readonly at: number; readonly byte: number };
const ways = ['other', 'bit', 'blank', 'cut', 'lost', 'more', 'twice'] as const;

/** Damage to a file of some bytes, half of it near the ends, where the formats are. */
export const damageTo = (size: number): fc.Arbitrary<Damage> => {
  const near = Math.min(size - 1, 2000);
  const at = fc.oneof(
    fc.nat(size - 1),
    fc.nat(near),
    fc.nat(near).map((back) => size - 1 - back),
  );
  return fc.record({ how: fc.constantFrom(...ways), at, byte: fc.nat(255) });
};

export function damaged(sound: Uint8Array, { how, at, byte }: Damage): Uint8Array {
  const joined = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
  const [before, after] = [sound.subarray(0, at), sound.subarray(at)];
  switch (how) {
    case 'other':
      return joined(before, Uint8Array.of(byte), after.subarray(1));
    case 'bit':
      return joined(before, Uint8Array.of((sound[at] ?? 0) ^ (1 << (byte % 8))), after.subarray(1));
    case 'blank':
      return Uint8Array.from(sound).fill(byte < 128 ? 0 : 255, at, at + 1 + (byte % 8));
    case 'cut':
      return joined(before);
    case 'lost':
      return joined(before, after.subarray(1 + (byte % 16)));
    case 'more':
      return joined(before, Uint8Array.of(byte), after);
    case 'twice':
      return joined(before, sound.subarray(Math.max(0, at - byte)));
  }
}
