/** What a file of safetensors begins with. */
import { sizeOf } from './shapes.ts';

/** Bytes of one number. */
export const itemSizes = {
  F64: 8,
  I64: 8,
  F32: 4,
  I32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;
export type SafetensorsDtype = keyof typeof itemSizes;

/** What a file of these tensors begins with, in the order in which their bytes are to follow. */
export function safetensorsHead(
  ordered: Iterable<readonly [string, { readonly dtype: SafetensorsDtype; readonly shape: readonly number[] }]>,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata };
  for (const [name, { dtype, shape }] of ordered) {
    const begin = end;
    end += sizeOf(shape) * itemSizes[dtype];
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const head = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20, 8);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - 8), true);
  head.set(text, 8);
  return head;
}
