import { isAbsolute, resolve } from 'node:path';
import { ConfigError } from '@tweedie/core';
import { bucketObjects } from './bucket-objects.ts';
import { folderObjects } from './folder-objects.ts';
import { httpObjects } from './http-objects.ts';
import type { Patience } from './patience.ts';
import { sealedStore, type ResultStore } from './result-store.ts';

/** The kind of place that an address names. */
export const kindOfStore = (address: string): 'folder' | 'bucket' | 'http' => {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address) ?? [];
  if (scheme === undefined) return 'folder';
  if (scheme === 's3') return 'bucket';
  if (scheme === 'http' || scheme === 'https') return 'http';
  throw new ConfigError(
    address.replace(/\/\/[^@/]*@/, '//'),
    `is no store: ${scheme}:// is not known.`,
    'Give a folder, s3://bucket/prefix or http://host:port.',
  );
};

/** Opens the store at an address as a worker sees it. */
export const openStoreAt = async (address: string, token: string, patience: Patience): Promise<ResultStore> => {
  switch (kindOfStore(address)) {
    case 'bucket':
      return sealedStore(await bucketObjects(address, patience));
    case 'http':
      return sealedStore(httpObjects(address, token, patience));
    case 'folder':
      return sealedStore(await folderObjects(isAbsolute(address) ? address : resolve(address)));
  }
};
