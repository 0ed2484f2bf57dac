import { ConfigError, keyedRandom, stackTrees, tf, type ImageShape, type Operator, sizeOf } from '@tweedie/core';
import { binCentres, freeEnergy, freeEnergyTruth, type FreeEnergyOptions, type FreeEnergyResult, type FreeEnergyTruth } from '../statistics/free-energy.ts';
import { tablesOf, type RunIndex } from '../run/run-index.ts';
import { soundOf, type Store } from '../run/store.ts';
import { textTable } from '../machine/text-table.ts';
import type { Workbench } from '../plan/workbench.ts';

/** What a run folder keeps of the analysis, so that tables and reports need no model. */
export type FreeEnergyIndex = {
  readonly options: FreeEnergyOptions;
  /** In the order of operators and noise levels. */
  readonly tables: readonly { readonly operator: string; readonly sigmaY: number; readonly truth: FreeEnergyTruth }[];
};

export type FreeEnergyRow = { readonly operator: string; readonly sigmaY: number; readonly label: string; readonly method: string; readonly result: FreeEnergyResult };
export type FreeEnergyTable = {
  readonly operator: string;
  readonly sigmaY: number;
  readonly centres: readonly number[];
  readonly truth: readonly number[];
  /** Highest true free energy between the bounds of `barrier`. */
  readonly barrier: number;
  readonly rows: readonly FreeEnergyRow[];
};

/** The position in y of an entry that the operator observes, and observes alone; else undefined. */
const soleObserved = (operator: Operator, imageShape: ImageShape, entry: number): number | undefined => tf.tidy(() => {
  const d = sizeOf(imageShape);
  const drawn = stackTrees([operator.draw(keyedRandom('free energy: what is observed?'))]);
  const measured = (image: readonly number[]): readonly number[] => Array.from(operator.forward(tf.tensor(image, [1, ...imageShape]), drawn).dataSync());
  const own = measured(Array.from({ length: d }, (_, i) => (i === entry ? 1 : 0)));
  const others = measured(Array.from({ length: d }, (_, i) => (i === entry ? 0 : i + 1)));
  const at = own.findIndex((value) => value !== 0);
  return operator.linear && own.every((value, i) => value === (i === at ? 1 : 0)) && others.every((value) => value === 0) ? at : undefined;
});

/** Checks that the analysis fits the experiment, and computes what it is held against. The model is loaded. */
export const freeEnergyIndex = ({ experiment, model, operators, recipe }: Workbench): FreeEnergyIndex | undefined => {
  const { freeEnergy: options, images } = experiment;
  if (options === undefined) return undefined;
  const fail = (what: string, remedy: string) => new ConfigError(`${recipe.where} /freeEnergy`, what, remedy);
  const prior = model.mixture?.();
  const d = sizeOf(model.imageShape);
  if (prior === undefined) throw fail('this model does not know its prior in closed form.', 'Use a prior such as model/gmm.');
  if (images.measurements === undefined) throw fail('the windows are measurements, and none are given.', 'Give their centres as "images: { measurements: [...] }".');
  if (!(options.from < options.to)) throw fail(`the histogram from ${options.from} to ${options.to} is empty.`, 'Give from below to.');
  if (options.entry >= d) throw fail(`there is no entry ${options.entry} in images of ${d} entries.`, `Count from 0 to ${d - 1}.`);
  const used = images.measurements.slice(images.offset, images.offset + images.count);
  return {
    options,
    tables: operators.flatMap(({ reference, operator }) => {
      const at = soleObserved(operator, model.imageShape, options.entry);
      if (at === undefined) throw fail(`operator "${reference.label}" does not observe entry ${options.entry}, and that alone.`, 'Use operator/inpaint with a mask that shows this entry.');
      return experiment.sigmaY.map((sigmaY) => {
        if (sigmaY === 0) throw fail('sigmaY is the width of the windows, and it is 0.', 'Give a width above 0.');
        return { operator: reference.label, sigmaY, truth: freeEnergyTruth(prior, options, used.map((y) => y[at] ?? 0), sigmaY) };
      });
    }),
  };
};

/** The free energies of what is stored; windows without a sample leave a row out. */
export const freeEnergyTables = async (index: RunIndex, store: Store): Promise<readonly FreeEnergyTable[]> => {
  if (index.freeEnergy === undefined) return [];
  const { options, tables } = index.freeEnergy;
  const cells = await store.cells();
  const result: FreeEnergyTable[] = [];
  for (const rows of tablesOf(index.rows, (row) => row)) {
    const [first] = rows;
    const table = tables.find(({ operator, sigmaY }) => operator === first?.operator && sigmaY === first.sigmaY);
    if (table === undefined) continue;
    const analysed: FreeEnergyRow[] = [];
    for (const { operator, sigmaY, label, method, cells: windows } of rows) {
      const samples: number[][] = [];
      for (const keys of windows) {
        samples.push((await Promise.all(soundOf(keys, cells).map((key) => store.readSample(key)))).map((x) => x[options.entry] ?? NaN));
      }
      if (samples.length > 0 && samples.every((window) => window.length > 0)) analysed.push({ operator, sigmaY, label, method, result: freeEnergy(samples, options, table.truth, sigmaY) });
    }
    const centres = binCentres(options);
    const [low, high] = options.barrier;
    const barrier = table.truth.energy.reduce((top, value, bin) => ((centres[bin] ?? NaN) > low && (centres[bin] ?? NaN) < high ? Math.max(top, value) : top), -Infinity);
    result.push({ operator: table.operator, sigmaY: table.sigmaY, centres, truth: table.truth.energy, barrier, rows: analysed });
  }
  return result;
};

/** Where some bin holds no sample the free energy there is infinite, and so are its errors. */
const shown = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : 'empty bins');

export const freeEnergyColumns = ['method', 'F rmse', 'F max error', 'barrier', 'bins', 'window mean error', 'window std / exact'] as const;
export const freeEnergyCells = ({ label, result }: FreeEnergyRow): readonly string[] => [
  label, shown(result.rmse), shown(result.maxError), shown(result.barrier), `${result.bins.compared} of ${result.bins.wanted}`, result.maxWindowMeanError.toFixed(2), `${result.stdRatioMin.toFixed(2)} to ${result.stdRatioMax.toFixed(2)}`,
];

/** For a terminal. */
export const freeEnergyText = (tables: readonly FreeEnergyTable[]): string => tables.map(({ operator, sigmaY, barrier, rows }) => [
  `${operator}, sigmaY ${sigmaY}: free energy from umbrella windows, in kT; true barrier ${barrier.toFixed(2)}`,
  '',
  textTable(freeEnergyColumns, rows.map(freeEnergyCells)),
].join('\n')).join('\n\n');
