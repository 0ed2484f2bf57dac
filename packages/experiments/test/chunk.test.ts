import { describe, expect, it } from 'vitest';
import { tasksOf, workOf, workOfRow, type CellIndex } from '../src/run/chunk.ts';

const hash = (text: string): string => text.padEnd(64, '0');
/** One row of 300 images with 4 samples each. */
const index: CellIndex = {
  images: Array.from({ length: 300 }, (_, i) => `image ${i}`),
  samples: 4,
  traced: 2,
  rows: [
    {
      problems: Array.from({ length: 300 }, (_, i) => hash(`p${i}`)),
      cells: Array.from({ length: 300 }, (_, i) => Array.from({ length: 4 }, (_, s) => hash(`c${i}.${s}`))),
    },
  ],
};

describe('a chunk task', () => {
  const work = workOfRow(index, 0);

  it('names the cells it was made of', () => {
    const some = work.filter(({ position, sample }) => position % 7 === 2 || sample === 3);
    const tasks = tasksOf(index, { row: 0, shape: 0 }, some, 256);
    expect(tasks.flatMap((task) => workOf(index, task))).toEqual(some);
    expect(tasks.map((task) => workOf(index, task).length)).toEqual([256, some.length - 256]);
  });

  it('is below 2 kB, whatever cells are left', () => {
    const scattered = work.filter((_, i) => i % 2 === 0);
    for (const task of tasksOf(index, { row: 0, shape: 0 }, scattered, 256))
      expect(JSON.stringify(task).length).toBeLessThan(2048);
  });

  it('has a key that depends on its cells alone', () => {
    const [first, second] = [work.slice(0, 4), work.slice(4, 8)];
    const keyOf = (items: typeof work, shape: number): string | undefined =>
      tasksOf(index, { row: 0, shape }, items, 4)[0]?.key;
    expect(keyOf(first, 1)).toBe(keyOf([...first].reverse(), 0));
    expect(keyOf(first, 0)).not.toBe(keyOf(second, 0));
  });
});
