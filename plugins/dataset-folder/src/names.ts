import { type Files, isPictureName } from '@tweedie/core';

/** Kinds of pictures that are not read: what a folder holds of them is named. */
const foreign = /\.(bmp|avif|hei[cf]|jp2|jxl|exr|hdr|p[bgpn]m|tga|psd|dng|svg)$/i;

/** `leftOut` are pictures of kinds that are not read. */
export type PictureNames = { readonly names: readonly string[]; readonly leftOut: readonly string[] };

/**
 * The pictures of a folder as paths inside it, sorted by code unit. Hidden files are not looked at. Links are
 * followed, but each folder is visited once, by its shortest path.
 */
export async function pictureNames(folder: string, recursive: boolean, files: Files): Promise<PictureNames> {
  const pictures: string[] = [];
  const leftOut: string[] = [];
  const visited = new Set<string>();
  // The list grows while it is walked.
  const prefixes = [''];
  for (const prefix of prefixes) {
    const real = await files.realPath(`${folder}/${prefix}`);
    if (visited.has(real)) continue;
    visited.add(real);
    const names = (await files.list(`${folder}/${prefix}`)).filter((name) => !name.startsWith('.'));
    pictures.push(...names.filter(isPictureName).map((name) => prefix + name));
    leftOut.push(...names.filter((name) => foreign.test(name)).map((name) => prefix + name));
    if (recursive) prefixes.push(...names.filter((name) => name.endsWith('/')).map((name) => prefix + name));
  }
  return { names: pictures.sort(), leftOut: leftOut.sort() };
}
