import { join } from 'node:path';
import {
  CancelledError,
  ConfigError,
  createContainer,
  type Files,
  keyedRandom,
  openRegistry,
  type RegistryOptions,
  sha256,
  tf,
  type Tensor,
} from '@tweedie/core';
import { createFiles, encodePng, makeFolder, writeWhole } from '@tweedie/files';
import { admWeights, openCheckpoint, type NetworkCard, trainedProcess } from '@tweedie/networks';
import { freshState } from './adamw.ts';
import { cardText, logTable } from './card.ts';
import { type LogRow, readCheckpoint, trainingHash, WEIGHTS, writeCheckpoint } from './checkpoint.ts';
import { cropsOf } from './crops.ts';
import { initialWeights, type Layout, tensorsIn } from './parameters.ts';
import { readTraining } from './recipe.ts';
import { reportPage } from './report.ts';
import { sampleGrid } from './samples.ts';
import { compileTraining } from './step.ts';
import { type Validation, validationOf } from './validation.ts';

export type TrainingProgress = {
  readonly phase: 'training';
  readonly done: number;
  readonly total: number;
  /** Speed, time left and loss. */
  readonly label: string;
  /** How it stood at the last line of the log. */
  readonly message?: string;
};

export type TrainOptions = RegistryOptions & {
  /** A training file, YAML or JSON. */
  readonly recipe: string;
  /** Folder of checkpoints, weights and report, where a training goes on; default `runs/train/<name>`. */
  readonly out?: string;
  /** Weights to begin with, from another training of the same network. */
  readonly from?: string;
  /** Images seen in all, in place of the recipe's. */
  readonly images?: number;
  /** Threads; default all cores. Other numbers of threads give other roundings. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
};

export type Trained = {
  readonly folder: string;
  /** The averaged weights, which model/trained reads. */
  readonly weights: string;
  readonly report: string;
  /** What was trained, on what, how well it does, and the line that uses it. */
  readonly card: string;
};

/** Images between two rows of the log, and between two grids of samples where the recipe has no validation. */
const LOG_EVERY = 2000;
const SAMPLES_EVERY = 20_000;
const SAMPLES_SIDE = 4;

/**
 * Trains a network as a training file says, and goes on where it stopped. Every number follows from the file, the
 * number of threads and `from`: step k draws its crops, flips, noise and levels from seed and k, so a training that was
 * killed and resumed has the weights of one that was not. At most the time between two checkpoints is lost.
 * Throws ConfigError where the file, the data or the folder are not right, and where the loss is no number any more;
 * CancelledError where `signal` stopped it, after a checkpoint.
 */
export async function train(options: TrainOptions): Promise<Trained> {
  const { recipe: written, name, folder, where } = readTraining(options.recipe);
  const recipe = options.images === undefined ? written : { ...written, images: options.images };
  const out = options.out ?? join('runs', 'train', name);
  const registry = openRegistry({ folders: [process.cwd(), folder], ...options });
  const container = createContainer({ registry, files: createFiles(folder) });
  const training = compileTraining(recipe, options.threads === undefined ? {} : { threads: options.threads });
  const { shape, loss, card, layout, programs } = training;
  const noises = trainedProcess(loss.prediction, { kind: 've' });
  try {
    const crops = cropsOf(await container.plugin('dataset', recipe.data.dataset), shape, recipe.data, `${where} /data`);
    let validation: Validation | undefined;
    if (recipe.validation !== undefined) {
      const heldOut = await container.plugin('dataset', recipe.validation.dataset);
      const middles = cropsOf(heldOut, shape, { scales: [1], flip: 'none' }, `${where} /validation`);
      validation = validationOf(await middles.middles(Math.min(recipe.validation.count, heldOut.size)), shape, {
        programs,
        loss,
        process: noises,
        batch: recipe.batch,
        seed: recipe.seed,
      });
    }

    const begun = await startingPoint(options.from, card, layout, recipe.seed);
    const hash = trainingHash(recipe, begun.from);
    makeFolder(out);
    const ending = { images: recipe.images, cooldown: recipe.optimizer.cooldown };
    const found = readCheckpoint(out, layout, { hash, ending, batch: recipe.batch });
    const state = found?.state ?? freshState(begun.weights());
    const descent = training.stepsOf(state);
    const averaged = tensorsIn(state.ema, layout);
    const log: LogRow[] = [...(found?.log ?? [])];
    const all = Math.ceil(recipe.images / recipe.batch);
    const lookEvery = recipe.validation?.every ?? SAMPLES_EVERY;
    const before = log.at(-1)?.seconds ?? 0;
    const startedAt = performance.now();
    const firstStep = found?.steps ?? 0;
    let steps = firstStep;
    let savedAt = startedAt;
    let recent = { loss: 0, images: 0, gradient: 0 };

    const save = (): void => {
      writeCheckpoint(out, { state, steps, log }, { card, layout, hash, ending, dtype: recipe.weights });
      writeWhole(join(out, 'log.csv'), logTable(log));
      writeWhole(
        join(out, 'report.html'),
        reportPage({ title: recipe.title ?? name, recipe, layout, log, folder: out }),
      );
      savedAt = performance.now();
    };
    const crossed = (every: number): boolean =>
      Math.floor((steps * recipe.batch) / every) > Math.floor(((steps - 1) * recipe.batch) / every) || steps === all;

    while (steps < all) {
      const k = steps + 1;
      const random = keyedRandom(`training ${recipe.seed} ${k}`);
      const batch = training.batch(await crops.draw(random, recipe.batch), random);
      const { loss: mean, norm, rate } = await descent.step(batch, k);
      tf.dispose([batch.x0, batch.noise, ...Object.values(batch.columns)]);
      if (!Number.isFinite(mean) || !Number.isFinite(norm))
        throw new ConfigError(
          `${where} /optimizer/rate`,
          `the loss is no number any more after ${steps * recipe.batch} images.`,
          `Lower the rate (${recipe.optimizer.rate}) or lengthen the warm-up, and choose another --out; the last checkpoint in ${out} is kept.`,
        );
      const seen = k * recipe.batch;
      steps = k;
      recent = {
        loss: recent.loss + mean * recipe.batch,
        images: recent.images + recipe.batch,
        gradient: Math.max(recent.gradient, norm),
      };

      const looks = crossed(lookEvery);
      if (looks || crossed(LOG_EVERY)) {
        const validated = looks ? await validation?.of(averaged) : undefined;
        log.push({
          images: seen,
          seconds: before + (performance.now() - startedAt) / 1000,
          loss: recent.loss / recent.images,
          rate,
          gradient: recent.gradient,
          ...(validated && { validation: validated.loss, denoised: validated.denoised }),
        });
        recent = { loss: 0, images: 0, gradient: 0 };
      }
      if (looks) {
        const grid = await sampleGrid(averaged, shape, {
          programs,
          process: noises,
          side: SAMPLES_SIDE,
          seed: recipe.seed,
        });
        const [height, width, channels] = shape;
        writeWhole(
          join(out, 'samples', `${String(seen).padStart(9, '0')}.png`),
          await encodePng(grid, [SAMPLES_SIDE * height, SAMPLES_SIDE * width, channels]),
        );
      }
      if (options.signal?.aborted === true) {
        save();
        throw new CancelledError(`Stopped after ${seen} images. All of them are kept.`);
      }
      if (performance.now() - savedAt > 60_000 * recipe.checkpoint || steps === all) save();
      const speed = ((steps - firstStep) * recipe.batch * 1000) / (performance.now() - startedAt);
      const last = log.at(-1);
      options.onProgress?.({
        phase: 'training',
        ...(last && { message: standing(last) }),
        done: Math.min(seen, recipe.images),
        total: recipe.images,
        label: `${speed.toFixed(1)} images/s, ${duration((recipe.images - seen) / speed)} left, loss ${(last?.loss ?? mean).toPrecision(3)}`,
      });
    }
    if (found !== undefined && firstStep >= all) save();
    const text = cardText({ name, title: recipe.title ?? name, recipe, layout, log, folder: out });
    writeWhole(join(out, 'README.md'), text);
    descent.dispose();
    tf.dispose(Object.values(averaged));
    return { folder: out, weights: join(out, WEIGHTS), report: join(out, 'report.html'), card: text };
  } finally {
    training.dispose();
    container.dispose();
  }
}

/** The weights that a training begins with, and a text that tells them from others. */
async function startingPoint(
  from: string | undefined,
  { network }: NetworkCard,
  layout: Layout,
  seed: number,
): Promise<{ readonly from: string; weights(): Float32Array }> {
  if (from === undefined)
    return { from: '', weights: () => initialWeights(layout, keyedRandom(`training ${seed} weights`)) };
  const files: Files = createFiles(process.cwd());
  const tensors = await admWeights(network, await openCheckpoint(from, files));
  const weights = new Float32Array(layout.size);
  for (const { name, begin } of layout.tensors)
    weights.set((tensors.get(name) as Tensor).dataSync() as Float32Array, begin);
  tf.dispose([...tensors.values()]);
  return { from: sha256(await files.readBytes(from)), weights: () => weights };
}

const standing = ({ images, loss, validation }: LogRow): string =>
  `${images} images: loss ${loss.toPrecision(3)}${validation === undefined ? '' : `, held out ${validation.toPrecision(3)}`}`;

const duration = (seconds: number): string => {
  const minutes = Math.max(0, Math.round(seconds / 60));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
};
