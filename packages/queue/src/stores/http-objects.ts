import { ConfigError } from '@tweedie/core';
import { askUntilAnswered, type Patience } from './patience.ts';
import type { Objects } from './result-store.ts';

/** Objects that the process which compares keeps for workers that share no folder with it (`serveObjects`). */
export const httpObjects = (address: string, token: string, patience: Patience): Objects => {
  const base = address.replace(/\/+$/, '');
  const ask = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    const send = (signal: AbortSignal): Promise<Response> => fetch(`${base}/${path}`, { ...init, headers, signal });
    const response = await askUntilAnswered(base, send, patience);
    if (response.ok || response.status === 404) return response;
    throw new ConfigError(
      base,
      `refuses a request: ${response.status} ${(await response.text()).slice(0, 200)}`.trimEnd(),
      response.status === 401
        ? 'Another run answers at this address by now: give each its own port.'
        : 'Run the same command again: what had finished is kept.',
    );
  };
  return {
    place: base,
    async get(key) {
      const response = await ask(key);
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      await response.body?.cancel();
      return undefined;
    },
    async put(key, bytes, replace) {
      const response = await ask(replace ? `${key}?replace` : key, {
        method: 'PUT',
        body: bytes as Uint8Array<ArrayBuffer>,
      });
      await response.body?.cancel();
      return response.status === 201;
    },
    list: async (prefix) => (await (await ask(`?prefix=${encodeURIComponent(prefix)}`)).json()) as readonly string[],
  };
};
