import { describe, expect, it } from 'vitest';
import type { RunIndex } from '../src/run/run-index.ts';
import type { Cell } from '../src/run/cells.ts';
import type { Store } from '../src/run/store.ts';
import { comparisonTable } from '../src/results/comparison-table.ts';
import { compareRows } from '../src/results/compare-rows.ts';
import { type RowSummary, summariseRun } from '../src/results/summary.ts';

const row = (label: string, perImage: (number | null)[]) => ({ label, perImage, ofMean: [] });
const base = [20, 25, 30, 22, 28, 24];
const plus = (offsets: readonly number[]) => base.map((value, i) => value + (offsets[i] ?? 0));

describe('rows of one table', () => {
  it('compares with a given row in place of the best, and then marks none', () => {
    const rows = [row('a', plus([1, 1.1, 0.9, 1, 1.2, 0.8])), row('b', base)];
    const [higher, reference] = compareRows(rows, 'higher', rows[1]);
    expect([higher?.best, reference?.best]).toEqual([false, false]);
    expect(reference?.difference).toBeUndefined();
    expect(higher?.difference).toMatchObject({ to: 'b', winRate: 1 });
    expect(higher?.difference?.mean).toBeCloseTo(1, 10);
  });

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

const indexRow = (label: string) => ({
  operator: 'denoise',
  sigmaY: 0.1,
  label,
  method: label,
  options: '',
  steps: 1,
  problems: [],
  cells: [],
});
const tableOf = (labels: readonly string[], summaries: ReturnType<typeof compareRows>, samples = 1): string => {
  const rows = labels.map((label, i): RowSummary => {
    const summary = summaries[i];
    const metrics = new Map(summary === undefined ? [] : [['hit', summary] as const]);
    return {
      ...indexRow(label),
      metrics,
      finished: 1,
      failed: [],
      cost: { forwards: 100, vjps: 100, equivalents: 300, operatorCalls: 200, secondsPerSample: 0.5 },
    };
  });
  const index: RunIndex = {
    title: 'test',
    command: '',
    imageShape: [1, 1, 1],
    images: base.map(String),
    samples,
    metrics: [{ id: 'hit', title: 'hit', better: 'higher', key: 'hit' }],
    traced: 0,
    provenance: [],
    rows: labels.map(indexRow),
  };
  return comparisonTable(index, rows);
};

describe('intervals', () => {
  it('of means and of differences are both from Student t: 2.571 standard errors on each side for six images', () => {
    const [best, worse] = compareRows([row('a', plus([1, 1.1, 0.9, 1, 1.2, 0.8])), row('b', base)], 'higher');
    // Standard deviation of 20, 25, 30, 22, 28, 24: sqrt(68.83 / 5) = 3.7103.
    expect(worse?.ci95).toBeCloseTo((2.570582 * 3.710346) / Math.sqrt(6), 4);
    // Of 1, 1.1, 0.9, 1, 1.2, 0.8: sqrt(0.1 / 5) = 0.141421.
    expect(worse?.difference?.ci95).toBeCloseTo((2.570582 * 0.141421) / Math.sqrt(6), 5);
    expect(tableOf(['a', 'b'], [best, worse])).toContain('95 % t intervals');
  });

  it('are of a rate where a score is 0 or 1, in the terminal too', () => {
    const hits = [...new Array<number>(10).fill(1), ...new Array<number>(6).fill(0)];
    const of = (label: string, values: number[]) => ({ ...row(label, values), draws: values.map((value) => [value]) });
    const [some, all] = compareRows([of('a', hits), of('b', new Array<number>(16).fill(1))], 'higher');
    // Wilson's interval for 10 of 16, and for 16 of 16: 1 / (1 + 3.8415 / 16).
    expect(some?.rate).toEqual({ hits: 10, of: 16, low: expect.closeTo(0.3864, 4), high: expect.closeTo(0.8152, 4) });
    expect(all?.rate).toMatchObject({ hits: 16, low: expect.closeTo(0.8064, 4), high: 1 });
    expect(tableOf(['a', 'b'], [some, all])).toContain('10/16 (39 % to 82 %)');
    // A third value, or a single one, makes no rate.
    expect(compareRows([of('a', [0, 1, 0.5])], 'higher')[0]?.rate).toBeUndefined();
    expect(compareRows([of('a', [1, 1, 1])], 'higher')[0]?.rate).toBeUndefined();
  });
});

it('tells the scatter of the samples of an image from that of the images', () => {
  const draws = [
    [1, 3],
    [5, 9],
  ];
  const [summary] = compareRows([{ ...row('a', [2, 7]), draws }], 'higher');
  // Variances (2 + 8) / 2 = 5 within; of the means 12.5, of which 5 / 2 is scatter of the samples.
  expect(summary?.spread).toEqual({ within: expect.closeTo(Math.sqrt(5)), between: expect.closeTo(Math.sqrt(10)) });
  expect(compareRows([{ ...row('a', [2, 7]), draws: [[2], [7]] }], 'higher')[0]?.spread).toBeUndefined();
  // Samples that scatter more than the images differ: nothing is left between them.
  const wide = compareRows(
    [
      {
        ...row('a', [0, 0]),
        draws: [
          [-1, 1],
          [-2, 2],
        ],
      },
    ],
    'higher',
  )[0];
  expect(wide?.spread?.between).toBe(0);
  expect(tableOf(['a'], [summary], 2)).toMatch(/sd within  between.*\n.*\n.*2\.24 {5}3\.16/);
});

it('shows p and wins beside a difference, and the cost in one unit', () => {
  const summaries = compareRows([row('a', plus([1, 1.1, 0.9, 1, 1.2, 0.8])), row('b', base)], 'higher');
  const [, , , , header, , , second] = tableOf(['a', 'b'], summaries).split('\n');
  expect(header?.trim().split(/ {2,}/)).toEqual([
    'method',
    'hit ↑',
    'to best',
    'p',
    'wins',
    'misfit',
    'cost',
    'forwards',
    'vjps',
    'A calls',
    's/sample',
  ]);
  expect(second?.trim().split(/ {2,}/).slice(2)).toEqual([
    '-1.00 ± 0.15',
    '<0.001',
    '0 %',
    '-',
    '300',
    '100',
    '100',
    '200',
    '0.5',
  ]);
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
  expect(summary).toMatchObject({ finished: keys.length, cost: { forwards: 1, equivalents: 1 } });
});
