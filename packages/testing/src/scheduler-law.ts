import { type Check, ensure, short } from './check.ts';
import { gaussianLaw, lawAt } from './gaussian-law.ts';
import { PRIOR, type SchedulerSubject } from './scheduler-subject.ts';

/** The number of steps whose error, beside that of twice as many, tells the order. */
const STEPS = 50;
/** How far the measured order may lie below the claimed one, which is reached in the limit of many steps. */
const ORDER_SLACK = 0.35;

/** Checks of the whole schedule, with the exact denoiser of a Gaussian prior. */
export const schedulerLawChecks: readonly Check<SchedulerSubject>[] = [
  {
    name: 'every step keeps the marginals of a Gaussian prior',
    run({ scheduler, process, marginalTolerance }) {
      gaussianLaw(scheduler, process, PRIOR, ({ index, next }, law) => {
        const exact = lawAt(PRIOR, next);
        const [std, exactStd] = [Math.sqrt(law.variance), Math.sqrt(exact.variance)];
        const shift = Math.abs(law.mean - exact.mean) / exactStd;
        const stretch = Math.abs(std / exactStd - 1);
        ensure(
          shift < marginalTolerance && stretch < marginalTolerance,
          () =>
            `after step ${index} the law is N(${short(law.mean)}, ${short(std)}^2) and should be N(${short(exact.mean)}, ${short(exactStd)}^2): mean off by ${short(shift)} and standard deviation by ${short(stretch)} of it, ` +
            `with ${short(marginalTolerance)} allowed. Too much noise is added or removed, or too few steps are tested.`,
        );
      });
    },
  },
  {
    name: 'its error has the order claimed',
    applies: ({ order }) => order !== undefined,
    async run({ process, withSteps, order = 0 }) {
      const errorWith = async (steps: number) =>
        Math.abs(gaussianLaw(await withSteps(steps), process, PRIOR).variance / PRIOR.variance - 1);
      const [coarse, fine] = [await errorWith(STEPS), await errorWith(2 * STEPS)];
      const measured = Math.log2(coarse / fine);
      ensure(
        measured > order - ORDER_SLACK,
        () =>
          `the error of the variance is ${short(coarse)} with ${STEPS} steps and ${short(fine)} with ${2 * STEPS}: order ${short(measured)}, and ${order} is claimed.`,
      );
    },
  },
];
