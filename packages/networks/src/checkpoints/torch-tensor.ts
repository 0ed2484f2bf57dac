/** Tensors as PyTorch stores them: a view, by offset and strides, of a storage that several may share. */
import { ConfigError, decodeEntry, itemSizes, type SafetensorsEntry, showShape, sizeOf } from '@tweedie/core';

export type TorchDtype = SafetensorsEntry['dtype'];

/** The numbers of one record of a file, read when they are wanted. */
export type TorchStorage = {
  readonly kind: 'storage';
  /** How errors call it. */
  readonly name: string;
  readonly dtype: TorchDtype;
  readonly count: number;
  /** Bytes begin .. end - 1. */
  read(begin: number, end: number): Promise<Uint8Array>;
};

export type TorchTensor = {
  readonly kind: 'tensor';
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
};

/** A tensor of stride 0 may have more numbers than its storage; more than these are refused. */
const mostRepeated = 1 << 20;

/** Numbers of the storage between the first and the last that a view touches, both included. */
const spanOf = (shape: readonly number[], strides: readonly number[]): number =>
  sizeOf(shape) === 0 ? 0 : shape.reduce((last, extent, k) => last + (extent - 1) * (strides[k] ?? 0), 1);

/** The view; throws ConfigError where it does not lie within its storage. */
export function torchTensor(
  storage: TorchStorage,
  offset: number,
  shape: readonly number[],
  strides: readonly number[],
  where: string,
): TorchTensor {
  const span = spanOf(shape, strides);
  const counts = [offset, ...shape, ...strides, sizeOf(shape), span];
  const sound = counts.every((count) => Number.isSafeInteger(count) && count >= 0) && shape.length === strides.length;
  const fits = sound && offset + span <= storage.count && sizeOf(shape) <= Math.max(storage.count, mostRepeated);
  if (!fits)
    throw new ConfigError(
      where,
      `not a sound checkpoint: a tensor of shape ${showShape(shape)}, strides ${showShape(strides)} and offset ${offset} does not lie within its storage ${storage.name} of ${storage.count} numbers.`,
      'Fetch the file again: it is damaged.',
    );
  return { kind: 'tensor', storage, offset, shape, strides };
}

/** Reads the numbers of a view, row-major: one range of the file, gathered where the view is not in that order. */
export async function readTorchTensor({ storage, offset, shape, strides }: TorchTensor): Promise<SafetensorsEntry> {
  const item = itemSizes[storage.dtype];
  const bytes = await storage.read(offset * item, (offset + spanOf(shape, strides)) * item);
  const own = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  const buffer = own && bytes.buffer instanceof ArrayBuffer ? bytes.buffer : new Uint8Array(bytes).buffer;
  return decodeEntry(
    storage.dtype,
    shape,
    isRowMajor(shape, strides) ? buffer : gathered(buffer, shape, strides, item),
  );
}

function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  if (sizeOf(shape) === 0) return true;
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] ?? 1;
    if (extent !== 1 && strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
}

function gathered(from: ArrayBuffer, shape: readonly number[], strides: readonly number[], item: number): ArrayBuffer {
  const into = new ArrayBuffer(sizeOf(shape) * item);
  if (item === 8) gather(new BigUint64Array(from), new BigUint64Array(into), shape, strides);
  else if (item === 4) gather(new Uint32Array(from), new Uint32Array(into), shape, strides);
  else if (item === 2) gather(new Uint16Array(from), new Uint16Array(into), shape, strides);
  else gather(new Uint8Array(from), new Uint8Array(into), shape, strides);
  return into;
}

function gather<N>(
  from: { readonly [place: number]: N },
  into: { [place: number]: N; readonly length: number },
  shape: readonly number[],
  strides: readonly number[],
): void {
  const index = shape.map(() => 0);
  let place = 0;
  for (let i = 0; i < into.length; i++) {
    const value = from[place];
    if (value !== undefined) into[i] = value;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [stride, next] = [strides[axis] ?? 0, (index[axis] ?? 0) + 1];
      if (next < (shape[axis] ?? 0)) {
        index[axis] = next;
        place += stride;
        break;
      }
      place -= (next - 1) * stride;
      index[axis] = 0;
    }
  }
}
