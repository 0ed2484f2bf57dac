/** What a picture says about which pixels are observed: its transparency, or two kinds of grey. */
import { ConfigError, type StoredPicture } from '@tweedie/core';

const where = 'operator/inpaint';
/** Values this close to black or white count as them: a lossy JPEG rings by less. */
const near = 1 / 8;
/** Most of a mask's pixels that may be between black and white: the soft edge of a brush. */
const mostBetween = 1 / 4;

/** 1 where a pixel is observed, and how that was read from the file. */
export type FoundMask = { readonly mask: Float32Array; readonly found: string };

/**
 * The mask that a picture holds. Where it has transparent pixels, these are hidden, whatever their colour; else the
 * black ones. Either way the values must be of two kinds:
 *
 *   near black (up to 1/8 of white) and near white (from 7/8), at most a quarter of all pixels between them, which are
 *   split at half; or exactly two values, whose darker one is hidden (masks of 0 and 1, grey on white).
 *
 * With `threshold`, a share of white, what is below it is hidden, whatever the shades. Throws ConfigError for colours,
 * for shades without a threshold, and for a picture that shows two masks.
 */
export function maskOfPicture(picture: StoredPicture, path: string, threshold?: number): FoundMask {
  const { channels, alpha, largest, values } = picture;
  const pixels = picture.height * picture.width;
  const plane = (channel: number) =>
    Float32Array.from({ length: pixels }, (_, k) => values[k * channels + channel] ?? 0);
  const opacity = alpha ? plane(channels - 1) : undefined;
  const erased = opacity?.some((value) => value < largest) ?? false;
  const grey = plane(0);
  if (opacity === undefined || !erased) {
    refuseColours(picture, path);
    return split(grey, { largest, path, threshold, kind: 'grey' });
  }
  if (channels === 2 || colouredPixel(picture) === undefined) {
    const shown = grey.filter((_, k) => opacity[k] === largest);
    const [black, white] = [shown.some((value) => value === 0), shown.some((value) => value === largest)];
    if (black && white && shown.every((value) => value === 0 || value === largest))
      throw new ConfigError(
        where,
        `the mask ${path} has transparent pixels, and black and white ones too: which of them are hidden is not said.`,
        'Store a mask without transparency, black where pixels are hidden; or erase what is hidden, and paint nothing black.',
      );
  }
  return split(opacity, { largest, path, threshold, kind: 'opacity' });
}

type Shades = {
  readonly largest: number;
  readonly path: string;
  readonly threshold: number | undefined;
  readonly kind: 'grey' | 'opacity';
};

function split(values: Float32Array, { largest, path, threshold, kind }: Shades): FoundMask {
  const below = (limit: number) => values.map((value) => (value < limit ? 0 : 1));
  const hidden = kind === 'grey' ? 'black is hidden' : 'what is transparent is hidden';
  if (threshold !== undefined)
    return { mask: below(threshold * largest), found: `${kind} below ${threshold} of ${largest} is hidden` };
  const kinds = [...new Set(values)].sort((a, b) => a - b);
  const [lowest = 0] = kinds;
  const highest = kinds[kinds.length - 1] ?? 0;
  const [dark, bright] = [near * largest, (1 - near) * largest];
  const between = values.reduce((count, value) => count + (value > dark && value < bright ? 1 : 0), 0);
  const oneKind = between === 0 && (lowest >= bright || (kinds.length === 1 && highest <= dark));
  if (oneKind || (lowest <= dark && highest >= bright && between <= mostBetween * values.length)) {
    const edges = between === 0 ? '' : `, ${between} of its pixels are shades between, split at half`;
    const all = kinds.length === 1 ? `all of it is ${lowest} of ${largest}` : hidden;
    return { mask: below(largest / 2), found: `${all}${edges}` };
  }
  if (kinds.length === 2)
    return {
      mask: below(highest),
      found: `it holds ${kind} ${lowest} and ${highest} of ${largest}, the lower is hidden`,
    };
  throw new ConfigError(
    where,
    `the mask ${path} is neither black and white nor of two values: it holds ${kinds.length} ${kinds.length === 1 ? 'value' : 'values'} of ${kind} from ${lowest} to ${highest} of ${largest}, ${between} of ${values.length} pixels between black and white.`,
    'Give a mask of two values, or a picture whose hole is erased (transparent); or say with threshold, a share of white such as 0.5, below which share a pixel is hidden (--operator inpaint:threshold=0.5).',
  );
}

/** The first pixel whose channels differ by more than a lossy file makes them. */
function colouredPixel({ channels, alpha, largest, values }: StoredPicture): number | undefined {
  const colours = alpha ? channels - 1 : channels;
  if (colours === 1) return undefined;
  for (let first = 0; first < values.length; first += channels) {
    const colour = values.subarray(first, first + colours);
    if (Math.max(...colour) - Math.min(...colour) > near * largest) return first / channels;
  }
  return undefined;
}

function refuseColours(picture: StoredPicture, path: string): void {
  const pixel = colouredPixel(picture);
  if (pixel === undefined) return;
  const { width, channels, values } = picture;
  const colour = [...values.subarray(pixel * channels, pixel * channels + 3)].join(', ');
  throw new ConfigError(
    where,
    `the mask ${path} has colours: row ${Math.floor(pixel / width)}, column ${pixel % width} is ${colour}. Which of them are hidden is not said.`,
    'Paint what is hidden black on white, or erase it (transparent).',
  );
}
