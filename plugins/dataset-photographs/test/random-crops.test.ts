import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testContext } from '@tweedie/testing';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CropOptions, randomCrops, type Source } from '../src/random-crops.ts';

const base = mkdtempSync(join(tmpdir(), 'tweedie-photographs-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let cache = '';
let round = 0;
beforeEach(() => {
  cache = join(base, String(round++));
  vi.stubEnv('TWEEDIE_CACHE', cache);
});
afterEach(() => vi.unstubAllEnvs());

const { files } = testContext();
/** Pictures that ship, in place of photographs. */
const picture = (name: string, size: number): Source => {
  const path = join(import.meta.dirname, `../pictures/${name}.png`);
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  return { name, path, width: size, height: size, sha256 };
};
const large = ['spaniels', 'nuthatch-on-bark', 'mountain'].map((name) => picture(name, 256));
const load = (options: Partial<CropOptions> = {}, pictures: readonly Source[] = large) =>
  randomCrops(
    'dataset/photographs',
    'crops',
    pictures,
    { size: 32, crops: 12, scales: [1, 2], seed: 0, ...options },
    files,
  );
const itemsOf = ({ dataset }: ReturnType<typeof load>) =>
  Promise.all(Array.from({ length: dataset.size }, (_, k) => dataset.item(k)));
const scaled = (): readonly string[] => readdirSync(join(cache, 'crops')).sort();

/** Where a crop lies in a picture, every number equal; undefined where it does not. */
const placeOf = (x0: Float32Array, size: number, pixels: Float32Array, width: number) => {
  const height = pixels.length / width / 3;
  const equal = (top: number, left: number): boolean => {
    for (let k = 0; k < x0.length; k++) {
      const [row, rest] = [Math.floor(k / (size * 3)), k % (size * 3)];
      if (Math.abs(x0[k]! - pixels[((top + row) * width + left) * 3 + rest]!) > 1e-6) return false;
    }
    return true;
  };
  for (let top = 0; top + size <= height; top++)
    for (let left = 0; left + size <= width; left++) if (equal(top, left)) return [top, left] as const;
  return undefined;
};

describe('random crops', () => {
  it('lie in the pictures in turn, each scaled down as the decoder does it', async () => {
    const found: string[] = [];
    for (const [k, { name, x0 }] of (await itemsOf(load())).entries()) {
      const { path } = large[k % 3]!;
      expect(name).toBe(`${large[k % 3]!.name}#${Math.floor(k / 3)}`);
      for (const side of [256, 128]) {
        const options = { height: side, width: side, channels: 3, fit: 'stretch' } as const;
        const place = placeOf(x0, 32, await files.readImage(path, options), side);
        if (place) found.push(`${side} ${place.join(' ')}`);
      }
    }
    expect(found.length).toBe(12);
    expect(new Set(found).size).toBeGreaterThan(10);
    const whole = found.filter((place) => place.startsWith('256'));
    expect(whole.length).toBeGreaterThan(2);
    expect(whole.length).toBeLessThan(10);
  });

  it('reach every place, borders too', async () => {
    const rows = new Set<number>();
    const pixels = await files.readImage(large[0]!.path, { height: 32, width: 32, channels: 3, fit: 'stretch' });
    for (const { x0 } of await itemsOf(load({ size: 30, scales: [8], crops: 60 }, large.slice(0, 1))))
      rows.add(placeOf(x0, 30, pixels, 32)![0]);
    expect([...rows].sort()).toEqual([0, 1, 2]);
  });

  it('depend on seed, name and number alone', async () => {
    const first = await itemsOf(load());
    expect(await itemsOf(load({ crops: 20 })).then((items) => items.slice(0, 12))).toEqual(first);
    expect(await load().dataset.item(7)).toEqual(first[7]);
    // Alone, a picture's crops are those that it has among others.
    expect((await load({}, large.slice(1, 2)).dataset.item(2)).x0).toEqual(first[7]!.x0);
    const others = await itemsOf(load({ seed: 1 }));
    expect(others.filter(({ x0 }, k) => x0.every((value, i) => value === first[k]!.x0[i]))).toEqual([]);
  });

  it('read scaled pictures out of the cache, made once and again where they were damaged', async () => {
    const first = await itemsOf(load({ crops: 60 }));
    expect(scaled()).toEqual(
      large.flatMap(({ sha256 }) => [128, 256].map((side) => `${sha256.slice(0, 16)}-${side}x${side}.rgb`)).sort(),
    );
    const gone = large.map((source) => ({ ...source, path: join(base, 'gone.png') }));
    expect(await itemsOf(load({ crops: 60 }, gone))).toEqual(first);
    for (const name of scaled()) truncateSync(join(cache, 'crops', name), 1000);
    await expect(itemsOf(load({ crops: 60 }, gone))).rejects.toThrow('gone.png] does not exist');
    expect(await itemsOf(load({ crops: 60 }))).toEqual(first);
  });

  it('are not made of a file that is not the one of the list', async () => {
    const changed = { ...large[0]!, sha256: large[1]!.sha256 };
    await expect(load({}, [changed]).dataset.item(0)).rejects.toThrow(
      `[${changed.path}] is not the file of the list, by its SHA-256. Run: npx tweedie fetch dataset/photographs`,
    );
  });

  it('leave out scales and pictures that are too small', async () => {
    const pictures = [...large, picture('spaniel', 64)];
    const { dataset, without } = load({ size: 100, scales: [2, 4] }, pictures);
    expect(without).toEqual(['spaniel']);
    expect([dataset.size, dataset.imageShape]).toEqual([12, [100, 100, 3]]);
    for (let k = 0; k < 12; k++) expect((await dataset.item(k)).name).not.toContain('spaniel#');
    expect(scaled().map((name) => name.slice(17))).toEqual(Array(3).fill('128x128.rgb'));
    expect(() => load({ size: 300 })).toThrow(
      '[dataset/photographs] no photograph has 300 pixels in height and width at scale 1, 2. Set a smaller size, or smaller scales.',
    );
  });

  it.each([12, -1, 0.5, NaN])('refuse index %d', async (index) => {
    await expect(load().dataset.item(index)).rejects.toThrow(
      `[dataset/photographs] there is no image ${index}, the set has 12 crops.`,
    );
  });
});
