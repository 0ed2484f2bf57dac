import type { Files } from '@tweedie/core';

const picture = /\.(png|jpe?g|webp)$/i;

/** Pictures of a folder as paths inside it, sorted by code unit. Hidden files are not looked at. */
export async function pictureNames(folder: string, recursive: boolean, files: Files): Promise<readonly string[]> {
  const inside = async (prefix: string): Promise<string[]> => {
    const names = (await files.list(`${folder}/${prefix}`)).filter((name) => !name.startsWith('.'));
    const deeper = recursive ? await Promise.all(names.filter((name) => name.endsWith('/')).map((name) => inside(prefix + name))) : [];
    return [...names.filter((name) => picture.test(name)).map((name) => prefix + name), ...deeper.flat()];
  };
  return (await inside('')).sort();
}
