import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compare, plan, type ExperimentInput } from '../src/index.ts';
import { gridOf } from '../src/plan/grid.ts';
import { bySetting, type PlannedRow } from '../src/plan/rows.ts';

const recipe: ExperimentInput = {
  title: 'Planned',
  model: {
    id: 'gmm',
    options: {
      shape: [1, 2, 1],
      means: [
        [-1, 0],
        [1, 0],
      ],
      variances: [0.1, 0.2],
    },
  },
  images: { from: 'prior', count: 4 },
  operators: ['identity', { id: 'inpaint', options: { rate: 0.5 } }],
  sigmaY: 0.1,
  methods: ['none', 'dps'],
  scheduler: { id: 'ddpm', options: { steps: 10 } },
  engine: 'eager',
  samples: 2,
};
/** The score cache needs a reference image that does not change: with A = I, or with what is hidden fixed. */
const impossible: ExperimentInput = {
  ...recipe,
  methods: ['none', { id: 'dps-w', label: 'cached', options: { cache: true } }],
};

describe('a plan', () => {
  it('counts network calls before anything runs', async () => {
    const { rows, total, table, json, chunk } = await plan({ recipe });
    expect(rows.map(({ operator, method }) => [operator.reference.label, method.reference.label])).toEqual([
      ['identity', 'none'],
      ['identity', 'dps'],
      ['inpaint', 'none'],
      ['inpaint', 'dps'],
    ]);
    expect(rows.map(({ cost }) => [cost.forwards, cost.vjps])).toEqual([
      [10, 0],
      [10, 10],
      [10, 0],
      [10, 10],
    ]);
    expect(total).toEqual({ forwards: 4 * 10 * 8, vjps: 2 * 10 * 8 });
    expect(chunk).toBe(256);
    expect(json.rows).toHaveLength(4);
    expect(table).toMatchInlineSnapshot(`
      "Planned: 4 images of 1x2x1, sigmaY 0.1, 2 samples per image, chunks of 256

      Network calls for one sample, forwards + vjps (papers count forwards alone as NFE):

        method  steps  identity  inpaint
        --------------------------------
        none       10    10 + 0   10 + 0
        dps        10   10 + 10  10 + 10

      Drawn in this process (a process of its own takes longer to start than the run); --workers n draws in child processes.
      In all: 320 forwards, 160 vjps."
    `);
  });

  it('refuses what cannot work, with the reason', async () => {
    await expect(plan({ recipe: impossible })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ConfigError: [experiment] method "cached" cannot work with operator "inpaint": the score cache needs a reference image that stays the same, and hidden 'x0hat' changes it at every step; set hidden to 'zero' or 'measured', or cache to false. Take the pair out, or say "impossible: skip" to show such rows as skipped.]`,
    );
  });

  it('says what a row costs that calls no network', async () => {
    const { table, total } = await plan({
      recipe: { ...recipe, methods: ['none', 'exact', { id: 'posterior', label: 'truth' }] },
    });
    expect(total.forwards).toBe((10 + 10 + 10) * 8);
    expect(table).toMatch(/exact +10 +10 \+ 0 +no network \(2\)\n/);
    expect(table).toMatch(/truth +1 +no network \(1\) +no network \(1\)\n/);
    expect(table).toMatch(/\(1\) closed form, no network: K \(m\^3\/3 \+ 2 m d\^2\) operations a problem/);
  });

  it('shows it where the recipe says skip', async () => {
    const { rows, table, total } = await plan({ recipe: { ...impossible, impossible: 'skip' } });
    expect(rows.map((row) => row.impossible !== undefined)).toEqual([false, false, false, true]);
    expect(total.vjps).toBe(10 * 8);
    expect(table).toContain('impossible (1)');
    expect(table).toContain('(1) the score cache needs a reference image that stays the same');
  });

  it('says how long it would take here, when asked to measure', async () => {
    const { rows, table } = await plan({ recipe: { ...recipe, chunk: 2 }, measure: true });
    for (const { seconds } of rows) expect(seconds).toBeGreaterThan(0);
    expect(table).toMatch(/about [\d.]+ (s|min) here\.$/);
    const { table: tuned } = await plan({
      recipe: { ...recipe, chunk: 2, tune: { images: { count: 4 }, budget: 800 } },
      measure: true,
    });
    expect(tuned).toMatch(/tweedie tune: by psnr .* for each method and problem; about [\d.]+ (s|min) here\.\n/);
  });

  it('asks for no more images than there are, of the right size', async () => {
    await expect(plan({ recipe: { ...recipe, images: { dataset: 'emoji', count: 1 } } })).rejects.toThrow(
      /its images are \[32, 32, 3\], the model's \[1, 2, 1\]/,
    );
  });

  it('looks at each row once when it puts thousands of them in a table', () => {
    const labels = Array.from({ length: 3000 }, (_, i) => `dps scale=${i}`);
    let looks = 0;
    const rows = labels.map((label) => {
      const reference = {
        get label() {
          looks++;
          return label;
        },
      };
      return { method: { reference } } as unknown as PlannedRow;
    });
    const grid = gridOf(labels, [{ rows }]);
    expect(looks).toBe(3000);
    expect(grid.map(({ rows: [row] }) => row)).toEqual(rows);
  });

  it('looks at each row once when it puts thousands of them together by what is bound', () => {
    const [method, operator] = [Array.from({ length: 3000 }, () => ({})), {}];
    let looks = 0;
    const rows = [...method, ...method].map((part) => ({ method: part, operator }) as unknown as PlannedRow);
    const groups = bySetting(rows, (row) => {
      looks++;
      return row;
    });
    expect(looks).toBe(6000);
    expect(groups).toEqual(method.map((_, i) => [rows[i], rows[3000 + i]]));
  });

  it('times rows once that differ in numbers alone, and says so', async () => {
    const methods = [
      { id: 'dps', options: { scale: [0.1, 0.2, 0.3] } },
      { id: 'dps', label: 'squared', options: { scale: 0.1, form: 'squared' } },
      // Whole numbers count something, and here the cost is another too.
      { id: 'dmap', options: { inner: [1, 2] } },
      { id: 'none', steps: 5 },
      { id: 'none', label: 'longer', steps: 6 },
    ];
    const { table, json } = await plan({
      recipe: { ...recipe, operators: ['identity'], methods, chunk: 2 },
      measure: true,
    });
    expect(json.rows.map(({ label, timedAs }) => [label, timedAs])).toEqual([
      ['dps scale=0.1', null],
      ['dps scale=0.2', 'dps scale=0.1'],
      ['dps scale=0.3', 'dps scale=0.1'],
      ['squared', null],
      ['dmap inner=1', null],
      ['dmap inner=2', null],
      ['none', null],
      ['longer', null],
    ]);
    const [first, second] = json.rows;
    expect(first?.seconds).toBeGreaterThan(0);
    expect(second?.seconds).toBe(first?.seconds);
    expect(table.split('\n').at(-1)).toBe(
      'Timed: 6 of these rows; 2 more differ from one of them in options of type number alone, which are taken to cost no time.',
    );
  });
});

describe('a budget', () => {
  const equal: ExperimentInput = {
    ...recipe,
    methods: [
      'none',
      'dps',
      'dps-w',
      { id: 'daps', label: 'daps 5', options: { odeSteps: 5, mcmcSteps: 5 } },
      { id: 'none', label: 'heun', scheduler: { id: 'edm' } },
      'exact',
    ],
    samples: 1,
    budget: 60,
  };

  it('gives each row the most steps that cost no more, a vjp for two forwards', async () => {
    const { rows, table } = await plan({ recipe: equal });
    const of = (operator: string) =>
      rows
        .filter((row) => row.operator.reference.label === operator)
        .map(({ method, cost }) => [method.reference.label, method.steps.length, cost.forwards + 2 * cost.vjps]);
    expect(of('identity')).toEqual([
      ['none', 60, 60],
      ['dps', 20, 60],
      ['dps-w', 15, 60],
      ['daps 5', 12, 60],
      // 2 steps - 1 calls: 31 steps would be 61.
      ['heun', 30, 59],
      ['exact', 60, 60],
    ]);
    // In closed form exact calls no network: its steps are the scheduler's.
    expect(of('inpaint').at(-1)).toEqual(['exact', 10, 0]);
    expect(table).toMatch(/exact +60, 10 /);
  });

  it('is what the run then costs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tweedie-budget-'));
    try {
      const { json } = await compare({ recipe: { ...equal, images: { from: 'prior', count: 1 } }, out: folder });
      expect(json.failures).toEqual([]);
      const costs = json.cost.map(({ operator, label, equivalents }) => [operator, label, equivalents]);
      expect(costs.filter(([operator]) => operator === 'identity').map(([, , cost]) => cost)).toEqual([
        60, 60, 60, 60, 59, 60,
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('gives way to steps of the command line, and is refused where it is too little or beside steps', async () => {
    const { rows } = await plan({ recipe: equal, overrides: { steps: 4 } });
    expect(rows.slice(0, 2).map(({ method }) => method.steps.length)).toEqual([4, 4]);
    await expect(plan({ recipe: { ...equal, budget: 5 } })).rejects.toThrow(
      '[experiment /budget] 5 is too little for method "dps" on operator "identity": 2 steps cost 6 (forwards + 2 vjps). Raise the budget.',
    );
    await expect(plan({ recipe: { ...equal, methods: [{ id: 'dps', steps: 20 }] } })).rejects.toThrow(
      '[experiment /methods/0/steps] the number of steps follows from the budget of 60. Take one of the two out.',
    );
  });
});
