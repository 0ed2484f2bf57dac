/** The machine that reads pickles as data, protocols 2 to 5; what a name in one means is in pickle-names.ts. */
import { type ByteSource, sliceOf } from './byte-source.ts';
import { call, isKind, named, type Pickled, type PickleReader, unsound } from './pickle-names.ts';

const [mostOpcodes, longestText, window] = [2_000_000, 1 << 24, 1 << 16];

/** The value of the pickle that begins at byte `begin`, and the place behind it. */
export async function unpickle(
  source: ByteSource,
  reader: PickleReader,
  begin = 0,
): Promise<{ readonly value: Pickled; readonly end: number }> {
  const { where } = reader;
  let held = new Uint8Array(0);
  let [from, at] = [begin, begin];
  const take = async (count: number): Promise<DataView> => {
    if (at + count > source.size) throw unsound(where, `it ends at byte ${source.size} in the middle.`);
    if (at < from || at + count > from + held.length) {
      held = new Uint8Array(await source.read(at, Math.min(source.size, at + Math.max(count, window))));
      from = at;
    }
    at += count;
    return new DataView(held.buffer, at - count - from, count);
  };
  const skip = (count: number): ByteSource => {
    if (at + count > source.size) throw unsound(where, `${count} bytes at byte ${at} end behind it.`);
    at += count;
    return sliceOf(source, at - count, at);
  };
  const byte = async (): Promise<number> => (await take(1)).getUint8(0);
  const long = async (): Promise<number> => (await take(4)).getUint32(0, true);
  const longer = async (): Promise<number> => Number((await take(8)).getBigUint64(0, true));
  const text = async (length: number): Promise<string> => {
    if (length > longestText) throw unsound(where, `a text of ${length} bytes is too long.`);
    return new TextDecoder().decode(await take(length));
  };
  const line = async (): Promise<string> => {
    const letters: number[] = [];
    for (let next = await byte(); next !== 0x0a; next = await byte()) {
      if (letters.push(next) > 1000) throw unsound(where, 'a name is longer than 1000 letters.');
    }
    return String.fromCharCode(...letters);
  };
  const integer = async (length: number): Promise<number | bigint> => {
    if (length > 1024) throw unsound(where, `an integer of ${length} bytes is too long.`);
    const digits = await take(length);
    let value = 0n;
    for (let k = length - 1; k >= 0; k--) value = value * 256n + BigInt(digits.getUint8(k));
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  };

  let stack: Pickled[] = [];
  const marks: Pickled[][] = [];
  const memo = new Map<number, Pickled>();
  const pop = (): Pickled => {
    const value = stack.pop();
    if (value === undefined) throw unsound(where, `its stack is empty at byte ${at}.`);
    return value;
  };
  const top = (): Pickled => {
    const value = stack[stack.length - 1];
    if (value === undefined) throw unsound(where, `its stack is empty at byte ${at}.`);
    return value;
  };
  const popMark = (): Pickled[] => {
    const above = stack;
    const below = marks.pop();
    if (below === undefined) throw unsound(where, `a mark is missing at byte ${at}.`);
    stack = below;
    return above;
  };
  const tuple = (count: number): Pickled[] => Array.from({ length: count }, pop).reverse();
  const extend = (values: readonly Pickled[]): void => {
    const list = top();
    if (Array.isArray(list)) for (const value of values) list.push(value);
    else if (list instanceof Set) for (const value of values) list.add(value);
    else if (!isKind(list, 'object')) throw unsound(where, `byte ${at} adds to what is no list.`);
  };
  const setItems = (values: readonly Pickled[]): void => {
    const target = top();
    const items = target instanceof Map ? target : isKind(target, 'object') ? target.items : undefined;
    if (!items) throw unsound(where, `byte ${at} sets entries of what is no dict.`);
    for (let k = 0; k + 1 < values.length; k += 2) items.set(values[k] ?? null, values[k + 1] ?? null);
  };
  const recall = (index: number): Pickled => {
    const value = memo.get(index);
    if (value === undefined) throw unsound(where, `byte ${at} recalls what was not remembered.`);
    return value;
  };
  const build = (state: Pickled): void => {
    const target = top();
    if (isKind(target, 'object')) target.state = state;
  };
  const persistent = (id: Pickled): Pickled => {
    if (!reader.persistent || !Array.isArray(id)) throw unsound(where, 'a storage stands where none can be.');
    return reader.persistent(id);
  };

  const simple: Readonly<Record<number, () => Pickled | Promise<Pickled>>> = {
    0x4e: () => null,
    0x88: () => true,
    0x89: () => false,
    0x4a: async () => (await take(4)).getInt32(0, true),
    0x4b: byte,
    0x4d: async () => (await take(2)).getUint16(0, true),
    0x8a: async () => integer(await byte()),
    0x8b: async () => integer(await long()),
    0x47: async () => (await take(8)).getFloat64(0, false),
    0x54: async () => text(await long()),
    0x55: async () => text(await byte()),
    0x58: async () => text(await long()),
    0x8c: async () => text(await byte()),
    0x8d: async () => text(await longer()),
    0x42: async () => ({ kind: 'bytes', source: skip(await long()) }),
    0x43: async () => ({ kind: 'bytes', source: skip(await byte()) }),
    0x8e: async () => ({ kind: 'bytes', source: skip(await longer()) }),
    0x96: async () => ({ kind: 'bytes', source: skip(await longer()) }),
    0x5d: () => [],
    0x29: () => [],
    0x7d: () => new Map(),
    0x8f: () => new Set(),
    0x74: popMark,
    0x6c: popMark,
    0x85: () => tuple(1),
    0x86: () => tuple(2),
    0x87: () => tuple(3),
    0x91: () => new Set(popMark()),
    0x68: async () => recall(await byte()),
    0x6a: async () => recall(await long()),
    0x51: () => persistent(pop()),
    0x63: async () => named(await line(), await line(), where),
    0x93: () => {
      const [module, name] = tuple(2);
      if (typeof module !== 'string' || typeof name !== 'string') throw unsound(where, 'a name is no text.');
      return named(module, name, where);
    },
    0x52: () => {
      const [callable = null, args = null] = tuple(2);
      return call(callable, args, reader);
    },
    0x81: () => {
      const [callable = null, args = null] = tuple(2);
      return call(callable, args, reader);
    },
  };
  const effects: Readonly<Record<number, () => void | Promise<void>>> = {
    0x80: async () => {
      const protocol = await byte();
      if (protocol < 2 || protocol > 5) throw unsound(where, `its protocol is ${protocol}, 2 to 5 are read.`);
    },
    0x95: async () => void (await take(8)),
    0x28: () => {
      marks.push(stack);
      stack = [];
    },
    0x30: () => void pop(),
    0x31: () => void popMark(),
    0x61: () => extend([pop()]),
    0x65: () => extend(popMark()),
    0x90: () => extend(popMark()),
    0x73: () => setItems(tuple(2)),
    0x75: () => setItems(popMark()),
    0x62: () => build(pop()),
    0x71: async () => void memo.set(await byte(), top()),
    0x72: async () => void memo.set(await long(), top()),
    0x94: () => void memo.set(memo.size, top()),
  };

  for (let count = 0; count < mostOpcodes; count++) {
    const opcode = await byte();
    if (opcode === 0x2e) return { value: pop(), end: at };
    const make = simple[opcode];
    const effect = effects[opcode];
    if (make) {
      // First: `make` may exchange the stack.
      const made = await make();
      stack.push(made);
    } else if (effect) await effect();
    else throw unsound(where, `opcode 0x${opcode.toString(16)} at byte ${at - 1} is not one of a checkpoint.`);
  }
  throw unsound(where, `it has more than ${mostOpcodes} opcodes.`);
}
