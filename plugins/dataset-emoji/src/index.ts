import { ConfigError, type DatasetFactory } from '@tweedie/core';
import { type Emoji, familyOf, hash, type Split, splitOf } from './families.ts';

export type EmojiOptions = {
  /** Height and width in pixels. */
  readonly size: 32 | 64;
  readonly split: Split | 'all';
};

type Picture = {
  readonly image: string;
  readonly sheet_x: number;
  readonly sheet_y: number;
  readonly has_img_google: boolean;
};
type Entry = Emoji &
  Picture & { readonly short_name: string; readonly skin_variations?: Readonly<Record<string, Picture>> };
type Place = { readonly name: string; readonly row: number; readonly column: number };

const packageFolder = new URL('.', import.meta.resolve('emoji-datasource-google/package.json')).href;

/**
 * The emoji of Google's Noto, 3786 colour pictures of 32 x 32 or 64 x 64 pixels on mid-grey, from the npm package
 * emoji-datasource-google. Split by families, so that no variant of an emoji (skin tone, sex, direction) is on another
 * side than the rest. The order is fixed and mixed. Names are short names, with the skin tone's code: `wave`,
 * `wave-1f3fd`.
 *
 * The package draws all pictures of one size into one sheet with a border of one pixel around each; the sheet is
 * decoded once, when the first picture is asked for (about a second), and kept (53 MB at size 32, 201 MB at 64).
 */
export const emoji: DatasetFactory<EmojiOptions> = async ({ size, split }, { files }) => {
  const entries = JSON.parse(await files.readText(`${packageFolder}emoji.json`)) as readonly Entry[];
  const places = entries
    .filter((entry) => split === 'all' || splitOf(familyOf(entry)) === split)
    .flatMap(placesOf)
    .sort((a, b) => hash(a.name) - hash(b.name));

  const sheetPath = `${packageFolder}img/google/sheets-clean/${size}.png`;
  const readSheet = async () => {
    const [height, width] = await files.imageShape(sheetPath);
    return { pixels: await files.readImage(sheetPath, { height, width, channels: 3, fit: 'exact' }), width };
  };
  let sheet: ReturnType<typeof readSheet> | undefined;

  return {
    imageShape: [size, size, 3],
    size: places.length,
    item: async (index) => {
      const place = places[index];
      if (place === undefined)
        throw new ConfigError(
          'dataset/emoji',
          `there is no image ${index}, the ${split} split has ${places.length}.`,
          'Ask for fewer images, a smaller offset, or split all.',
        );
      const { pixels, width } = await (sheet ??= readSheet());
      const [top, left] = [place.row * (size + 2) + 1, place.column * (size + 2) + 1];
      const x0 = new Float32Array(size * size * 3);
      for (let row = 0; row < size; row++) {
        const start = ((top + row) * width + left) * 3;
        x0.set(pixels.subarray(start, start + size * 3), row * size * 3);
      }
      return { name: place.name, x0 };
    },
  };
};

const placesOf = ({ short_name: name, skin_variations: variations = {}, ...base }: Entry): Place[] =>
  [
    [name, base] as const,
    ...Object.entries(variations).map(([tone, variant]) => [`${name}-${tone.toLowerCase()}`, variant] as const),
  ]
    .filter(([, picture]) => picture.has_img_google)
    .map(([name, { sheet_x: column, sheet_y: row }]) => ({ name, row, column }));
