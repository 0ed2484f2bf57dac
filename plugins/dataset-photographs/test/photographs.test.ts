import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { testContext } from '@tweedie/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { photographs, type PhotographsOptions } from '../src/index.ts';

type Entry = Readonly<
  Record<'file' | 'split' | 'name' | 'subject' | 'author' | 'licence' | 'package' | 'path' | 'sha256', string>
> & {
  readonly width: number;
  readonly height: number;
};
type Crop = { readonly name: string; readonly size: number; readonly photograph: string; readonly scale: number };
const home = join(import.meta.dirname, '..');
const list = JSON.parse(readFileSync(join(home, 'photographs.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, string>>;
  readonly files: readonly Entry[];
  readonly crops: readonly Crop[];
};
const context = testContext();
const load = async (options: Partial<PhotographsOptions> = {}) =>
  photographs({ split: 'shipped', size: 64, channels: 3, ...options }, context);
const unique = (values: readonly unknown[]): number => new Set(values).size;

describe('the list', () => {
  it('has every photograph once, of a package that it names, under a free licence', () => {
    expect(list.files.length).toBe(37);
    for (const key of ['name', 'file', 'sha256'] as const)
      expect(unique(list.files.map((entry) => entry[key]))).toBe(37);
    for (const { file, split, name, package: from, licence, author, subject } of list.files) {
      expect(file).toBe(`${split}/${name}.jpg`);
      expect(list.packages[from], name).toBeDefined();
      expect(licence).toMatch(/^(CC0-1\.0|CC-BY(-SA)?-[34]\.0|GPL-2\.0-or-later|LGPL-3\.0-only)$/);
      expect([author, subject].every((text) => text.length > 0)).toBe(true);
    }
    expect(list.files.filter(({ split }) => split === 'test').length).toBe(8);
    expect(list.files.reduce((sum, { width, height }) => sum + width * height, 0)).toBeGreaterThan(210e6);
  });

  it('ships crops of test photographs alone, and those that Creative Commons licences allow to', () => {
    expect(readdirSync(join(home, 'pictures')).sort()).toEqual(list.crops.map(({ name }) => `${name}.png`).sort());
    for (const { photograph, scale } of list.crops) {
      const { split, licence } = list.files.find(({ name }) => name === photograph)!;
      expect(split).toBe('test');
      expect(licence).toMatch(/^CC/);
      expect(scale).toBeGreaterThanOrEqual(2);
    }
    const bytes = list.crops.map(({ name }) => readFileSync(join(home, `pictures/${name}.png`)).length);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1e6);
  });

  it('is what the README and the attribution show', () => {
    const readme = readFileSync(join(home, 'README.md'), 'utf8');
    for (const { name, subject, width, height, author, licence, package: from, split } of list.files)
      expect(readme).toContain(
        `| ${name} | ${subject} | ${width} x ${height} | ${author} | ${licence} | ${from} | ${split} |`,
      );
    const attribution = readFileSync(join(import.meta.dirname, '../ATTRIBUTION.md'), 'utf8');
    for (const { name, size, photograph } of list.crops) {
      const { author, licence } = list.files.find((entry) => entry.name === photograph)!;
      expect(attribution).toContain(`| ${name}.png | ${size} x ${size} | ${photograph} | ${author} | ${licence} |`);
    }
  });
});

describe('dataset/photographs', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('serves what ships, the most telling first', async () => {
    const set = await load();
    expect([set.size, set.imageShape]).toEqual([16, [64, 64, 3]]);
    const names = await Promise.all(Array.from({ length: 8 }, async (_, k) => (await set.item(k)).name));
    expect(names).toEqual(['spaniel', 'nuthatch', 'peak', 'fig', 'bridge', 'dandelion', 'stone', 'bowl']);
    const { name, x0 } = await (await load({ size: 256 })).item(3);
    expect(name).toBe('fig-in-bowl');
    // The middle of the fig is redder than blue.
    const middle = (128 * 256 + 128) * 3;
    expect(x0[middle]! - x0[middle + 2]!).toBeGreaterThan(0.3);
  });

  it('cuts smaller crops out of what ships, at places that seed, name and number decide', async () => {
    const set = await load({ size: 8, crops: 40 });
    expect([set.size, set.imageShape]).toEqual([40, [8, 8, 3]]);
    const { name, x0 } = await set.item(17);
    expect(name).toBe('nuthatch#1');
    const picture = (await (await load()).item(1)).x0;
    const rowAt = (top: number, left: number, y: number) =>
      picture.subarray(((top + y) * 64 + left) * 3, ((top + y) * 64 + left + 8) * 3);
    const places = Array.from({ length: 57 * 57 }, (_, k) => [Math.floor(k / 57), k % 57] as const).filter(
      ([top, left]) =>
        Array.from({ length: 8 }, (_, y) => y).every((y) =>
          rowAt(top, left, y).every((value, i) => value === x0[y * 24 + i]),
        ),
    );
    expect(places.length).toBe(1);
    expect((await (await load({ size: 8, crops: 20 })).item(17)).x0).toEqual(x0);
    expect((await (await load({ size: 8, crops: 40, seed: 1 })).item(17)).x0).not.toEqual(x0);
  });

  it('is grey by the luma of Rec. 601', async () => {
    const [colour, grey] = await Promise.all([load(), load({ channels: 1 })]);
    expect([grey.size, grey.imageShape]).toEqual([16, [64, 64, 1]]);
    const [{ x0 }, own] = [await colour.item(3), await grey.item(3)];
    expect(own.name).toBe('fig');
    for (const i of [0, 1000, 4095])
      expect(own.x0[i]).toBeCloseTo(0.299 * x0[3 * i]! + 0.587 * x0[3 * i + 1]! + 0.114 * x0[3 * i + 2]!, 6);
  });

  it('says what is wrong with options of what ships', async () => {
    await expect(load({ size: 32 })).rejects.toThrow(
      '[dataset/photographs] no crops of size 32 ship. Set size: 64 or 256, or crops (cut out of those of 64), or split: train or test.',
    );
    await expect(load({ crops: 4, seed: 1 })).rejects.toThrow(
      '[dataset/photographs] crops, seed: crops that ship are chosen. Set split: train or test.',
    );
    await expect(load({ size: 8, crops: 4, scales: [2] })).rejects.toThrow(
      '[dataset/photographs] scales: crops that ship are chosen. Set split: train or test.',
    );
    await expect(load({ size: 128, crops: 4 })).rejects.toThrow('[dataset/photographs] crops: crops that ship are');
    await expect((await load({ size: 8, crops: 4 })).item(4)).rejects.toThrow(
      '[dataset/photographs] there is no image 4, the set has 4 crops.',
    );
    await expect((await load()).item(16)).rejects.toThrow(
      '[dataset/photographs] there is no image 16, 16 crops of size 64 ship.',
    );
  });

  it('names the command that fetches photographs which are missing', async () => {
    vi.stubEnv('TWEEDIE_CACHE', join(home, 'nowhere'));
    await expect(load({ split: 'test', crops: 8 })).rejects.toThrow(
      `[dataset/photographs] 8 of 8 photographs are not in ${join(home, 'nowhere/dataset-photographs')} (test/bridge.jpg, test/evening-glow.jpg, test/friends.jpg, ...). Run: npx tweedie fetch dataset/photographs`,
    );
    await expect(load({ split: 'train' })).rejects.toThrow(
      '[dataset/photographs] split train needs crops, the number of crops. Set crops: 64, say.',
    );
  });
});
