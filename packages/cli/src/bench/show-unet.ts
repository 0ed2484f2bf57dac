import { showMachine } from './measure.ts';
import type { Both, TorchMode, UnetBench, UnetRow } from './unet.ts';

/** Lays out a result for a person to read. */
export function showUnetBench({ machine, size, network, parameters, threads, torch, rows }: UnetBench): string {
  const [first] = rows;
  return [
    `ADM U-Net, ${size}: ${network}; ${parameters.toLocaleString('en-US')} parameters, random weights`,
    `${showMachine(machine)}; ${threads} threads each${torch === undefined ? '' : `; PyTorch ${torch}, eager`}`,
    '',
    table([
      [
        'batch',
        '',
        'compile s',
        'first s',
        'ms',
        'images/s',
        'GFLOP/s',
        'of peak',
        'peak GFLOP/s',
        'operations',
        'peak RSS',
        'repeats',
      ],
      ...rows.map((row) => [
        String(row.batch),
        row.what,
        row.compileSeconds.toFixed(1),
        row.firstSeconds.toFixed(2),
        milliseconds(row.seconds),
        row.imagesPerSecond.median.toPrecision(3),
        inBrackets(row.gflopPerSecond, 0),
        inBrackets(row.fraction, 2),
        `${row.peak.gflopPerSecond.toFixed(0)}, ${row.peak.layer}`,
        String(row.operations),
        row.peakRssBytes === undefined ? '' : `${(row.peakRssBytes / 1e9).toFixed(2)} GB`,
        String(row.repeats),
      ]),
    ]),
    ...(torch === undefined ? [] : ['', torchTable(rows)]),
    '',
    'Median (best). Contenders take turns in one run; the speed of a shared machine changes all the same, so compare both.',
    `A multiply-add is two FLOP, ${((first?.gflop ?? NaN) / (first?.batch ?? 1) / (first?.what === 'forward' ? 1 : 2)).toFixed(1)} GFLOP an image forward; the gradient counts as much again.`,
    'Peak: the best run of the fastest of five 3x3 layers in the same rounds. Compile: trace, model and session. Peak RSS: of the process, weights',
    'in JavaScript included, after two calls of forward+vjp and before anything else is made.',
    ...(torch === undefined
      ? []
      : [
          'PyTorch runs as it is installed, and told to keep its memory from call to call, as we do (MALLOC_MMAP_MAX_=0): glibc gives it fresh pages each time.',
          'bfloat16 is another precision, and no contender.',
        ]),
  ].join('\n');
}

const torchTable = (rows: readonly UnetRow[]): string =>
  table([
    [
      'batch',
      '',
      'PyTorch NCHW ms',
      'channels_last',
      'better / ours',
      'memory kept: NCHW ms',
      'channels_last',
      'better / ours',
      'bfloat16 ms',
    ],
    ...rows.map(({ batch, what, torch, ratio }) => {
      const of = (mode: TorchMode): Both => torch?.[mode] ?? { median: NaN, best: NaN };
      const [half, other] = [of('NCHW, memory kept, bfloat16'), of('channels_last, memory kept, bfloat16')];
      return [
        String(batch),
        what,
        milliseconds(of('NCHW')),
        milliseconds(of('channels_last')),
        inBrackets(ratio?.installed, 2),
        milliseconds(of('NCHW, memory kept')),
        milliseconds(of('channels_last, memory kept')),
        inBrackets(ratio?.kept, 2),
        milliseconds({ median: Math.min(half.median, other.median), best: Math.min(half.best, other.best) }),
      ];
    }),
  ]);

const inBrackets = ({ median, best }: Both = { median: NaN, best: NaN }, digits: number): string =>
  `${median.toFixed(digits)} (${best.toFixed(digits)})`;
const milliseconds = ({ median, best }: Both): string =>
  inBrackets({ median: median * 1000, best: best * 1000 }, best < 1 ? 1 : 0);

/** Lays out rows of cells as columns, aligned at their right ends. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(all[i] ?? 0, cell.length)), []);
  return rows.map((row) => row.map((cell, i) => cell.padStart(widths[i] ?? 0)).join('  ')).join('\n');
}
