import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { folderObjects } from './stores/folder-objects.ts';
import { kindOfStore, openStoreAt } from './stores/open-store.ts';
import type { Patience } from './stores/patience.ts';
import { sealedStore, type ResultStore } from './stores/result-store.ts';
import { serveObjects } from './stores/serve-objects.ts';

/** A store as the side that compares has it. */
export type OwnStore = {
  readonly store: ResultStore;
  /** Its address for workers, and what they must show to be let in. */
  readonly address: string;
  readonly token: string;
  /** Stops serving it. `finished`: all is in the run folder, so that what lies in it beside is not needed any more. */
  close(finished: boolean): Promise<void>;
};

/**
 * Opens the store that the results of a run go to: the folder or bucket that is `given`; for `http://host:port` a
 * folder in the run folder that is served there; without one that folder itself, which workers must see by that path.
 */
export const openOwnStore = async (
  folder: string,
  given: string | undefined,
  patience: Patience,
): Promise<OwnStore> => {
  const own = resolve(folder, 'chunks');
  const remove = (): Promise<void> => rm(own, { recursive: true, force: true });
  if (given !== undefined && kindOfStore(given) === 'http') {
    const objects = await folderObjects(own);
    const token = await tokenOf(folder);
    const server = await serveObjects(objects, given, token);
    return {
      store: sealedStore(objects),
      address: server.address,
      token,
      async close(finished) {
        await server.close();
        if (!finished) return;
        await remove();
        await rm(tokenPath(folder), { force: true });
      },
    };
  }
  const address = given === undefined ? own : kindOfStore(given) === 'folder' ? resolve(given) : given;
  const store = await openStoreAt(address, '', patience);
  return {
    store,
    address,
    token: '',
    close: async (finished) => (given === undefined && finished ? remove() : undefined),
  };
};

const tokenPath = (folder: string): string => join(folder, 'chunks.token');

/** The token of a run, kept until it is finished: workers have it, also where the command ends and is started anew. */
const tokenOf = async (folder: string): Promise<string> => {
  const kept = await readFile(tokenPath(folder), 'utf8').catch(() => '');
  if (kept !== '') return kept;
  const token = randomBytes(24).toString('base64url');
  await mkdir(folder, { recursive: true });
  await writeFile(tokenPath(folder), token, { mode: 0o600 });
  return token;
};

/** The bytes of a problem in a run folder. */
export const problemPath = (folder: string, hash: string): string => join(folder, 'problems', `${hash}.safetensors`);
