import type { StoredPicture } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { maskOfPicture } from '../src/mask-picture.ts';

/** A picture of 8 by 8 from the channels of each pixel; `hole` is true on 2 by 2 of them. */
const picture = (
  of: (hole: boolean, pixel: number) => readonly number[],
  more: Partial<StoredPicture> = {},
): StoredPicture => {
  const pixels = Array.from({ length: 64 }, (_, k) => of(hole[k] === 0, k));
  const channels = (pixels[0]?.length ?? 1) as StoredPicture['channels'];
  const values = Uint16Array.from(pixels.flat());
  return { height: 8, width: 8, channels, alpha: channels % 2 === 0, largest: 255, values, ...more };
};
const hole = Array.from({ length: 64 }, (_, k) => ([3, 4].includes(k >> 3) && [3, 4].includes(k & 7) ? 0 : 1));
const hiddenOf = (mask: Float32Array) => mask.filter((value) => value === 0).length;

describe('a mask picture hides its hole', () => {
  it.each<[string, StoredPicture, string]>([
    ['black on white', picture((hidden) => [hidden ? 0 : 255]), 'black is hidden'],
    ['of 16 bits', picture((hidden) => [hidden ? 0 : 65535], { largest: 65535 }), 'black is hidden'],
    ['in three channels', picture((hidden) => (hidden ? [0, 0, 0] : [255, 255, 255])), 'black is hidden'],
    ['from a lossy file', picture((hidden, k) => [hidden ? (k * 7) % 25 : 255 - ((k * 5) % 25)]), 'black is hidden'],
    ['in white, transparent', picture((hidden) => [255, 255, 255, hidden ? 0 : 255]), 'what is transparent is hidden'],
    ['in black, transparent', picture((hidden) => [0, 0, 0, hidden ? 0 : 255]), 'what is transparent is hidden'],
    ['erased in a photo', picture((hidden, k) => [4 * k, k, 9, hidden ? 0 : 255]), 'what is transparent is hidden'],
    ['with an opaque alpha', picture((hidden) => [hidden ? 0 : 255, 255]), 'black is hidden'],
    ['as 0 and 1', picture((hidden) => [hidden ? 0 : 1]), 'it holds grey 0 and 1 of 255, the lower is hidden'],
    [
      'grey on white',
      picture((hidden) => [hidden ? 100 : 255]),
      'it holds grey 100 and 255 of 255, the lower is hidden',
    ],
    [
      'with a soft edge',
      picture((hidden, k) => [hidden ? 0 : [18, 20].includes(k) ? 150 : 255]),
      'black is hidden, 2 of its pixels are shades between, split at half',
    ],
  ])('%s', (_, stored, found) => {
    expect(maskOfPicture(stored, 'mask.png')).toEqual({ mask: Float32Array.from(hole), found });
  });

  it('with shades, below the threshold', () => {
    const shades = picture((_, k) => [4 * k]);
    const { mask, found } = maskOfPicture(shades, 'mask.png', 0.25);
    expect([hiddenOf(mask), found]).toEqual([16, 'grey below 0.25 of 255 is hidden']);
  });
});

it('a white picture hides nothing', () => {
  const { mask, found } = maskOfPicture(
    picture(() => [255]),
    'mask.png',
  );
  expect([hiddenOf(mask), found]).toEqual([0, 'all of it is 255 of 255']);
});

describe('a picture that is no mask is refused with what it holds:', () => {
  it.each<[string, StoredPicture, string]>([
    [
      'shades',
      picture((_, k) => [4 * k]),
      '[operator/inpaint] the mask m.png is neither black and white nor of two values: it holds 64 values of grey from 0 to 252 of 255, 48 of 64 pixels between black and white. Give a mask of two values, or a picture whose hole is erased (transparent); or say with threshold, a share of white such as 0.5, below which share a pixel is hidden (--operator inpaint:threshold=0.5).',
    ],
    ['one grey', picture(() => [128]), 'it holds 1 value of grey from 128 to 128 of 255'],
    [
      'a stroke of red',
      picture((hidden) => (hidden ? [255, 0, 0] : [255, 255, 255])),
      '[operator/inpaint] the mask m.png has colours: row 3, column 3 is 255, 0, 0. Which of them are hidden is not said. Paint what is hidden black on white, or erase it (transparent).',
    ],
    [
      'black and transparent',
      picture((hidden, k) => [hidden ? 0 : 255, k === 0 ? 0 : 255]),
      '[operator/inpaint] the mask m.png has transparent pixels, and black and white ones too: which of them are hidden is not said.',
    ],
  ])('%s', (_, stored, message) => {
    expect(() => maskOfPicture(stored, 'm.png')).toThrow(message);
  });
});
