import {
  disposeTree,
  type GaussianMixture,
  type Image,
  keyedRandom,
  type Level,
  rowsOf,
  sampleNorm,
  sampleSum,
  showShape,
  tf,
} from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { mixtureMean } from './mixture-mean.ts';
import { type ModelSubject, ROWS, someLevels, statesAt } from './model-subject.ts';
import { relativeDifference } from './sampling.ts';

/** One check at some levels of the process. */
const atLevels = (
  name: string,
  applies: (subject: ModelSubject) => boolean,
  run: (subject: ModelSubject, level: Level, xt: Image) => Promise<void>,
): Check<ModelSubject> => ({
  name,
  applies,
  async run(subject) {
    for (const level of someLevels(subject.model)) {
      const xt = statesAt(subject.model, level);
      await run(subject, level, xt);
      xt.dispose();
    }
  },
});
const always = (): boolean => true;
const at = ({ sigma }: Level): string => `at sigma ${short(sigma)}`;

/** The largest number of entries of dense matrices that are checked in float64. */
const FULL_LIMIT = 64;
/** The steps of difference quotients as shares of the noise: one of them balances curvature and rounding. */
const QUOTIENT_STEPS = [0.3, 0.1, 0.03, 0.01, 0.003];

/** The numbers of a prediction, whose tensors are disposed. */
async function numbersOf(
  { predict }: ModelSubject,
  xt: Image,
  level: Level,
): Promise<Readonly<Record<string, { readonly shape: readonly number[]; readonly values: Float32Array }>>> {
  const prediction = await predict(xt, level);
  const numbers = Object.fromEntries(
    Object.entries(prediction).map(([name, tensor]) => [
      name,
      { shape: tensor.shape, values: tensor.dataSync<'float32'>() },
    ]),
  );
  disposeTree({ ...prediction });
  return numbers;
}
const x0hatOf = async (subject: ModelSubject, xt: Image, level: Level): Promise<Float32Array> =>
  (await numbersOf(subject, xt, level))['x0hat']?.values ?? new Float32Array(0);

/** Checks of what `predict` gives. */
export const modelPredictionChecks: readonly Check<ModelSubject>[] = [
  atLevels('predictions have the shape of the state and finite numbers', always, async (subject, level, xt) => {
    const numbers = await numbersOf(subject, xt, level);
    ensure('varianceFraction' in numbers === (subject.model.predictsVariance === true), () =>
      'varianceFraction' in numbers
        ? 'predictions carry a varianceFraction, and the model does not say `predictsVariance`: schedulers that use it would be refused.'
        : 'the model says `predictsVariance`, and its predictions carry no varianceFraction.',
    );
    for (const [what, { shape, values }] of Object.entries(numbers)) {
      ensure(
        showShape(shape) === showShape(xt.shape),
        () => `${what} has the shape ${showShape(shape)} for states ${showShape(xt.shape)}.`,
      );
      ensure(values.every(Number.isFinite), () => `${what} holds a number that is not finite ${at(level)}.`);
    }
  }),
  atLevels('xt = signal x0hat + noise epsilon', always, async (subject, level, xt) => {
    const { x0hat, epsilon } = await numbersOf(subject, xt, level);
    const put = Float64Array.from(
      x0hat?.values ?? [],
      (value, i) => level.signal * value + level.noise * (epsilon?.values[i] ?? NaN),
    );
    const gap = relativeDifference(put, xt.dataSync());
    ensure(
      gap < subject.tolerance,
      () =>
        `signal x0hat + noise epsilon is ${short(gap)} (relative) away from xt ${at(level)}: one of the two is in other units, or x0hat was clamped (the method clamps).`,
    );
  }),
  atLevels('a row is what it is alone', always, async (subject, level, xt) => {
    const together = await x0hatOf(subject, xt, level);
    for (let row = 0; row < ROWS; row++) {
      const one = tf.slice(xt, [row, 0, 0, 0], [1, -1, -1, -1]);
      const alone = await x0hatOf(subject, one, level);
      one.dispose();
      const moved = relativeDifference(together.subarray(row * alone.length, (row + 1) * alone.length), alone);
      ensure(
        moved < subject.tolerance,
        () =>
          `row ${row} of x0hat moved by ${short(moved)} (relative) ${at(level)} when a batch mate was added: something is taken over the batch.`,
      );
    }
  }),
  atLevels(
    'the gradient is what differences say',
    ({ manifest }) => manifest.provides.includes('model.gradient'),
    async ({ project }, level, xt) => {
      const random = keyedRandom('model kit, gradient');
      const [direction, cotangent] = ['direction', 'cotangent'].map((purpose) =>
        tf.tensor(random.normal(purpose, xt.size), xt.shape),
      ) as [Image, Image];
      const projected = async (share: number) => {
        const point = tf.tidy(() => xt.add(direction.mul(share * level.noise)));
        const { value, gradient } = await project(point, level, cotangent);
        const [slope, size] = tf.tidy(
          () =>
            [
              sampleSum(gradient.mul(direction)).dataSync(),
              sampleNorm(gradient).mul(sampleNorm(direction)).dataSync(),
            ] as const,
        );
        const values = value.dataSync();
        tf.dispose([point, value, gradient]);
        return { values, slope, size };
      };
      const here = await projected(0);
      const gaps: number[] = [];
      for (const share of QUOTIENT_STEPS) {
        const [forward, back] = [await projected(share), await projected(-share)];
        gaps.push(
          Math.max(
            ...here.slope.map((slope, row) => {
              const quotient = ((forward.values[row] ?? NaN) - (back.values[row] ?? NaN)) / (2 * share * level.noise);
              return Math.abs(quotient - slope) / (here.size[row] ?? NaN);
            }),
          ),
        );
      }
      tf.dispose([direction, cotangent]);
      const gap = Math.min(...gaps);
      ensure(
        gap < 0.02,
        () =>
          `the gradient of x0hat along a direction differs from the difference quotient by ${short(gap)} of its size ${at(level)}: a part of the model is not differentiated, or its gradient is wrong.`,
      );
    },
  ),
  atLevels(
    'with a closed form, x0hat is E[x0 | xt]',
    ({ model }) => model.mixture !== undefined && hasCheapMean(model.mixture()),
    async (subject, level, xt) => {
      const mixture = subject.model.mixture?.();
      if (mixture === undefined) return;
      const got = await x0hatOf(subject, xt, level);
      rowsOf(xt).forEach((row, index) => {
        const expected = mixtureMean(
          mixture,
          Float64Array.from(row, (value) => value / level.signal),
          level.sigma,
        );
        const gap = relativeDifference(got.subarray(index * row.length, (index + 1) * row.length), expected);
        // At high noise x0hat is what remains of two numbers sigma times larger.
        ensure(
          gap < subject.tolerance * Math.max(1, level.sigma),
          () =>
            `x0hat differs by ${short(gap)} (relative) from the mean of \`mixture()\` given the state ${at(level)}: the prior and the mixture are not the same, or the state is taken in other units.`,
        );
      });
    },
  ),
];

const hasCheapMean = ({ means, weights, covariance }: GaussianMixture): boolean =>
  (covariance.kind !== 'full' && covariance.kind !== 'low-rank') || means.length / weights.length <= FULL_LIMIT;
