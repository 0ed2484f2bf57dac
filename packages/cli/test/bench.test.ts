import { expect, it } from 'vitest';
import { takeTurns } from '../src/bench/measure.ts';
import { type OverheadBench, showOverheadBench } from '../src/bench/overhead.ts';
import { showUnetBench } from '../src/bench/show-unet.ts';
import type { UnetBench, UnetRow } from '../src/bench/unet.ts';
import { differenceOf, showTrainBench, type TrainBench } from '../src/bench/train.ts';
import { repeatsOf } from '../src/bench/unet-sizes.ts';
import { tweedie } from './start.ts';

it('takes turns, and leaves the first call of each out', async () => {
  const calls: string[] = [];
  const contender = (name: string) => ({ name, run: () => void calls.push(name) });
  const [a, b] = [contender('a'), contender('b')];
  const seconds = await takeTurns([a, b, b], 1);
  expect(calls.join('')).toBe('abbabb');
  expect([...seconds.keys()]).toEqual(['a', 'b']);
  for (const { median, best, first } of seconds.values()) {
    expect(best).toBeLessThanOrEqual(median);
    expect(first).toBeGreaterThanOrEqual(0);
  }
});

it('repeats less where a call takes longer', () => {
  expect([repeatsOf('small', 1), repeatsOf('small', 4), repeatsOf('small', 16), repeatsOf('large', 4)]).toEqual([
    30, 8, 3, 3,
  ]);
});

const row: UnetRow = {
  batch: 1,
  what: 'forward+vjp',
  repeats: 30,
  compileSeconds: 1.23,
  firstSeconds: 0.3,
  seconds: { median: 0.05, best: 0.04 },
  imagesPerSecond: { median: 20, best: 25 },
  gflop: 5,
  gflopPerSecond: { median: 100, best: 125 },
  peak: { layer: '256 channels at 32x32', gflopPerSecond: 200 },
  fraction: { median: 0.5, best: 0.625 },
  operations: 2726,
  peakRssBytes: 3.1e8,
};
const result: UnetBench = {
  machine: { cpu: 'Some CPU', cores: 2, node: 'v20.11.0' },
  size: 'small',
  network: '32x32, 64 channels',
  parameters: 5463686,
  threads: 2,
  rows: [row, { ...row, what: 'forward', gflop: 2.5 }],
};

it('shows times and what they mean', () => {
  expect(showUnetBench(result).split('\n').slice(0, 5)).toMatchInlineSnapshot(`
    [
      "ADM U-Net, small: 32x32, 64 channels; 5,463,686 parameters, random weights",
      "Some CPU, 2 cores, Node v20.11.0; 2 threads each",
      "",
      "batch               compile s  first s           ms  images/s    GFLOP/s      of peak                peak GFLOP/s  operations  peak RSS  repeats",
      "    1  forward+vjp        1.2     0.30  50.0 (40.0)      20.0  100 (125)  0.50 (0.63)  200, 256 channels at 32x32        2726   0.31 GB       30",
    ]
  `);
});

it('shows PyTorch beside, and the ratio to its better layout', () => {
  const half = { median: 0.03, best: 0.02 };
  const torch = {
    NCHW: { median: 0.09, best: 0.08 },
    channels_last: { median: 0.1, best: 0.07 },
    'NCHW, memory kept': { median: 0.07, best: 0.06 },
    'channels_last, memory kept': { median: 0.08, best: 0.05 },
    'NCHW, memory kept, bfloat16': half,
    'channels_last, memory kept, bfloat16': { median: 0.02, best: 0.02 },
  };
  const ratio = { installed: { median: 1.8, best: 1.75 }, kept: { median: 1.4, best: 1.25 } };
  const shown = showUnetBench({ ...result, torch: '2.0', rows: [{ ...row, torch, ratio }] });
  expect(shown.split('\n').slice(5, 8)).toMatchInlineSnapshot(`
    [
      "",
      "batch               PyTorch NCHW ms  channels_last  better / ours  memory kept: NCHW ms  channels_last  better / ours  bfloat16 ms",
      "    1  forward+vjp      90.0 (80.0)   100.0 (70.0)    1.80 (1.75)           70.0 (60.0)    80.0 (50.0)    1.40 (1.25)  20.0 (20.0)",
    ]
  `);
});

it('measures the small network', async () => {
  const { code, out, err } = await tweedie([
    'bench',
    'unet',
    '--size',
    'small',
    '--batch',
    '1',
    '--repeats',
    '1',
    '--json',
  ]);
  expect(code).toBe(0);
  expect(err).toMatch(/^small, batch 1, forward\+vjp: compiling$/m);
  const { parameters, rows } = JSON.parse(out) as UnetBench;
  expect(parameters).toBe(5463686);
  expect(rows.map(({ what }) => what)).toEqual(['forward+vjp', 'forward']);
  for (const {
    compileSeconds,
    firstSeconds,
    seconds,
    imagesPerSecond,
    gflop,
    gflopPerSecond,
    peak,
    fraction,
    operations,
  } of rows) {
    for (const value of [
      compileSeconds,
      firstSeconds,
      seconds.median,
      seconds.best,
      imagesPerSecond.median,
      gflopPerSecond.median,
      peak.gflopPerSecond,
      fraction.best,
      operations,
    ])
      expect(value).toBeGreaterThan(0);
    expect(gflopPerSecond.best).toBeCloseTo(gflop / seconds.best, 6);
  }
  expect(rows[0]?.gflop).toBeCloseTo(2 * 2.573, 2);
  expect(rows[0]?.peakRssBytes).toBeGreaterThan(1e8);
  expect(rows[0]).not.toHaveProperty('ratio');
});

it('measures several batch sizes, each in its own process, and says once why not', async () => {
  const { code, out, err } = await tweedie(['bench', 'unet', '--batch', '1,2', '--torch', 'no-such-python']);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err.match(/Error: .*/g)).toEqual([
    'Error: [bench --torch] no-such-python: spawn no-such-python ENOENT. Name a Python that has torch, for example one of a virtual environment.',
  ]);
});

it('sets a step of each method that can work beside the passes that it makes', async () => {
  const { code, out, err } = await tweedie([
    'bench',
    'overhead',
    '--methods',
    'dps-w,exact',
    '--repeats',
    '1',
    '--json',
  ]);
  expect(code).toBe(0);
  expect(err).toMatch(/^small, dps-w: compiling, then 1 rounds$/m);
  const { rows, skipped, repeats } = JSON.parse(out) as OverheadBench;
  expect(repeats).toBe(1);
  expect(rows.map(({ method, forwards, vjps }) => [method, forwards, vjps])).toEqual([['dps-w', 2, 1]]);
  expect(skipped.map(({ method }) => method)).toEqual(['exact']);
  for (const { seconds, network, overhead, outside } of rows) {
    expect(outside).toBeGreaterThan(0);
    expect(outside).toBeLessThan(0.5);
    expect(Math.min(seconds.best, network.best)).toBeGreaterThan(0);
    // One round: its share is that of the medians.
    expect(overhead.seconds).toBeCloseTo(1 - network.median / seconds.median, 6);
    expect(overhead.cpuSeconds).toBeLessThan(1);
  }
});

it('shows the overhead, and who is left out', () => {
  const shown = showOverheadBench({
    machine: { cpu: 'Some CPU', cores: 2, node: 'v20.11.0' },
    size: 'medium',
    network: '64x64',
    threads: 2,
    repeats: 12,
    rows: [
      {
        method: 'dps-w',
        forwards: 2,
        vjps: 1,
        seconds: { median: 0.53, best: 0.5 },
        network: { median: 0.52, best: 0.5 },
        overhead: { seconds: 0.0189, cpuSeconds: -0.001 },
        outside: 0.012,
      },
    ],
    skipped: [{ method: 'exact', reason: 'no closed form' }],
  });
  expect(shown.split('\n').slice(1, 6)).toMatchInlineSnapshot(`
    [
      "Some CPU, 2 cores, Node v20.11.0; 2 threads; 12 rounds",
      "",
      "       forwards  vjps         ms a step     network alone    overhead  of CPU time     outside",
      "dps-w         2     1     530.0 (500.0)     520.0 (500.0)       1.9 %       -0.1 %       1.2 %",
      "exact left out: no closed form",
    ]
  `);
});

it('measures a training step', async () => {
  const { code, out, err } = await tweedie(['bench', 'train', '--batch', '1', '--repeats', '1', '--json']);
  expect(code).toBe(0);
  expect(err.match(/^batch 1: .*$/gm)).toEqual(['batch 1: compiling', 'batch 1: 1 rounds']);
  const measured = JSON.parse(out) as TrainBench;
  expect(measured).toMatchObject({ parameters: 4459756, batch: 1, threads: 2, repeats: 1 });
  expect(measured.imagesPerSecond.median).toBeCloseTo(1 / measured.seconds.median, 6);
  expect(measured.firstSeconds).toBeGreaterThan(measured.seconds.best);
  expect(measured).not.toHaveProperty('torch');
});

it('says why it cannot train in PyTorch, or with several batch sizes', async () => {
  const errorOf = async (...flags: string[]) => {
    const { code, out, err } = await tweedie(['bench', 'train', ...flags]);
    return { code, out, error: err.match(/Error: .*/g) };
  };
  expect(await errorOf('--batch', '1', '--torch', 'no-such-python')).toEqual({
    code: 2,
    out: '',
    error: [
      'Error: [bench --torch] no-such-python: spawn no-such-python ENOENT. Name a Python that has torch, for example one of a virtual environment.',
    ],
  });
  // A Python that ends without reading the megabytes of its task.
  expect(await errorOf('--batch', '1', '--torch', '/bin/false')).toEqual({
    code: 2,
    out: '',
    error: [
      'Error: [bench --torch] /bin/false: it ended with 1. Name a Python that has torch, for example one of a virtual environment.',
    ],
  });
  expect(await errorOf('--batch', '1,2')).toEqual({
    code: 2,
    out: '',
    error: ['Error: [bench --batch] train takes one number, not 1,2. Run it once for each.'],
  });
});

it('compares times of the same step only', () => {
  const ours = { loss: 2, norm: 10 };
  expect(differenceOf(ours, { loss: 2.001, norm: 10.001 }, 'step 1')).toBeCloseTo(5e-4, 12);
  expect(() => differenceOf(ours, { loss: 2, norm: 10.1 }, 'step 2, PyTorch NCHW')).toThrow(
    'bench train: step 2, PyTorch NCHW: loss 2, gradient norm 10.1; ours 2, 10. These are not the same step, and their times say nothing.',
  );
  expect(() => differenceOf(ours, { loss: NaN, norm: 10 }, 'step 1')).toThrow('loss NaN');
});

it('shows a training step, and how fast it is beside PyTorch', () => {
  const shown = showTrainBench({
    machine: { cpu: 'Some CPU', cores: 2, node: 'v20.11.0' },
    recipe: 'a.train.yaml',
    parameters: 4459756,
    batch: 16,
    threads: 2,
    repeats: 5,
    firstSeconds: 3.21,
    seconds: { median: 0.5, best: 0.4 },
    imagesPerSecond: { median: 32, best: 40 },
    torch: {
      version: '2.0',
      seconds: {
        NCHW: { median: 0.5, best: 0.48 },
        channels_last: { median: 0.6, best: 0.5 },
        'NCHW, memory kept': { median: 0.4, best: 0.36 },
        'channels_last, memory kept': { median: 0.45, best: 0.38 },
      },
      ratio: { median: 0.8, best: 0.9 },
      difference: 2.1e-6,
    },
  });
  expect(shown.split('\n').slice(0, -1)).toMatchInlineSnapshot(`
    [
      "Training step of a.train.yaml: 4,459,756 parameters, batch 16",
      "Some CPU, 2 cores, Node v20.11.0; 2 threads each; 5 rounds; the first step, which compiles, took 3.2 s",
      "",
      "                                           images/s      ms a step    time / ours",
      "ours                                    32.0 (40.0)      500 (400)    1.00 (1.00)",
      "PyTorch NCHW                            32.0 (33.3)      500 (480)    1.00 (1.20)",
      "PyTorch channels_last                   26.7 (32.0)      600 (500)    1.20 (1.25)",
      "PyTorch NCHW, memory kept               40.0 (44.4)      400 (360)    0.80 (0.90)",
      "PyTorch channels_last, memory kept      35.6 (42.1)      450 (380)    0.90 (0.95)",
      "",
      "Ours is 0.80 (0.90) times as fast as PyTorch 2.0, eager, float32, in its fastest setting.",
      "Losses and gradient norms of 3 steps from the same weights agreed to 2e-6.",
    ]
  `);
});
