import { conditioned } from './conditioned.ts';
import { CancelledError } from './errors.ts';
import { addCosts, meteredModel, meteredOperator, noCost, subtractCosts } from './marks.ts';
import { batchRandom } from './random.ts';
import { initialNoise } from './steps.ts';
import { tf } from './tensorflow.ts';
import { batchSize, isImage, tensorsOf } from './trees.ts';
import type {
  Cost,
  Guidance,
  Image,
  ImageShape,
  Measured,
  NoiseProcess,
  SampleKey,
  Sampler,
  Scheduler,
  Setting,
  Step,
  StepRandom,
  Tensor,
  TensorTree,
} from './types.ts';

/** A guidance method bound to a setting, with the ledger of everything it compiled. */
export interface BoundGuidance {
  readonly sampler: Sampler<TensorTree>;
  readonly steps: readonly Step[];
  /** Rows counted since binding, padding included. */
  readonly cost: () => Cost;
  /** Traces made since binding: one per compiled function and set of shapes, however many problems ran. */
  readonly compilations: () => number;
  dispose(): void;
}

/** The levels that a method visits: its own, or the scheduler's. */
export const stepsOf = (
  guidance: Pick<Guidance, 'levels'>,
  scheduler: Scheduler,
  process: NoiseProcess,
): readonly Step[] => guidance.levels?.(process) ?? scheduler.levels(process);

/** Binds a method once for all problems of a setting; network and operator calls are counted from here on. */
export async function bindGuidance<S extends TensorTree>(
  guidance: Guidance<S>,
  setting: Setting,
): Promise<BoundGuidance> {
  const { scheduler } = setting;
  const { engine, model, compiled, sampler: underCondition } = conditioned(setting.engine, meteredModel(setting.model));
  const made = await guidance.bind({ engine, scheduler, model, operator: meteredOperator(setting.operator) });
  const sampler = underCondition(made);
  return {
    sampler,
    steps: stepsOf(guidance, scheduler, setting.model.process),
    cost: () => compiled.reduce((sum, { cost }) => addCosts(sum, cost), noCost),
    compilations: () => compiled.reduce((sum, { compilations }) => sum + compilations, 0),
    dispose() {
      sampler.dispose?.();
      for (const fn of compiled) fn.dispose();
    },
  };
}

/** What an observer sees after each step; the tensors are gone after it returns. */
export type StepEvent = {
  readonly step: Step;
  readonly done: number;
  readonly total: number;
  readonly x0hat?: Image;
  readonly scalars?: { readonly [name: string]: Tensor };
};

export type SampleFailure = { readonly step: number; readonly reason: string };

export type BatchResult = {
  /** [B, H, W, C]; rows that failed hold whatever they ended as. Owned by the caller. */
  readonly x: Image;
  readonly failures: readonly (SampleFailure | undefined)[];
  /** Rows counted in this run, over the whole batch. */
  readonly cost: Cost;
};

export interface BatchRun {
  readonly bound: BoundGuidance;
  readonly imageShape: ImageShape;
  /** [B, ...] each. */
  readonly problem: Measured;
  /** One per row. */
  readonly keys: readonly SampleKey[];
  readonly signal?: AbortSignal;
  readonly onStep?: (event: StepEvent) => void | Promise<void>;
}

/**
 * A state this far beyond its noise level has diverged: images and their noise are of order one, known priors of order
 * ten.
 */
const DIVERGED = 1e5;

/**
 * Runs a batch from pure noise to the last level. The loop owns all randomness, watches every new number for NaN and
 * divergence (a failure belongs to its sample; the others go on), and disposes what a step leaves behind. One loop at a
 * time per process: TensorFlow.js keeps one global stack of scopes. Throws CancelledError between steps when `signal`
 * aborts.
 */
export async function sampleBatch({
  bound,
  imageShape,
  problem,
  keys,
  signal,
  onStep,
}: BatchRun): Promise<BatchResult> {
  const { sampler, steps } = bound;
  const [first] = steps;
  if (first === undefined) throw new RangeError('sampleBatch: the schedule has no steps.');
  const before = bound.cost();
  const random = batchRandom(keys);
  const failures: (SampleFailure | undefined)[] = keys.map(() => undefined);

  let state = await scoped(() => (sampler.start ?? startFromNoise(imageShape))(problem, first, random(steps.length)));
  let breath = performance.now();
  try {
    for (const [position, step] of steps.entries()) {
      const previous = state;
      const {
        state: next,
        x0hat,
        scalars,
      } = await scoped(() => sampler.step(previous, step, problem, random(step.index)));
      state = next;
      const kept = new Set(tensorsOf(next));
      const old = new Set(tensorsOf(previous));
      try {
        await watch(
          [...kept].filter((tensor) => !old.has(tensor)),
          step,
          failures,
        );
        await onStep?.({
          step,
          done: position + 1,
          total: steps.length,
          ...(x0hat && { x0hat }),
          ...(scalars && { scalars }),
        });
      } finally {
        for (const tensor of [...old, ...tensorsOf([x0hat ?? [], scalars ?? []])])
          if (!kept.has(tensor)) tensor.dispose();
      }
      // Let timers, signals and the terminal have their turn.
      if (performance.now() - breath > 20) {
        await new Promise(setImmediate);
        breath = performance.now();
      }
      if (signal?.aborted) throw new CancelledError('Stopped between two steps.');
    }
    const end = state;
    const x = await scoped(async () => {
      const result = (await sampler.result?.(end, problem)) ?? end;
      if (isImage(result)) return result.clone();
      throw new TypeError(
        'sampleBatch: the last state is not an image, and the method has no `result` that makes one of it.',
      );
    });
    return { x, failures, cost: subtractCosts(bound.cost(), before) };
  } finally {
    for (const tensor of tensorsOf(state)) tensor.dispose();
  }
}

const startFromNoise =
  (shape: ImageShape) =>
  async ({ y }: Measured, { level }: Step, random: StepRandom): Promise<TensorTree> =>
    initialNoise(batchSize(y), shape, level, random);

/** Runs an asynchronous piece of work and disposes every tensor it made except those in its result. */
export async function scoped<T extends TensorTree | object>(work: () => Promise<T>): Promise<T> {
  const engine = tf.engine();
  engine.startScope();
  let result: T | undefined;
  try {
    result = await work();
    return result;
  } finally {
    engine.endScope(result as tf.TensorContainer);
  }
}

async function watch(fresh: readonly Tensor[], step: Step, failures: (SampleFailure | undefined)[]): Promise<void> {
  const bound = DIVERGED * Math.max(1, step.next.noise);
  for (const tensor of fresh) {
    if (tensor.dtype !== 'float32' || tensor.shape[0] !== failures.length) continue;
    const values = await tensor.data();
    const each = values.length / failures.length;
    for (let row = 0; row < failures.length; row++) {
      if (failures[row] !== undefined) continue;
      for (let i = row * each; i < (row + 1) * each; i++) {
        const value = values[i] ?? 0;
        if (value >= -bound && value <= bound) continue;
        failures[row] = {
          step: step.index,
          reason: Number.isFinite(value)
            ? `diverged: a value reached ${value.toExponential(1)}`
            : `not a number: a value became ${value}`,
        };
        break;
      }
    }
  }
}
