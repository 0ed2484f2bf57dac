import { testContext } from '@tweedie/testing';
import { describe, expect, it } from 'vitest';
import { familyOf, splitOf } from '../src/families.ts';
import { emoji, type EmojiOptions } from '../src/index.ts';

const context = testContext();
const load = async (options: EmojiOptions = {}) => emoji(options, context);
const namesOf = async (options: EmojiOptions) => {
  const set = await load(options);
  return Promise.all(Array.from({ length: set.size }, async (_, k) => (await set.item(k)).name));
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
    const codes = ['1F9D1', '1F9D2', '1F9D1-200D-2695-FE0F', '1F9D1-200D-1F393', '1F3C3', '1F1F3-1F1F4', '1F1E9-1F1EA', '1F44D'];
    expect(new Set(codes.map(person)).size).toBe(codes.length);
    expect(familyOf({ unified: '1F46B', subcategory: 'family' })).toBe(person('1F46A'));
  });

  it('have a split that is fixed', () => {
    expect(['1F44D', '1F9D1', 'families', '1F1E9-1F1EA', '1F600', '1F601', '1F9D1-200D-2695'].map(splitOf)).toEqual(['train', 'test', 'train', 'train', 'train', 'validation', 'train']);
  });
});

describe('dataset/emoji', () => {
  it('is split into three parts of fixed size, no picture in two', async () => {
    const parts = await Promise.all((['train', 'validation', 'test'] as const).map((split) => namesOf({ split })));
    const all = await namesOf({ split: 'all' });
    expect(all.length).toBe(3786);
    expect(new Set(all).size).toBe(3786);
    expect(parts.flat().sort()).toEqual(all.sort());
    expect(parts.map((part) => part.length)).toEqual([3086, 373, 327]);
  });

  it('has all variants of one emoji on one side', async () => {
    const sides = new Map<string, string>();
    for (const split of ['train', 'validation', 'test'] as const) for (const name of await namesOf({ split })) sides.set(name, split);
    for (const [name, side] of sides) {
      const base = name.replace(/(-1f3f[b-f])+$/, '');
      expect(sides.get(base), name).toBe(side);
    }
    for (const [a, b] of [['male-doctor', 'health_worker'], ['man-running', 'runner'], ['prince', 'princess'], ['couplekiss', 'family']] as const) {
      expect(sides.get(a), a).toBeDefined();
      expect(sides.get(a), `${a} and ${b}`).toBe(sides.get(b));
    }
  });

  it('has no picture in two parts', async () => {
    const seen = new Map<string, string>();
    for (const split of ['train', 'validation', 'test'] as const) {
      const set = await load({ split });
      for (let k = 0; k < set.size; k++) {
        const { name, x0 } = await set.item(k);
        const bytes = Buffer.from(x0.buffer).toString('latin1');
        expect(seen.get(bytes) ?? split, name).toBe(split);
        seen.set(bytes, split);
      }
    }
  });

  it.each([32, 64] as const)('gives the pictures of the package, %i pixels', async (size) => {
    const set = await load({ size, split: 'all' });
    expect(set.imageShape).toEqual([size, size, 3]);
    const wanted = new Map([['wave', '1f44b'], ['wave-1f3fd', '1f44b-1f3fd'], ['rose', '1f339'], ['de', '1f1e9-1f1ea']]);
    let found = 0;
    for (let k = 0; k < set.size; k++) {
      const { name, x0 } = await set.item(k);
      const file = wanted.get(name);
      if (file === undefined) continue;
      found++;
      const url = import.meta.resolve(`emoji-datasource-google/img/google/64/${file}.png`);
      const expected = await context.files.readImage(url, { height: size, width: size, channels: 3 });
      const worst = expected.map((value, pixel) => Math.abs(value - (x0[pixel] ?? NaN)));
      const mean = worst.reduce((sum, value) => sum + value, 0) / worst.length;
      // At 64 the sheet holds the same pixels; at 32 the package shrank them with a filter of its own.
      expect(mean, name).toBeLessThan(size === 64 ? 1e-6 : 0.03);
    }
    expect(found).toBe(wanted.size);
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
    await expect(set.item(set.size)).rejects.toThrow(`[dataset/emoji] there is no image ${set.size}, the test split has ${set.size}.`);
  });
});
