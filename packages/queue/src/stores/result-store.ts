import { sha256 } from '@tweedie/core';

/**
 * Objects by key, where several machines find them: results of chunks, problems, plans of runs. A key names what its
 * object depends on, so that two writers of one key write the same bytes.
 */
export interface ResultStore {
  /** Where it is, in words, without credentials. */
  readonly place: string;
  /** Whether a whole object is there: it is read, and its checksum compared. */
  has(key: string): Promise<boolean>;
  /** Stores an object whole or not at all. One that is there and whole stays; a damaged one is replaced. */
  put(key: string, content: Uint8Array): Promise<void>;
  /** The object; undefined where there is none, or one that is not what was stored. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** The keys that begin so. Nothing is read: an object among them may turn out to be damaged. */
  list(prefix: string): Promise<readonly string[]>;
  close?(): Promise<void>;
}

/** What a place for objects must be able to do; `sealed` makes a store of it. */
export interface Objects {
  readonly place: string;
  get(key: string): Promise<Uint8Array | undefined>;
  /** Stores an object whole, unless one is there and `replace` is not set. Gives whether it was stored. */
  put(key: string, bytes: Uint8Array, replace: boolean): Promise<boolean>;
  list(prefix: string): Promise<readonly string[]>;
  close?(): Promise<void>;
}

const MARK = 'tweedie-object-1 ';
const HEAD = MARK.length + 64 + 1;

/** An object as it is stored: a line with its SHA-256, then its bytes. */
export const seal = (content: Uint8Array): Uint8Array => {
  const head = new TextEncoder().encode(`${MARK}${sha256(content)}\n`);
  const sealed = new Uint8Array(head.length + content.length);
  sealed.set(head);
  sealed.set(content, head.length);
  return sealed;
};

/** The bytes of a stored object; undefined where they are not those that were stored. */
export const unseal = (sealed: Uint8Array): Uint8Array | undefined => {
  const head = new TextDecoder().decode(sealed.subarray(0, HEAD));
  const content = sealed.subarray(HEAD);
  return head === `${MARK}${sha256(content)}\n` ? content : undefined;
};

/** A store whose objects are checksummed, on any place for objects. */
export const sealedStore = (objects: Objects): ResultStore => {
  const get = async (key: string): Promise<Uint8Array | undefined> => {
    const sealed = await objects.get(key);
    return sealed && unseal(sealed);
  };
  return {
    place: objects.place,
    get,
    has: async (key) => (await get(key)) !== undefined,
    async put(key, content) {
      const sealed = seal(content);
      if (await objects.put(key, sealed, false)) return;
      if ((await get(key)) === undefined) await objects.put(key, sealed, true);
    },
    list: (prefix) => objects.list(prefix),
    ...(objects.close && { close: () => objects.close?.() ?? Promise.resolve() }),
  };
};

/** Keys are words with dots, dashes and slashes: they are file names and parts of addresses as they are. */
export const isKey = (key: string): boolean =>
  key.length <= 512 && /^[a-z0-9][\w-]*(\.[\w-]+)*(\/[a-z0-9][\w-]*(\.[\w-]+)*)*$/i.test(key);
