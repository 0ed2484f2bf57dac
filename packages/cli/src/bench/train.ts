/**
 * Times a training step of the prior of photographs, data excluded, beside the same step in PyTorch on request; first
 * both take the same steps, which must give the same numbers.
 */
import { join } from 'node:path';
import { keyedRandom, openRegistry, type Tensor, tf } from '@tweedie/core';
import { admPlan, admStateDict, randomAdmWeights } from '@tweedie/networks';
import { compileTraining, freshState, readTraining, type Step, type TrainingRecipe } from '@tweedie/training';
import { type Machine, type Seconds, showMachine, takeTurns, thisMachine } from './measure.ts';
import { type TorchMemory, type TorchProcess, torchProcess } from './torch.ts';
import type { Both } from './unet.ts';

const file = 'photographs.train.yaml';

/** What is timed in PyTorch: how it treats its memory, and its layout in the words of train.py. */
const torchModes = {
  NCHW: ['installed', 'contiguous'],
  channels_last: ['installed', 'channels_last'],
  'NCHW, memory kept': ['kept', 'contiguous'],
  'channels_last, memory kept': ['kept', 'channels_last'],
} as const;
type TorchMode = keyof typeof torchModes;

export type TrainBench = {
  readonly machine: Machine;
  readonly recipe: string;
  readonly parameters: number;
  readonly batch: number;
  readonly threads: number;
  readonly repeats: number;
  /** Of the first step, which compiles. */
  readonly firstSeconds: number;
  readonly seconds: Both;
  readonly imagesPerSecond: Both;
  readonly torch?: {
    readonly version: string;
    readonly seconds: Readonly<Record<TorchMode, Both>>;
    /** Seconds of PyTorch in its fastest mode over ours. */
    readonly ratio: Both;
    /** The largest relative difference of a loss or a gradient norm in the steps that both took first. */
    readonly difference: number;
  };
};

export type TrainBenchOptions = {
  readonly batch?: number | undefined;
  readonly repeats?: number | undefined;
  readonly threads: number;
  /** Path of a Python that has torch; without one PyTorch is left out. */
  readonly torch?: string | undefined;
};

/** Steps that both take before the clock starts: the later ones have gone through clipping and AdamW too. */
const CHECKED_STEPS = 3;

export async function benchTrain(
  { batch: images, repeats = 5, threads, torch }: TrainBenchOptions,
  report: (line: string) => void,
): Promise<TrainBench> {
  const { recipe: written } = readTraining(join(openRegistry({ quiet: true }).find('model', 'photo').folder, file));
  // A full rate from the first step, so that the steps that are compared move the weights.
  const optimizer = { ...written.optimizer, warmup: 0, cooldown: 0 };
  const recipe: TrainingRecipe = { ...written, optimizer, ...(images !== undefined && { batch: images }) };
  const training = compileTraining(recipe, { threads });
  const random = keyedRandom('bench train');
  const pixels = training.shape.reduce((product, side) => product * side, recipe.batch);
  const x0 = Float32Array.from(random.uniform('images', pixels), (u) => 2 * u - 1);
  const batch = training.batch(x0, random);
  const tensors = randomAdmWeights(recipe.network, 0);
  const numbersOf = (name: string): Float32Array => (tensors.get(name) as Tensor).dataSync() as Float32Array;

  const numbers = [
    ...[...admStateDict(recipe.network, numbersOf).values()].map(({ data }) => data as Float32Array),
    ...[batch.x0, batch.noise, batch.columns['sigma'] as Tensor].map((tensor) => tensor.dataSync() as Float32Array),
  ];
  const startTorch = (memory: TorchMemory): Promise<TorchProcess> =>
    torchProcess(torch ?? '', 'train.py', taskOf(recipe, threads, numbers), memory, 'sleeping');
  const python =
    torch === undefined ? undefined : { installed: await startTorch('installed'), kept: await startTorch('kept') };

  const state = freshState(joined([...tensors.keys()].map(numbersOf)));
  tf.dispose([...tensors.values()]);
  const descent = training.stepsOf(state);
  let taken = 0;
  const step = async (): Promise<Step> => {
    const done = await descent.step(batch, ++taken);
    if (!Number.isFinite(done.loss) || !Number.isFinite(done.norm))
      throw new Error(`bench train: step ${taken} has loss ${done.loss} and gradient norm ${done.norm}.`);
    return done;
  };
  const inTorch = (mode: TorchMode, { rate, keep }: Step): Promise<string> | undefined => {
    const [memory, layout] = torchModes[mode];
    return python?.[memory].ask(`${layout} ${rate} ${keep}`);
  };

  report(`batch ${recipe.batch}: compiling`);
  const started = performance.now();
  let last = await step();
  const firstSeconds = (performance.now() - started) / 1000;
  const modes = python === undefined ? [] : (Object.keys(torchModes) as TorchMode[]);
  let difference = 0;
  for (let k = 1; k <= CHECKED_STEPS; k++) {
    if (k > 1) last = await step();
    for (const mode of modes) {
      const theirs = JSON.parse((await inTorch(mode, last)) ?? '') as Pick<Step, 'loss' | 'norm'>;
      difference = Math.max(difference, differenceOf(last, theirs, `step ${k}, PyTorch ${mode}`));
    }
  }

  report(`batch ${recipe.batch}: ${repeats} rounds`);
  const times = await takeTurns(
    [
      { name: 'ours', run: async () => void (await step()) },
      ...modes.map((mode) => ({ name: mode, run: async () => void (await inTorch(mode, last)) })),
    ],
    repeats,
  );
  for (const process of Object.values(python ?? {})) process.dispose();
  descent.dispose();
  training.dispose();
  tf.dispose([batch.x0, batch.noise, ...Object.values(batch.columns)]);

  const of = (name: string): Seconds => times.get(name) ?? { median: NaN, best: NaN, first: NaN };
  const both = (name: string): Both => ({ median: of(name).median, best: of(name).best });
  const seconds = both('ours');
  const fastest = (which: keyof Both): number => Math.min(...modes.map((mode) => of(mode)[which]));
  return {
    machine: thisMachine(),
    recipe: file,
    parameters: training.layout.size,
    batch: recipe.batch,
    threads,
    repeats,
    firstSeconds,
    seconds,
    imagesPerSecond: { median: recipe.batch / seconds.median, best: recipe.batch / seconds.best },
    ...(python && {
      torch: {
        version: python.kept.version,
        seconds: Object.fromEntries(modes.map((mode) => [mode, both(mode)])) as Record<TorchMode, Both>,
        ratio: { median: fastest('median') / seconds.median, best: fastest('best') / seconds.best },
        difference,
      },
    }),
  };
}

/** The network, the loss and the optimizer for train.py; `numbers` are its weights, clean images, noise and levels. */
function taskOf(recipe: TrainingRecipe, threads: number, numbers: readonly Float32Array[]): object {
  const { loss, network, batch, optimizer } = recipe;
  if (loss.kind !== 'edm') throw new Error(`bench train: ${file} has the ${loss.kind} loss, train.py the edm loss.`);
  return {
    threads,
    batch,
    plan: admPlan(network),
    sigmaData: loss.sigma_data,
    betas: optimizer.betas,
    weightDecay: optimizer.weightDecay,
    clip: optimizer.clip,
    numbers: Buffer.from(joined(numbers).buffer).toString('base64'),
  };
}

function joined(parts: readonly Float32Array[]): Float32Array<ArrayBuffer> {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Roundings of float32, which the steps before have carried on; another formula is seen from far. */
const TOLERANCE = 1e-3;

/** The larger of the relative differences of loss and gradient norm. Throws where they are not the same step. */
export function differenceOf(
  ours: Pick<Step, 'loss' | 'norm'>,
  theirs: Pick<Step, 'loss' | 'norm'>,
  where: string,
): number {
  const relative = (name: 'loss' | 'norm'): number => Math.abs(theirs[name] / ours[name] - 1);
  const larger = Math.max(relative('loss'), relative('norm'));
  if (larger <= TOLERANCE) return larger;
  throw new Error(
    `bench train: ${where}: loss ${theirs.loss}, gradient norm ${theirs.norm}; ours ${ours.loss}, ${ours.norm}. These are not the same step, and their times say nothing.`,
  );
}

/** Lays out a result for a person to read. */
export function showTrainBench(result: TrainBench): string {
  const { machine, recipe, parameters, batch, threads, repeats, firstSeconds, seconds, torch } = result;
  const row = (name: string, { median, best }: Both): string =>
    [
      name.padEnd(36),
      inBrackets({ median: batch / median, best: batch / best }, 1).padStart(15),
      inBrackets({ median: 1000 * median, best: 1000 * best }, 0).padStart(15),
      inBrackets({ median: median / seconds.median, best: best / seconds.best }, 2).padStart(15),
    ].join('');
  return [
    `Training step of ${recipe}: ${parameters.toLocaleString('en-US')} parameters, batch ${batch}`,
    `${showMachine(machine)}; ${threads} threads each; ${repeats} rounds; the first step, which compiles, took ${firstSeconds.toFixed(1)} s`,
    '',
    `${''.padEnd(36)}${['images/s', 'ms a step', 'time / ours'].map((head) => head.padStart(15)).join('')}`,
    row('ours', seconds),
    ...Object.entries(torch?.seconds ?? {}).map(([mode, both]) => row(`PyTorch ${mode}`, both)),
    '',
    ...(torch === undefined
      ? []
      : [
          `Ours is ${inBrackets(torch.ratio, 2)} times as fast as PyTorch ${torch.version}, eager, float32, in its fastest setting.`,
          `Losses and gradient norms of ${CHECKED_STEPS} steps from the same weights agreed to ${torch.difference.toExponential(0)}.`,
        ]),
    'Median (best); contenders take turns. A step: loss, gradients of the weights, clipping, AdamW, averaged weights; no data.',
  ].join('\n');
}

const inBrackets = ({ median, best }: Both, digits: number): string =>
  `${median.toFixed(digits)} (${best.toFixed(digits)})`;
