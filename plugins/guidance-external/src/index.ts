import {
  askProgram,
  at,
  batchSize,
  ConfigError,
  disposeTree,
  type Files,
  type GuidanceFactory,
  mapTree,
  type Measured,
  oneStep,
  problemWriter,
  rowOfProblem,
  type SampleKey,
  sha256,
  sizeOf,
  type Tensor,
  tf,
} from '@tweedie/core';
import { readSamples } from './sample-file.ts';

export interface ExternalOptions {
  readonly samples?: string;
  readonly command?: readonly string[];
}

/** How many digits of a problem's hash stand in the name of its file. */
const DIGITS = 12;
const isSampleFile = (name: string): boolean => /\.(npy|safetensors)$/.test(name);

/**
 * Samples that another program has made, as a row like all others: the same problems, scores and measures. One step,
 * whatever the scheduler, whose state is the samples; [B, H, W, C].
 *
 * `samples`: a folder with a file for each problem, of the name that `tweedie problems export` gave it or with the
 * first 12 digits of the problem's hash in it; sample s of the run is row s. `command`: a program that is called for
 * the samples of one problem in one chunk, with the file of the problem without x0 (beside it, of a linear operator
 * with m d up to 4,194,304, `.matrix.npy`), the .npy file that it writes, and the numbers of the samples, from which
 * its random numbers should follow. The contents of the sample files, and of files that the command names, are part of
 * what samples are kept by. Throws ConfigError where a file is missing, of another shape, or has too few samples, and
 * where the program fails. Its cost is not counted.
 */
export const external: GuidanceFactory<ExternalOptions> = async (options, { files }) => {
  const { samples, command } = options;
  if ((samples === undefined) === (command === undefined))
    throw new ConfigError(
      'guidance/external',
      samples === undefined ? 'there are no samples.' : 'both samples and command are given.',
      'Give either samples, a folder, or command, a program with its arguments.',
    );
  const content = await (samples === undefined ? hashOfNamed(command ?? [], files) : hashOfFolder(samples, files));
  return {
    levels: oneStep,
    cost: () => ({ forwards: 0, vjps: 0 }),
    contentHash: () => content,
    bind({ engine, model, operator }) {
      const { imageShape } = model;
      const writer = problemWriter(engine, operator, imageShape);
      /** The wanted samples of the problem of a row. */
      const drawn = async (problem: Measured, row: number, { problem: hash }: SampleKey, wanted: readonly number[]) => {
        if (samples !== undefined) {
          const source = await fileOf(hash, samples, files);
          const { count, sample } = readSamples(await files.readBytes(source), source, imageShape);
          const last = Math.max(...wanted);
          if (last >= count)
            throw new ConfigError(source, `has ${count} samples, sample ${last + 1} is wanted.`, 'Draw more of them.');
          return wanted.map(sample);
        }
        const own = rowOfProblem(problem, row);
        const single = (leaf: Tensor): Tensor => tf.squeeze(leaf, [0]);
        const parts = {
          name: hash.slice(0, DIGITS),
          operator: '',
          sigmaY: own.sigmaY,
          y: single(own.y),
          drawn: mapTree(own.drawn, (leaf) => (typeof leaf === 'number' ? leaf : single(leaf))),
        };
        const written = await writer.files(parts);
        disposeTree([own.y, own.drawn, parts.y, parts.drawn]);
        const bytes = await askProgram(command ?? [], {
          folder: files.resolve('.'),
          inputs: new Map([...written].map(([ending, content]) => [`problem${ending}`, content])),
          output: 'samples.npy',
          words: (pathOf) => [pathOf('problem.safetensors'), pathOf('samples.npy'), wanted.join(',')],
        });
        const { count, sample } = readSamples(bytes, 'samples.npy', imageShape);
        if (count !== wanted.length)
          throw new ConfigError(
            'guidance/external',
            `the program wrote ${count} samples where ${wanted.length} were asked for.`,
            'Write one for each number in the third argument.',
          );
        return wanted.map((_, k) => sample(k));
      };
      return {
        start: async ({ y }) => tf.zeros([batchSize(y), ...imageShape]),
        async step(_state, _step, problem, { keys }) {
          if (keys === undefined) throw new RangeError('guidance/external: whose samples these are is not told.');
          const each = sizeOf(imageShape);
          const values = new Float32Array(keys.length * each);
          for (const hash of new Set(keys.map(({ problem: own }) => own))) {
            const places = keys.flatMap(({ problem: own }, row) => (own === hash ? [row] : []));
            const wanted = [...new Set(places.map((row) => at(keys, row, 'sample').sample))];
            const first = at(places, 0, 'row of a problem');
            const found = await drawn(problem, first, at(keys, first, 'sample'), wanted);
            for (const row of places)
              values.set(at(found, wanted.indexOf(at(keys, row, 'sample').sample), 'sample'), row * each);
          }
          return { state: tf.tensor4d(values, [keys.length, ...imageShape]) };
        },
        dispose: () => writer.dispose(),
      };
    },
  };
};

/** The file of a problem in a folder of samples. */
async function fileOf(hash: string, folder: string, files: Files): Promise<string> {
  const digits = hash.slice(0, DIGITS);
  const [found] = (await files.list(folder)).filter((name) => name.includes(digits) && isSampleFile(name));
  if (found === undefined)
    throw new ConfigError(
      files.resolve(folder),
      `has no samples of the problem ${digits}.`,
      `Write the problems with tweedie problems export, restore them, and keep the samples of each in a file with ${digits} in its name.`,
    );
  return files.resolve(`${folder}/${found}`);
}

async function hashOfFolder(folder: string, files: Files): Promise<string> {
  const hashes: string[] = [];
  for (const name of (await files.list(folder)).filter(isSampleFile))
    hashes.push(`${name} ${sha256(await files.readBytes(`${folder}/${name}`))}`);
  return sha256(hashes.join('\n'));
}

/** Of the words of a command that are files. */
async function hashOfNamed(command: readonly string[], files: Files): Promise<string> {
  const contents = command.map((word) => files.readBytes(word).then(sha256, () => ''));
  return sha256((await Promise.all(contents)).join('\n'));
}
