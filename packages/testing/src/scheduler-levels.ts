import { isDeepStrictEqual } from 'node:util';
import { type Level, tf } from '@tweedie/core';
import { type Check, ensure, short } from './check.ts';
import type { SchedulerSubject } from './scheduler-subject.ts';

/** The sigma at which an image in [-1, 1] is hardly seen, so that pure noise may stand for it. */
const PURE_NOISE = 10;

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));

/** Checks of the grid of levels. */
export const schedulerLevelChecks: readonly Check<SchedulerSubject>[] = [
  {
    name: 'levels fall from pure noise to the end, each step starting where the last one ended',
    run({ scheduler, process, lastSigma }) {
      const steps = scheduler.levels(process);
      const [first, last] = [steps[0], steps.at(-1)];
      if (first === undefined || last === undefined) throw new Error('the schedule has no steps.');
      ensure(
        first.level.sigma >= PURE_NOISE,
        () =>
          `the first step starts at sigma ${short(first.level.sigma)}; a run starts from pure noise, so sigma ${PURE_NOISE} is the least. The process goes to ${short(process.table.at(-1)?.sigma ?? NaN)}.`,
      );
      ensure(
        last.next.sigma === lastSigma,
        () => `the last step ends at sigma ${short(last.next.sigma)}, and ${short(lastSigma)} is wanted.`,
      );
      for (const [position, { index, level, next }] of steps.entries()) {
        ensure(
          index === steps.length - 1 - position,
          () =>
            `the step at position ${position} of ${steps.length} has index ${index}, and ${steps.length - 1 - position} is wanted: indices count down to 0, and key the random numbers.`,
        );
        ensure(
          next.sigma < level.sigma,
          () => `step ${index} goes from sigma ${short(level.sigma)} to ${short(next.sigma)}: noise must fall.`,
        );
        const following = steps[position + 1];
        ensure(
          following === undefined || isDeepStrictEqual(following.level, next),
          () =>
            `step ${index} ends at sigma ${short(next.sigma)}, and step ${index - 1} starts at ${short(following?.level.sigma ?? NaN)}.`,
        );
      }
    },
  },
  {
    name: 'levels are those of the process',
    run({ scheduler, process }) {
      const top = process.table.length - 1;
      const check = (what: string, holds: boolean, { sigma }: Level) =>
        ensure(
          holds,
          () => `${what} at sigma ${short(sigma)}: take levels from process.table or process.levelAt(sigma).`,
        );
      for (const { level, next } of scheduler.levels(process)) {
        for (const each of [level, next]) {
          const { sigma, signal, noise, alphaBar, t } = each;
          check(`noise / signal is ${short(noise / signal)}`, close(noise / signal, sigma), each);
          check(
            `alphaBar is ${short(alphaBar)}, not 1 / (1 + sigma^2)`,
            close(alphaBar, 1 / (1 + sigma * sigma)),
            each,
          );
          check(
            `signal is ${short(signal)}, not that of a ${process.kind} process`,
            close(signal, process.kind === 've' ? 1 : Math.sqrt(alphaBar)),
            each,
          );
          check(`t is ${t}, outside the table of ${top + 1}`, t >= 0 && t <= top, each);
        }
      }
    },
  },
  {
    name: 'levels are numbers, and the same at every call',
    run({ scheduler, process }) {
      const before = tf.memory().numTensors;
      const steps = scheduler.levels(process);
      const made = tf.memory().numTensors - before;
      ensure(
        made === 0,
        () => `\`levels\` makes ${made} tensors, which nothing disposes: coefficients are float64 numbers.`,
      );
      ensure(
        isDeepStrictEqual(scheduler.levels(process), steps),
        () => 'two calls of `levels` give different steps: it is random or has a state.',
      );
      for (const { index, scoreWeight, coefficients } of steps) {
        for (const [name, value] of Object.entries({ scoreWeight, ...coefficients }))
          ensure(Number.isFinite(value), () => `${name} is ${value} in step ${index}.`);
      }
    },
  },
];
