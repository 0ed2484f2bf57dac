import { at, disposeProblem, type ImageShape } from '@tweedie/core';
import { meanOf } from '../run/complete-scores.ts';
import { loadProblem } from '../run/problems.ts';
import { checkSignal, type Watch } from '../machine/progress.ts';
import { deviation, picture } from './pictures.ts';
import type { PngDataUri, ReportData, ReportImage, ReportProblem, ReportResult } from './data.ts';
import { shapeAt, type RunIndex } from '../run/run-index.ts';
import { soundOf, type Cell } from '../run/cells.ts';
import type { Results } from '../run/results.ts';
import { isSignal, signalsOf } from './collect-signals.ts';
import { problemsOf } from '../results/problems.ts';
import { failuresOf, progressOf, type RowSummary } from '../results/summary.ts';
import { readTrace } from '../run/traces.ts';

/** The number of images that a report draws; it shows the scores of all. */
const PICTURED = 16;

const isPicture = (shape: readonly number[]): shape is ImageShape =>
  shape.length === 3 && (shape[2] === 1 || shape[2] === 3) && (shape[0] ?? 0) > 1 && (shape[1] ?? 0) > 1;

type Drawn = {
  readonly label: string;
  readonly samples: readonly Float32Array[];
  readonly traced: string;
  readonly scores: Readonly<Record<string, number>>;
  readonly std?: Float32Array;
};

const drawnOf = async (
  { label, cells: keys, metrics }: RowSummary,
  position: number,
  cells: ReadonlyMap<string, Cell>,
  store: Results,
  shape: ImageShape,
): Promise<Drawn | undefined> => {
  const sound = soundOf(keys[position] ?? [], cells);
  const [first] = sound;
  if (first === undefined) return undefined;
  const samples = await Promise.all(sound.map((key) => store.readSample(key)));
  const scores = Object.fromEntries(
    [...metrics].flatMap(([id, { perImage }]) => {
      const value = perImage[position];
      return typeof value === 'number' ? [[id, value]] : [];
    }),
  );
  return { label, samples, scores, traced: first, ...(samples.length > 1 ? { std: deviation(samples, shape) } : {}) };
};

const resultOf = async (
  drawn: Drawn,
  largestStd: number,
  store: Results,
  shape: ImageShape,
  { range, references }: RunIndex,
): Promise<ReportResult> => {
  const shades = range ?? references;
  const { label, samples, std, traced, scores } = drawn;
  const trace = await readTrace(store.folder, traced);
  const [height, width] = shape;
  return {
    label,
    scores,
    sample: await picture(at(samples, 0, 'sample'), shape, shades),
    ...(std
      ? {
          mean: await picture(meanOf(samples), shape, shades),
          std: await picture(
            std.map((value) => (2 * value) / largestStd - 1),
            [height, width, 1],
          ),
        }
      : {}),
    ...(trace
      ? {
          trace: {
            levels: trace.levels,
            frames: await Promise.all(trace.frames.map((frame) => picture(frame, shape, shades))),
          },
        }
      : {}),
  };
};

const imagesOf = async (
  index: RunIndex,
  rows: readonly RowSummary[],
  store: Results,
  { signal, onProgress }: Watch,
): Promise<readonly ReportImage[]> => {
  const { range: shades = index.references } = index;
  const cells = await store.cells();
  const names = index.images.slice(0, PICTURED);
  const images: ReportImage[] = [];
  for (const [position, name] of names.entries()) {
    checkSignal(signal);
    const shape = shapeAt(index, position);
    if (!isPicture(shape)) continue;
    const problems: ReportProblem[] = [];
    let truth: PngDataUri | undefined;
    for (const { operator, sigmaY, rows: table } of problemsOf(rows)) {
      const hash = table[0]?.problems[position];
      if (hash === undefined) continue;
      const problem = loadProblem(store.folder, hash);
      const [x0, y, yShape] = [
        problem.x0.dataSync() as Float32Array,
        problem.y.dataSync() as Float32Array,
        problem.y.shape,
      ];
      disposeProblem(problem);
      if (!index.truthUnknown) truth ??= await picture(x0, shape, shades);
      const drawn = (await Promise.all(table.map((row) => drawnOf(row, position, cells, store, shape)))).filter(
        (each) => each !== undefined,
      );
      // One grey scale for all methods of a problem, so that their maps can be compared.
      const largestStd = drawn.reduce(
        (largest, { std }) => std?.reduce((high, value) => Math.max(high, value), largest) ?? largest,
        1e-6,
      );
      problems.push({
        operator,
        sigmaY,
        measurement: isPicture(yShape) ? await picture(y, yShape, shades) : null,
        ...(drawn.some(({ std }) => std) ? { stdWhite: largestStd } : {}),
        results: await Promise.all(drawn.map((each) => resultOf(each, largestStd, store, shape, index))),
      });
    }
    if (problems.length > 0) images.push({ name, ...(truth === undefined ? {} : { truth }), problems });
    onProgress?.({ phase: 'report', done: position + 1, total: names.length, label: name });
  }
  return images;
};

const unfinishedOf = (index: RunIndex, rows: readonly RowSummary[]): Pick<ReportData, 'unfinished'> => {
  const unfinished = progressOf(index, rows);
  return unfinished.finished < unfinished.expected ? { unfinished } : {};
};

/** Collects what the HTML report shows of a run. */
export const reportData = async (
  index: RunIndex,
  rows: readonly RowSummary[],
  store: Results,
  watch: Watch,
): Promise<ReportData> => {
  const { title, notes, command, provenance, imageShape, shapes, truthUnknown, range, references, metrics } = index;
  return {
    title,
    created: new Date().toISOString(),
    command,
    ...(notes === undefined ? {} : { notes }),
    provenance,
    imageShape,
    ...(shapes ? { shapes } : {}),
    imageNames: index.images,
    ...(truthUnknown ? { truthUnknown } : {}),
    ...(range ? { range } : {}),
    ...(references ? { references } : {}),
    metrics,
    rows,
    images: await imagesOf(index, rows, store, watch),
    ...(isSignal(imageShape) ? { signals: await signalsOf(index, rows, store) } : {}),
    failures: failuresOf(index, rows),
    ...unfinishedOf(index, rows),
  };
};
