import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { familyOf, splitOf } from '../src/families.ts';
import { emoji, type EmojiOptions } from '../src/index.ts';

const context = testContext();
const load = async (options: Partial<EmojiOptions> = {}) => emoji({ size: 32, split: 'train', ...options }, context);
const splits = ['train', 'validation', 'test'] as const;
const itemsOf = async (options: Partial<EmojiOptions>) => {
  const set = await load(options);
  return Promise.all(Array.from({ length: set.size }, (_, k) => set.item(k)));
};
const person = (unified: string) => familyOf({ unified, subcategory: 'person-role' });

describe('families', () => {
  it.each([
    ['health workers', ['1F9D1-200D-2695-FE0F', '1F468-200D-2695-FE0F', '1F469-1F3FD-200D-2695-FE0F']],
    ['runners', ['1F3C3', '1F3C3-200D-2642-FE0F', '1F3C3-1F3FB-200D-2640-FE0F-200D-27A1-FE0F', '1F3C3-200D-27A1-FE0F']],
    ['weight lifters', ['1F3CB-FE0F', '1F3CB-FE0F-200D-2640-FE0F']],
    ['grown-ups', ['1F468', '1F469-1F3FF', '1F9D1']],
    ['Clauses', ['1F385', '1F936', '1F9D1-200D-1F384']],
    ['silhouettes', ['1F46A', '1F9D1-200D-1F9D1-200D-1F9D2', '1F468-200D-1F469-200D-1F466']],
    ['flags of Norway', ['1F1F3-1F1F4', '1F1F8-1F1EF']],
  ])('keep %s together', (_, codes) => {
    expect(new Set(codes.map(person)).size).toBe(1);
  });

  it('keep different emoji apart', () => {
    const codes = [
      '1F9D1',
      '1F9D2',
      '1F9D1-200D-2695-FE0F',
      '1F9D1-200D-1F393',
      '1F3C3',
      '1F1F3-1F1F4',
      '1F1E9-1F1EA',
      '1F44D',
    ];
    expect(new Set(codes.map(person)).size).toBe(codes.length);
    expect(familyOf({ unified: '1F46B', subcategory: 'family' })).toBe(person('1F46A'));
  });

  it('have a split that is fixed', () => {
    expect(['1F44D', '1F9D1', 'families', '1F1E9-1F1EA', '1F600', '1F601', '1F9D1-200D-2695'].map(splitOf)).toEqual([
      'train',
      'test',
      'train',
      'train',
      'train',
      'validation',
      'train',
    ]);
  });
});

describe('dataset/emoji', () => {
  it('is split into three parts of fixed size, all variants of one emoji on one side, no picture on two', async () => {
    const parts = await Promise.all(splits.map((split) => itemsOf({ split })));
    expect(parts.map((part) => part.length)).toEqual([3086, 373, 327]);

    const sides = new Map(parts.flatMap((part, side) => part.map(({ name }) => [name, splits[side]] as const)));
    expect(sides.size).toBe(3786);
    for (const [name, side] of sides) expect(sides.get(name.replace(/(-1f3f[b-f])+$/, '')), name).toBe(side);
    for (const [a, b] of [
      ['male-doctor', 'health_worker'],
      ['man-running', 'runner'],
      ['prince', 'princess'],
      ['couplekiss', 'family'],
    ] as const) {
      expect(sides.get(a), a).toBeDefined();
      expect(sides.get(a), `${a} and ${b}`).toBe(sides.get(b));
    }

    const seen = new Map<string, string>();
    for (const { name, x0 } of parts.flat()) {
      const pixels = Buffer.from(x0.buffer).toString('latin1');
      expect(sides.get(seen.get(pixels) ?? name), name).toBe(sides.get(name));
      seen.set(pixels, name);
    }
  });

  it('keeps its order', async () => {
    const names = (await itemsOf({ split: 'test' })).slice(0, 5).map(({ name }) => name);
    expect(names).toEqual([
      'hamster',
      'pinched_fingers-1f3fe',
      'female_vampire-1f3fe',
      'point_down-1f3fc',
      'stopwatch',
    ]);
  });

  it.each([32, 64] as const)('gives the pictures of the package, %i pixels', async (size) => {
    const pictures = new Map((await itemsOf({ size, split: 'all' })).map(({ name, x0 }) => [name, x0]));
    for (const [name, file] of [
      ['wave', '1f44b'],
      ['wave-1f3fd', '1f44b-1f3fd'],
      ['rose', '1f339'],
      ['de', '1f1e9-1f1ea'],
    ] as const) {
      const url = import.meta.resolve(`emoji-datasource-google/img/google/64/${file}.png`);
      const expected = await context.files.readImage(url, { height: size, width: size, channels: 3 });
      const picture = pictures.get(name) ?? new Float32Array(0);
      const gap =
        expected.reduce((sum, value, pixel) => sum + Math.abs(value - (picture[pixel] ?? NaN)), 0) / expected.length;
      // At 64 the sheet holds the same pixels; at 32 the package shrank them with a filter of its own.
      expect(gap, name).toBeLessThan(size === 64 ? 1e-6 : 0.03);
    }
    expect((await load({ size })).imageShape).toEqual([size, size, 3]);
  });

  it('stands on mid-grey and stays in [-1, 1]', async () => {
    const set = await load();
    let corners = 0;
    for (let k = 0; k < 100; k++) {
      const { x0 } = await set.item(k);
      expect(x0.every((value) => Math.abs(value) <= 1)).toBe(true);
      if (Math.abs((x0[0] ?? NaN) - (128 / 127.5 - 1)) < 1e-6) corners++;
    }
    expect(corners).toBeGreaterThan(70);
  });

  it('names an image that is not there', async () => {
    const set = await load({ split: 'test' });
    await expect(set.item(set.size)).rejects.toThrow(
      `[dataset/emoji] there is no image ${set.size}, the test split has ${set.size}.`,
    );
  });
});
