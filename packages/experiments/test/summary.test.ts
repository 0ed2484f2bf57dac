import { describe, expect, it } from 'vitest';
import type { RunIndex } from '../src/run/run-index.ts';
import type { Cell } from '../src/run/cells.ts';
import type { Store } from '../src/run/store.ts';
import { compareRows, summariseRun } from '../src/results/summary.ts';

const row = (label: string, perImage: (number | null)[]) => ({ label, perImage, ofMean: [] });
const base = [20, 25, 30, 22, 28, 24];
const plus = (offsets: readonly number[]) => base.map((value, i) => value + (offsets[i] ?? 0));

describe('rows of one table', () => {
  it('marks a winner that beats every other row, image by image', () => {
    const [best, worse] = compareRows([row('a', plus([1, 1.1, 0.9, 1, 1.2, 0.8])), row('b', base)], 'higher');
    expect(best).toMatchObject({ best: true, n: 6 });
    expect(best?.difference).toBeUndefined();
    expect(worse).toMatchObject({ best: false, difference: { to: 'a', n: 6, winRate: 0 } });
    expect(worse?.difference?.mean).toBeCloseTo(-1);
    // The intervals of the two means overlap widely; the paired difference is what tells them apart.
    expect((best?.mean ?? 0) - (best?.ci95 ?? 0)).toBeLessThan(worse?.mean ?? 0);
  });

  it('marks none where one interval crosses zero', () => {
    const rows = compareRows(
      [row('a', plus([1, 1.1, 0.9, 1, 1.2, 0.8])), row('b', plus([2, -1, 1, 0.5, 2, 0])), row('c', base)],
      'higher',
    );
    expect(rows.map((summary) => summary?.best)).toEqual([false, false, false]);
  });

  it('prefers the lower score where lower is better', () => {
    const [a, b] = compareRows([row('a', plus([1, 1.1, 0.9, 1, 1.2, 0.8])), row('b', base)], 'lower');
    expect([a?.best, b?.best]).toEqual([false, true]);
    expect(a?.difference?.winRate).toBe(0);
  });

  it('adjusts p values over the other rows', () => {
    const [, b, c] = compareRows(
      [row('a', plus([3, 3.2, 2.8, 3, 3.1, 3])), row('b', plus([2, -1, 1, 0.5, 2, 0])), row('c', base)],
      'higher',
    );
    const alone = compareRows([row('a', plus([3, 3.2, 2.8, 3, 3.1, 3])), row('c', base)], 'higher')[1];
    expect(c?.difference?.pHolm).toBeCloseTo(2 * (alone?.difference?.pHolm ?? NaN), 12);
    expect(b?.difference?.pHolm).toBeGreaterThan(c?.difference?.pHolm ?? NaN);
  });

  it('pairs over the images that both have', () => {
    const [best, worse] = compareRows([row('a', [21, null, 31, 23]), row('b', [20, 99, 30, null])], 'higher');
    expect([best?.n, worse?.n]).toEqual([3, 3]);
    // 99 lifts the mean of b, though b is worse wherever both have a score: the difference shows it.
    expect(worse?.best).toBe(false);
    expect(best?.difference ?? worse?.difference).toMatchObject({ n: 2 });
  });

  it('finds no difference between equal rows, and none from one image', () => {
    const equal = compareRows([row('a', base), row('b', base)], 'higher');
    expect(equal.map((summary) => summary?.best)).toEqual([false, false]);
    expect(equal[1]?.difference).toMatchObject({ mean: 0, ci95: 0, pHolm: 1, winRate: 0.5 });
    const single = compareRows([row('a', [20]), row('b', [10])], 'higher');
    expect(single.map((summary) => [summary?.best, summary?.ci95])).toEqual([
      [false, null],
      [false, null],
    ]);
    expect(single[1]?.difference).toMatchObject({ mean: -10, ci95: null });
  });

  it('leaves out rows without scores', () => {
    expect(compareRows([row('a', [null, null]), row('b', [1, 2])], 'higher')[0]).toBeUndefined();
  });
});

it('takes a row of more samples than a call has arguments', async () => {
  const keys = Array.from({ length: 200_000 }, (_, i) => String(i));
  const cell: Cell = {
    key: '',
    problem: '',
    image: 'a',
    operator: 'identity',
    sigmaY: 1,
    label: 'none',
    method: 'none',
    sample: 0,
    started: new Date(0),
    finished: new Date(0),
    seconds: 1,
    cost: { forwards: 1, vjps: 0, operatorCalls: 0 },
    compileSeconds: 0,
    chunk: 1,
    peakMemory: 5,
  };
  const index: RunIndex = {
    title: '',
    command: '',
    imageShape: [1, 1, 1],
    images: ['a'],
    samples: keys.length,
    metrics: [],
    traced: 0,
    provenance: [],
    rows: [
      {
        operator: 'identity',
        sigmaY: 1,
        label: 'none',
        method: 'none',
        options: '',
        steps: 1,
        problems: ['p'],
        cells: [keys],
      },
    ],
  };
  const store: Pick<Store, 'cells' | 'scores'> = {
    cells: async () => new Map(keys.map((key) => [key, cell])),
    scores: async () => new Map(),
  };
  const [summary] = await summariseRun(index, store);
  expect(summary).toMatchObject({ finished: keys.length, cost: { peakMemory: 5 } });
});
