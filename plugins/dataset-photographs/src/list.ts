import type { Files } from '@tweedie/core';

/** One photograph of the list. */
export type Photograph = {
  readonly name: string;
  readonly split: 'train' | 'test';
  /** Its path in this plugin's folder of the cache. */
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
};

/** A crop that ships as `pictures/<name>.png`: at `top`, `left` of the photograph scaled down by `scale`. */
export type ShippedCrop = {
  readonly name: string;
  readonly size: number;
  readonly photograph: string;
  readonly scale: number;
  readonly top: number;
  readonly left: number;
};

const home = new URL('..', import.meta.url).href;

/** The photographs by name within each split, and the crops that ship in the order in which they are shown. */
export const readList = async (
  files: Files,
): Promise<{ readonly files: readonly Photograph[]; readonly crops: readonly ShippedCrop[] }> =>
  JSON.parse(await files.readText(`${home}photographs.json`)) as Awaited<ReturnType<typeof readList>>;

/** Where a crop lies that ships. */
export const shippedPath = ({ name }: ShippedCrop): string => `${home}pictures/${name}.png`;
