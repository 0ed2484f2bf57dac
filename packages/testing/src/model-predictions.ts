import { type Image, keyedRandom, type Level, rowsOf, sampleSum, showShape, tf, traced, valueAndGrad } from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { mixtureMean } from './mixture-mean.ts';
import { type ModelSubject, ROWS, someLevels, statesAt } from './model-subject.ts';
import { relativeDifference } from './sampling.ts';

/** One check at some levels of the process, in a scope of its own. */
const atLevels = (name: string, applies: (subject: ModelSubject) => boolean, run: (subject: ModelSubject, level: Level, xt: Image) => void): Check<ModelSubject> => ({
  name,
  applies,
  run: (subject) => tf.tidy(() => {
    for (const level of someLevels(subject.model)) run(subject, level, statesAt(subject.model, level));
  }),
});
const always = (): boolean => true;
const at = ({ sigma }: Level): string => `at sigma ${short(sigma)}`;

/** Dense matrices of this many entries are checked in float64. */
const FULL_LIMIT = 64;
/** Steps of the difference quotient as shares of the noise: one of them balances curvature and rounding. */
const QUOTIENT_STEPS = [0.3, 0.1, 0.03, 0.01, 0.003];

/** What `predict` gives. */
export const modelPredictionChecks: readonly Check<ModelSubject>[] = [
  atLevels('predictions have the shape of the state and finite numbers', always, ({ model }, level, xt) => {
    const { x0hat, epsilon, varianceFraction } = model.predict(xt, traced(level));
    ensure((varianceFraction !== undefined) === (model.predictsVariance === true), () =>
      varianceFraction === undefined ? 'the model says `predictsVariance`, and its predictions carry no varianceFraction.' : 'predictions carry a varianceFraction, and the model does not say `predictsVariance`: schedulers that use it would be refused.');
    for (const [what, tensor] of Object.entries({ x0hat, epsilon, ...(varianceFraction && { varianceFraction }) })) {
      ensure(showShape(tensor.shape) === showShape(xt.shape), () => `${what} has the shape ${showShape(tensor.shape)} for states ${showShape(xt.shape)}.`);
      ensure(tensor.dataSync().every(Number.isFinite), () => `${what} holds a number that is not finite ${at(level)}.`);
    }
  }),
  atLevels('xt = signal x0hat + noise epsilon', always, ({ model, tolerance }, level, xt) => {
    const { x0hat, epsilon } = model.predict(xt, traced(level));
    const gap = relativeDifference(x0hat.mul(level.signal).add(epsilon.mul(level.noise)).dataSync(), xt.dataSync());
    ensure(gap < tolerance, () => `signal x0hat + noise epsilon is ${short(gap)} (relative) away from xt ${at(level)}: one of the two is in other units, or x0hat was clamped (the method clamps).`);
  }),
  atLevels('a row is what it is alone', always, ({ model, tolerance }, level, xt) => {
    const together = rowsOf(model.predict(xt, traced(level)).x0hat);
    for (let row = 0; row < ROWS; row++) {
      const alone = model.predict(tf.slice(xt, [row, 0, 0, 0], [1, -1, -1, -1]), traced(level)).x0hat.dataSync();
      const moved = relativeDifference(together[row] ?? [], alone);
      ensure(moved < tolerance, () => `row ${row} of x0hat moved by ${short(moved)} (relative) ${at(level)} when a batch mate was added: something is taken over the batch.`);
    }
  }),
  atLevels('the same input gives the same bits', always, ({ model }, level, xt) => {
    const [first, second] = [model.predict(xt, traced(level)).x0hat.dataSync(), model.predict(xt, traced(level)).x0hat.dataSync()];
    ensure(first.join() === second.join(), () => `x0hat differs by ${short(relativeDifference(second, first))} (relative) between two calls ${at(level)}: dropout, or other random numbers.`);
  }),
  atLevels('the gradient is what differences say', ({ manifest }) => manifest.provides.includes('model.gradient'), ({ model }, level, xt) => {
    const random = keyedRandom('model kit, gradient');
    const [direction, cotangent] = ['direction', 'cotangent'].map((purpose) => tf.tensor(random.normal(purpose, xt.size), xt.shape)) as [Image, Image];
    const project = (x: Image) => sampleSum(model.predict(x, traced(level)).x0hat.mul(cotangent));
    const { gradient } = valueAndGrad((x: Image) => [project(x), []], xt);
    const slope = sampleSum(gradient.mul(direction)).dataSync();
    // In float32 a slope is known to what the difference of two sums leaves of it.
    const size = gradient.square().sum().sqrt().mul(direction.square().sum().sqrt()).dataSync()[0] ?? NaN;
    const gaps = QUOTIENT_STEPS.map((share) => {
      const h = share * level.noise;
      const quotient = project(xt.add(direction.mul(h))).sub(project(xt.sub(direction.mul(h)))).div(2 * h).dataSync();
      return Math.max(...quotient.map((value, row) => Math.abs(value - (slope[row] ?? NaN)))) / size;
    });
    const gap = Math.min(...gaps);
    ensure(gap < 0.02, () => `the gradient of x0hat along a direction differs from the difference quotient by ${short(gap)} of its size ${at(level)}: a part of the model is not differentiated, or its gradient is wrong.`);
  }),
  atLevels('with a closed form, x0hat is E[x0 | xt]', ({ model }) => model.mixture !== undefined && hasCheapMean(model.mixture()), ({ model, tolerance }, level, xt) => {
    const mixture = model.mixture?.();
    if (mixture === undefined) return;
    const got = rowsOf(model.predict(xt, traced(level)).x0hat);
    rowsOf(xt).forEach((row, index) => {
      const expected = mixtureMean(mixture, Float64Array.from(row, (value) => value / level.signal), level.sigma);
      const gap = relativeDifference(got[index] ?? [], expected);
      // At high noise x0hat is what remains of two numbers sigma times larger.
      const allowed = tolerance * Math.max(1, level.sigma);
      ensure(gap < allowed, () => `x0hat differs by ${short(gap)} (relative) from the mean of \`mixture()\` given the state ${at(level)}: the prior and the mixture are not the same, or the state is taken in other units.`);
    });
  }),
];

const hasCheapMean = ({ means, weights, covariance }: NonNullable<ReturnType<NonNullable<ModelSubject['model']['mixture']>>>): boolean =>
  covariance.kind !== 'full' || means.length / weights.length <= FULL_LIMIT;
