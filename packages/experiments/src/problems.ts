import { join, resolve } from 'node:path';
import { disposeProblem, type Problem, problemWriter } from '@tweedie/core';
import { checkPlace, writeWhole } from '@tweedie/files';
import { checkSignal, type Watch } from './machine/progress.ts';
import { type ExperimentSource, benchesOf, openWorkbench } from './plan/workbench.ts';
import { truthUnknown } from './recipe/experiment.ts';
import { cleanImage, problemOf } from './run/problems.ts';

export type ExportProblemsOptions = ExperimentSource &
  Watch & {
    /** The folder to write. */
    readonly out: string;
    /** Whether the clean images, where they are known, are in the files; default true. */
    readonly truth?: boolean | undefined;
  };

/** A problem as `problems.json` lists it. */
export type ExportedProblem = {
  /** The file's name without its ending. */
  readonly name: string;
  /** The problem's hash: what a run keeps it by. */
  readonly hash: string;
  readonly image: string;
  readonly operator: { readonly id: string; readonly options: Readonly<Record<string, unknown>> };
  readonly sigmaY: number;
  readonly imageShape: readonly number[];
  readonly measurementShape: readonly number[];
  /** Whether A is beside it as a matrix, `<name>.matrix.npy`. */
  readonly matrix: boolean;
};

const OTHER_OUT = 'Say with --out where the problems are to go, for example --out problems.';

/** What may stand in the name of a file on every system. */
const plainName = (text: string): string => text.replace(/[^\w.-]+/g, '_').slice(0, 60);

/**
 * Writes the problems of an experiment for other programs: for each `<name>.safetensors`, with y, what was drawn for
 * the operator and, where it is known, x0 (`problemWriter` in core), and `problems.json`, which lists them. Images are
 * row-major [H, W, C] in the units of the model. The names end with 12 digits of the problem's hash, by which
 * `guidance/external` finds the samples of each. Throws ConfigError for anything wrong with the experiment.
 */
export const exportProblems = async ({ out, truth = true, signal, onProgress, ...source }: ExportProblemsOptions) => {
  const folder = resolve(out);
  checkPlace(join(folder, 'problems.json'), OTHER_OUT);
  const bench = await openWorkbench(source);
  const listed: ExportedProblem[] = [];
  try {
    const { experiment, container } = bench;
    const withTruth = truth && !truthUnknown(experiment.images);
    const engine = await container.plugin('engine', experiment.engine);
    await bench.model.load?.();
    const total = experiment.images.count * experiment.operators.length * experiment.sigmaY.length;
    for (const own of benchesOf(bench)) {
      const { imageShape } = own.model;
      for (const part of own.operators) {
        const writer = problemWriter(engine, part.operator, imageShape);
        try {
          for (const position of own.positions) {
            const image = await cleanImage(own, position);
            for (const sigmaY of experiment.sigmaY) {
              checkSignal(signal);
              const problem = problemOf(own, part, sigmaY, image);
              listed.push(
                await write(folder, writer, problem, withTruth, {
                  image: image.name,
                  operator: { id: part.reference.id, options: part.reference.options },
                  label: part.reference.label,
                  imageShape,
                }),
              );
              disposeProblem(problem);
              onProgress?.({ phase: 'problems', done: listed.length, total, label: image.name });
            }
          }
        } finally {
          writer.dispose();
        }
      }
    }
  } finally {
    bench.dispose();
  }
  writeWhole(join(folder, 'problems.json'), `${JSON.stringify(listed, null, 2)}\n`, OTHER_OUT);
  return { folder, problems: listed };
};

const write = async (
  folder: string,
  writer: ReturnType<typeof problemWriter>,
  problem: Problem,
  truth: boolean,
  { image, label, ...facts }: Pick<ExportedProblem, 'image' | 'operator' | 'imageShape'> & { readonly label: string },
): Promise<ExportedProblem> => {
  const { hash, sigmaY, y } = problem;
  const name = [image, label, String(sigmaY), hash.slice(0, 12)].map(plainName).join('-');
  const { x0, ...unknown } = problem;
  const files = await writer.files(truth ? { ...unknown, x0 } : unknown);
  for (const [ending, bytes] of files) writeWhole(join(folder, `${name}${ending}`), bytes, OTHER_OUT);
  return { name, hash, image, ...facts, sigmaY, measurementShape: y.shape, matrix: files.has('.matrix.npy') };
};
