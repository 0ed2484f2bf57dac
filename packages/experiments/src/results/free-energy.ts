import { at } from '@tweedie/core';
import { binCentres, freeEnergy, type FreeEnergyResult } from '../statistics/free-energy.ts';
import type { IndexRow, RunIndex } from '../run/run-index.ts';
import { soundOf } from '../run/cells.ts';
import type { Results } from '../run/results.ts';
import { textTable } from '../machine/text-table.ts';
import { plain } from './numbers.ts';
import { problemsOf } from './problems.ts';

export type FreeEnergyRow = Pick<IndexRow, 'operator' | 'sigmaY' | 'label' | 'method'> & {
  readonly result: FreeEnergyResult;
};
export type FreeEnergyTable = {
  readonly operator: string;
  readonly sigmaY: number;
  readonly centres: readonly number[];
  readonly truth: readonly number[];
  /** Highest true free energy between the bounds of `barrier`. */
  readonly barrier: number;
  readonly rows: readonly FreeEnergyRow[];
};

/** The free energies of what is stored; windows without a sample leave a row out. */
export const freeEnergyTables = async (index: RunIndex, store: Results): Promise<readonly FreeEnergyTable[]> => {
  if (index.freeEnergy === undefined) return [];
  const { options, tables } = index.freeEnergy;
  const cells = await store.cells();
  const result: FreeEnergyTable[] = [];
  for (const { rows, ...problem } of problemsOf(index.rows)) {
    const table = tables.find(({ operator, sigmaY }) => operator === problem.operator && sigmaY === problem.sigmaY);
    if (table === undefined) continue;
    const analysed: FreeEnergyRow[] = [];
    for (const { operator, sigmaY, label, method, cells: windows } of rows) {
      const samples: number[][] = [];
      for (const keys of windows) {
        samples.push(
          (await Promise.all(soundOf(keys, cells).map((key) => store.readSample(key)))).map((x) =>
            at(x, options.entry, 'entry of a sample'),
          ),
        );
      }
      if (samples.length > 0 && samples.every((window) => window.length > 0))
        analysed.push({ operator, sigmaY, label, method, result: freeEnergy(samples, options, table.truth, sigmaY) });
    }
    const centres = binCentres(options);
    const [low, high] = options.barrier;
    const inside = (x: number): boolean => x > low && x < high;
    const barrier = table.truth.energy.reduce(
      (top, value, bin) => (inside(at(centres, bin, 'bin')) ? Math.max(top, value) : top),
      -Infinity,
    );
    result.push({
      operator: table.operator,
      sigmaY: table.sigmaY,
      centres,
      truth: table.truth.energy,
      barrier,
      rows: analysed,
    });
  }
  return result;
};

const { fixed } = plain;
/**
 * An error of a free energy; where some bin holds no sample the free energy there is infinite, and so are its errors.
 */
const shown = (value: number): string => (Number.isFinite(value) ? fixed(value, 2) : 'empty bins');

export const freeEnergyColumns = [
  'method',
  'F rmse',
  'F max error',
  'barrier',
  'bins',
  'window mean error',
  'window std / exact',
] as const;
export const freeEnergyCells = ({ label, result }: FreeEnergyRow): readonly string[] => [
  label,
  shown(result.rmse),
  shown(result.maxError),
  shown(result.barrier),
  `${result.bins.compared} of ${result.bins.wanted}`,
  fixed(result.maxWindowMeanError, 2),
  `${fixed(result.stdRatioMin, 2)} to ${fixed(result.stdRatioMax, 2)}`,
];

/** The tables for a terminal. */
export const freeEnergyText = (tables: readonly FreeEnergyTable[]): string =>
  tables
    .map(({ operator, sigmaY, barrier, rows }) =>
      [
        `${operator}, sigmaY ${sigmaY}: free energy from umbrella windows, in kT; true barrier ${fixed(barrier, 2)}`,
        '',
        textTable(freeEnergyColumns, rows.map(freeEnergyCells)),
      ].join('\n'),
    )
    .join('\n\n');
