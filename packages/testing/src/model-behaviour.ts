import { showShape, tf, traced } from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { type ModelSubject, someLevels, statesAt } from './model-subject.ts';
import { relativeDifference } from './sampling.ts';

/** Checks of the model as a plugin: its facts, weights and memory. */
export const modelBehaviourChecks: readonly Check<ModelSubject>[] = [
  {
    name: 'its facts are known before weights are read',
    async run({ make, model }) {
      const fresh = await make();
      for (const fact of ['imageShape', 'range', 'predictsVariance'] as const) {
        ensure(
          JSON.stringify(fresh[fact]) === JSON.stringify(model[fact]),
          () =>
            `${fact} is ${JSON.stringify(fresh[fact])} before \`load\` and ${JSON.stringify(model[fact])} after: the plan is made before.`,
        );
      }
      const { range } = model;
      ensure(
        range === undefined || range[0] < range[1],
        () => `range is [${range?.join(', ')}]: the lower end comes first.`,
      );
      ensure(
        model.imageShape.length === 3 && model.imageShape.every((size) => Number.isInteger(size) && size > 0),
        () => `imageShape is [${model.imageShape.join(', ')}]: height, width and channels are wanted.`,
      );
      fresh.dispose?.();
    },
  },
  {
    name: 'it provides what its manifest says',
    run({ model, manifest: { provides } }) {
      const claimed = provides.includes('model.mixture');
      ensure(claimed === (model.mixture !== undefined), () =>
        claimed
          ? 'its manifest provides model.mixture, and the model has no `mixture`.'
          : 'it has a `mixture`, which "provides" in its manifest does not name.',
      );
    },
  },
  {
    name: 'the hash of its weights is a SHA-256, the same each time',
    async run({ make, model }) {
      const hash = model.weightsHash();
      ensure(/^[0-9a-f]{64}$/.test(hash), () => `weightsHash is "${hash}", and 64 hexadecimal digits are wanted.`);
      const other = await make();
      await other.load?.();
      const again = other.weightsHash();
      other.dispose?.();
      ensure(
        again === hash,
        () =>
          `weightsHash is ${hash.slice(0, 12)} and, made again with the same options, ${again.slice(0, 12)}: runs could not be resumed.`,
      );
    },
  },
  {
    name: 'compiled it computes what it computes step by step, again and again',
    async run({ predict, model }) {
      const levels = someLevels(model);
      for (const level of [levels[0], levels.at(-1)]) {
        if (level === undefined) throw new Error('the process has no levels.');
        const xt = tf.tidy(() => tf.slice(statesAt(model, level), [0, 0, 0, 0], [1, -1, -1, -1]));
        const { x0hat, ...rest } = await predict(xt, level);
        const [expected, again] = [0, 1].map(() =>
          tf.tidy(() => model.predict(xt, traced(level)).x0hat.dataSync()),
        ) as [Float32Array, Float32Array];
        const gap = relativeDifference(x0hat.dataSync(), expected);
        tf.dispose([xt, x0hat, ...Object.values(rest)]);
        ensure(
          expected.join() === again.join(),
          () =>
            `x0hat differs by ${short(relativeDifference(again, expected))} (relative) between two calls at sigma ${short(level.sigma)}: dropout, or other random numbers.`,
        );
        ensure(
          gap < 1e-4 * Math.max(1, level.sigma),
          () =>
            `compiled, x0hat at sigma ${short(level.sigma)} differs by ${short(gap)} (relative) from plain TensorFlow.js: a JavaScript \`if\` on the level is decided once, when the function is traced.`,
        );
      }
      // One row, and the batch of the other checks.
      ensure(
        predict.compilations <= 2,
        () => `${predict.compilations} compilations for levels of one process and batches of two sizes.`,
      );
    },
  },
  {
    name: 'a model of any size keeps its shape, its weights and its numbers',
    run({ model }) {
      const { imageShape, sizes } = model;
      if (sizes === undefined) return;
      const { multipleOf } = sizes;
      ensure(
        Number.isInteger(multipleOf) && multipleOf > 0,
        () => `sizes.multipleOf is ${multipleOf}, and a whole number above 0 is wanted.`,
      );
      const [level] = someLevels(model);
      if (level === undefined) throw new Error('the process has no levels.');
      const before = tf.memory().numTensors;
      const [height, width, channels] = imageShape;
      for (const shape of [imageShape, [height + multipleOf, width + 2 * multipleOf, channels]] as const) {
        const own = sizes.forShape(shape);
        ensure(
          showShape(own.imageShape) === showShape(shape),
          () => `sizes.forShape(${showShape(shape)}) gives a model of ${showShape(own.imageShape)}.`,
        );
        ensure(
          own.weightsHash() === model.weightsHash(),
          () => 'what sizes.forShape gives has another weightsHash: weights are shared.',
        );
        tf.tidy(() => {
          const xt = tf.slice(statesAt(own, level), [0, 0, 0, 0], [1, -1, -1, -1]);
          const { x0hat } = own.predict(xt, traced(level));
          ensure(
            showShape(x0hat.shape) === showShape([1, ...shape]),
            () => `x0hat of a model for ${showShape(shape)} is ${showShape(x0hat.shape)}.`,
          );
          if (shape !== imageShape) return;
          const gap = relativeDifference(x0hat.dataSync(), model.predict(xt, traced(level)).x0hat.dataSync());
          ensure(
            gap < 1e-6,
            () => `x0hat of sizes.forShape(imageShape) differs by ${short(gap)} (relative) from the model's own.`,
          );
        });
      }
      const made = tf.memory().numTensors - before;
      ensure(made === 0, () => `sizes.forShape made ${made} tensors that stay: weights are shared, and read once.`);
    },
  },
  {
    name: 'it leaves no tensors behind',
    async run({ make }) {
      const before = tf.memory().numTensors;
      const model = await make();
      await model.load?.();
      await model.load?.();
      const [level] = someLevels(model);
      if (level === undefined) throw new Error('the process has no levels.');
      const loaded = tf.memory().numTensors;
      tf.tidy(() => void model.predict(tf.slice(statesAt(model, level), [0, 0, 0, 0], [1, -1, -1, -1]), traced(level)));
      const kept = tf.memory().numTensors - loaded;
      ensure(kept === 0, () => `${kept} tensors remain after a prediction in a scope: something is kept.`);
      model.dispose?.();
      const left = tf.memory().numTensors - before;
      ensure(
        left === 0,
        () => `${left} tensors remain after \`dispose\` (loaded twice): weights are disposed there, and read once.`,
      );
    },
  },
];
