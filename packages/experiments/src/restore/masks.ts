import { resolve } from 'node:path';
import { ConfigError, type PluginReference } from '@tweedie/core';
import { isFolder } from './places.ts';

/** The operator with the masks that were given beside it; throws ConfigError where they do not belong together. */
export const withMasks = (
  { id, options = {} }: PluginReference,
  masks: readonly string[],
  images: readonly string[],
  degrade: boolean,
): PluginReference => {
  const [mask] = masks;
  if (mask === undefined) {
    if (id !== 'inpaint' || degrade || options['pattern'] === 'file' || options['pattern'] === 'files')
      return { id, options };
    throw new ConfigError(
      'restore',
      'which pixels of the picture are missing is not said.',
      'Give --mask, a picture that is white where pixels are known; or --degrade, to hide pixels of a clean picture.',
    );
  }
  if (id !== 'inpaint')
    throw new ConfigError(
      'restore',
      `a mask belongs to operator "inpaint", not to ${JSON.stringify(id)}.`,
      'Leave --mask out, or use --operator inpaint.',
    );
  if (masks.length === 1)
    return isFolder(mask)
      ? { id, options: { match: 'name', ...options, pattern: 'files', files: resolve(mask) } }
      : { id, options: { ...options, pattern: 'file', file: resolve(mask) } };
  const folder = masks.find(isFolder);
  if (folder !== undefined)
    throw new ConfigError(
      'restore',
      `${folder} is a folder, and other masks are given beside it.`,
      'Give one folder of masks, or their files.',
    );
  if (masks.length !== images.length)
    throw new ConfigError(
      'restore',
      `${masks.length} masks are given for ${images.length} picture${images.length === 1 ? '' : 's'}.`,
      'Give one mask for all, one for each picture in their order, or a folder of masks that are called like the pictures.',
    );
  return {
    id,
    options: { ...options, pattern: 'files', match: 'order', files: masks.map((each) => resolve(each)) },
  };
};
