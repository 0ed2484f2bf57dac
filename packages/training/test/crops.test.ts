import { ConfigError, type Dataset, keyedRandom } from '@tweedie/core';
import { describe, expect, it } from 'vitest';
import { cropsOf } from '../src/crops.ts';

/** Pictures whose pixel at (row, column) is 100 row + column, plus 10,000 for the second one. */
const ramps = (height: number, width: number): Dataset => ({
  imageShape: [height, width, 1],
  size: 2,
  item: async (index) => ({
    name: String(index),
    x0: Float32Array.from(
      { length: height * width },
      (_, i) => 10_000 * index + 100 * Math.floor(i / width) + (i % width),
    ),
  }),
});
const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);

describe('crops', () => {
  it('are pieces of the pictures, every place and picture drawn', async () => {
    const crops = cropsOf(ramps(5, 6), [2, 2, 1], { scales: [1], flip: 'none' }, 'here');
    const batch = await crops.draw(keyedRandom('a'), 400);
    const corners = new Set<number>();
    for (let k = 0; k < 400; k++) {
      const [a = 0, b, c, d] = batch.subarray(4 * k, 4 * k + 4);
      expect([b, c, d]).toEqual([a + 1, a + 100, a + 101]);
      corners.add(a);
    }
    expect(corners.size).toBe(2 * 4 * 5);
  });

  it('at a scale hold means of blocks', async () => {
    const crops = cropsOf(ramps(4, 4), [2, 2, 1], { scales: [2], flip: 'none' }, 'here');
    const [a = 0, ...rest] = await crops.draw(keyedRandom('a'), 1);
    expect([a % 10_000, ...rest.map((value) => value - a)]).toEqual([50.5, 2, 200, 202]);
  });

  it('are mirrored, and turned, in all ways that are asked for', async () => {
    const whole = ramps(2, 2);
    const ways = async (flip: 'horizontal' | 'dihedral'): Promise<Set<string>> => {
      const batch = await cropsOf(whole, [2, 2, 1], { scales: [1], flip }, 'here').draw(keyedRandom('a'), 300);
      const found = new Set<string>();
      for (let k = 0; k < 300; k++) {
        const crop = Array.from(batch.subarray(4 * k, 4 * k + 4), (value) => value % 10_000);
        expect(sorted(crop)).toEqual([0, 1, 100, 101]);
        found.add(crop.join());
      }
      return found;
    };
    expect(await ways('horizontal')).toEqual(new Set(['0,1,100,101', '1,0,101,100']));
    expect((await ways('dihedral')).size).toBe(8);
  });

  it('follow from the key', async () => {
    const crops = cropsOf(ramps(5, 6), [2, 2, 1], { scales: [1, 2], flip: 'dihedral' }, 'here');
    expect(await crops.draw(keyedRandom('a'), 8)).toEqual(await crops.draw(keyedRandom('a'), 8));
    expect(await crops.draw(keyedRandom('b'), 8)).not.toEqual(await crops.draw(keyedRandom('a'), 8));
  });

  it('refuse pictures of other channels, too small ones, and scales that no picture has room for', () => {
    const make = (shape: [number, number, number], scales: number[]) => () =>
      cropsOf(ramps(4, 4), shape, { scales, flip: 'none' }, 'r.yaml /data');
    expect(make([2, 2, 3], [1])).toThrow('[r.yaml /data] its images are [4, 4, 1], the network takes [2, 2, 3].');
    expect(make([8, 8, 1], [1])).toThrow(ConfigError);
    expect(make([2, 2, 1], [3])).toThrow('crops of 3 times 2x2 do not fit into images of 4x4');
  });
});
