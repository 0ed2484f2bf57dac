import {
  type Denoise,
  type Image,
  keyedRandom,
  type Prediction,
  predictionFromScore,
  predictionFromX0,
  reverseStep,
  type Step,
  type StepTensors,
  tf,
  traced,
} from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import { gaussianDenoiser } from './gaussian-law.ts';
import { relativeDifference } from './sampling.ts';
import { PRIOR, type SchedulerSubject } from './scheduler-subject.ts';

const ROWS = 3;
const image = (purpose: string, scale = 1): Image =>
  tf.tensor4d(
    keyedRandom('scheduler kit')
      .normal(purpose, ROWS * 4)
      .map((value) => value * scale),
    [ROWS, 2, 2, 1],
  );
/** A state of the right size at a level. */
const stateAt = ({ level }: Step): Image => image('state', Math.hypot(level.signal, level.noise));
const rowOf = (x: Image, row: number): Image => tf.slice(x, [row, 0, 0, 0], [1, -1, -1, -1]);

/** At most `count` steps spread over the schedule, both ends among them. */
function someSteps({ scheduler, process }: SchedulerSubject, count: number): readonly Step[] {
  const steps = scheduler.levels(process);
  const stride = Math.max(1, Math.ceil(steps.length / count));
  return steps.filter(({ index }) => index % stride === 0 || index === steps.length - 1);
}

const move = ({ scheduler }: SchedulerSubject, xt: Image, step: StepTensors, noise: Image): Image =>
  reverseStep(scheduler, gaussianDenoiser(PRIOR), xt, step, noise).state;

/** Checks of what one step does. */
export const schedulerStepChecks: readonly Check<SchedulerSubject>[] = [
  {
    name: 'the last step gives x0hat, without noise',
    applies: ({ lastSigma }) => lastSigma === 0,
    run: (subject) =>
      tf.tidy(() => {
        const { scheduler, process } = subject;
        const step = scheduler.levels(process).at(-1);
        if (step === undefined) throw new Error('the schedule has no steps.');
        const clean = image('clean', 0.5);
        const constant = (x: Image): Prediction => ({
          x0hat: clean,
          epsilon: x.sub(clean.mul(step.level.signal)).div(step.level.noise),
          varianceFraction: tf.fill(clean.shape, 0.5),
        });
        const { state } = reverseStep(scheduler, constant, stateAt(step), traced(step), image('noise'));
        const gap = state.sub(clean).abs().max().dataSync()[0] ?? NaN;
        ensure(
          gap < 1e-5,
          () =>
            `the last step ends ${short(gap)} from x0hat: at sigma 0 the mean is x0hat and std is 0 (0 / 0 gives NaN there).`,
        );
      }),
  },
  {
    name: 'scoreWeight is what one unit of score adds to the mean',
    run: (subject) =>
      tf.tidy(() => {
        const { scheduler } = subject;
        for (const step of someSteps(subject, 50)) {
          const tensors: StepTensors = traced(step);
          const xt = tf.zeros<tf.Rank.R4>([1, 1, 1, 1]);
          const meanAt = (score: number): number => {
            const prediction = {
              ...predictionFromScore(xt, tf.fill<tf.Rank.R4>([1, 1, 1, 1], score), tensors.level),
              varianceFraction: tf.fill<tf.Rank.R4>([1, 1, 1, 1], 0.5),
            };
            return scheduler.transition(xt, prediction, tensors).mean.dataSync()[0] ?? NaN;
          };
          const moved = meanAt(1) - meanAt(0);
          // What float32 leaves of the difference of two large terms.
          const rounding = 2e-6 * (step.level.noise ** 2 / step.level.signal) + 1e-5 * Math.abs(step.scoreWeight);
          ensure(
            Math.abs(moved - step.scoreWeight) <= rounding,
            () =>
              `in step ${step.index} one unit of score adds ${short(moved)} to the mean, and scoreWeight is ${short(step.scoreWeight)}: methods that add to the score would step too far or too short.`,
          );
        }
      }),
  },
  {
    name: 'a step follows x0hat, whatever epsilon comes with it',
    run: (subject) =>
      tf.tidy(() => {
        const { advance, ...plain } = subject.scheduler;
        const denoise = gaussianDenoiser(PRIOR);
        const guided: Denoise = (x, level) => ({ ...denoise(x, level), x0hat: denoise(x, level).x0hat.add(0.5) });
        const consistent: Denoise = (x, level) => ({
          ...guided(x, level),
          ...predictionFromX0(x, guided(x, level).x0hat, level),
        });
        for (const step of someSteps(subject, 5)) {
          for (const scheduler of advance ? [plain, subject.scheduler] : [plain]) {
            const after = (predicted: Denoise) =>
              reverseStep(scheduler, predicted, stateAt(step), traced(step), image('noise')).state.dataSync();
            const gap = relativeDifference(after(guided), after(consistent));
            ensure(
              gap < 1e-6,
              () =>
                `x0hat was changed, as methods do that clamp or guide it, with the network's epsilon left beside it: in step ${step.index} the new state is ${short(gap)} (relative) from that with the epsilon of the changed x0hat, ` +
                'so part of the change would be lost. Compute epsilon anew: epsilonFromX0(xt, x0hat, level).',
            );
          }
        }
      }),
  },
  {
    name: 'a step is pure, finite, and each row by itself',
    run: (subject) =>
      tf.tidy(() => {
        for (const step of someSteps(subject, 5)) {
          const [xt, noise] = [stateAt(step), image('noise')];
          const together = move(subject, xt, traced(step), noise);
          const numbers = together.dataSync();
          ensure(numbers.every(Number.isFinite), () => `step ${step.index} gives numbers that are not finite.`);
          ensure(
            numbers.join() === move(subject, xt, traced(step), noise).dataSync().join(),
            () =>
              `step ${step.index} gives other numbers for the same input: noise comes as an argument, or is added by the caller.`,
          );
          for (let row = 0; row < ROWS; row++) {
            const gap = relativeDifference(
              rowOf(together, row).dataSync(),
              move(subject, rowOf(xt, row), traced(step), rowOf(noise, row)).dataSync(),
            );
            ensure(
              gap < 1e-5,
              () =>
                `row ${row} moved by ${short(gap)} (relative) in step ${step.index} when batch mates were added: something is taken over the batch.`,
            );
          }
        }
      }),
  },
  {
    name: 'standard deviations are not negative',
    run: (subject) =>
      tf.tidy(() => {
        for (const step of someSteps(subject, 50)) {
          const xt = stateAt(step);
          const tensors: StepTensors = traced(step);
          const least =
            subject.scheduler
              .transition(xt, gaussianDenoiser(PRIOR)(xt, tensors.level), tensors)
              .std.min()
              .dataSync()[0] ?? NaN;
          ensure(least >= 0, () => `std is ${short(least)} in step ${step.index}.`);
        }
      }),
  },
  {
    name: 'compiled it is one function for all steps, with the same results',
    async run(subject) {
      const engine = await subject.engine();
      const compiled = engine.compile((xt: Image, step: StepTensors, noise: Image) => move(subject, xt, step, noise));
      const before = tf.memory().numTensors;
      const noise = image('noise');
      for (const step of someSteps(subject, 5)) {
        const xt = stateAt(step);
        const result = await compiled(xt, step, noise);
        const expected = tf.tidy(() => move(subject, xt, traced(step), noise).dataSync());
        const gap = relativeDifference(result.dataSync(), expected);
        ensure(
          gap < 1e-5,
          () =>
            `step ${step.index} compiled by engine/${engine.id} differs by ${short(gap)} (relative) from plain TensorFlow.js: a JavaScript \`if\` on the step is decided once, when the function is traced. Use coefficients, or tf.where.`,
        );
        tf.dispose([xt, result]);
      }
      noise.dispose();
      const left = tf.memory().numTensors - before;
      const { compilations } = compiled;
      compiled.dispose();
      ensure(
        compilations === 1,
        () =>
          `${compilations} compilations for the steps of one schedule: all steps must have the same coefficients, as numbers.`,
      );
      ensure(left <= 0, () => `${left} tensors remain after the steps: something is kept.`);
    },
  },
];
